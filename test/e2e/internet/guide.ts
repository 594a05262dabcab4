import { read } from "../../tidy/repository.js";

/* What docs/gateway.md tells an operator to write and to run, taken from there so that it stays true. */

const blocks = [...read("docs/gateway.md").matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, text = ""]) => text);

/** The config of a front that begins so, with these gateways in place of its examples. */
export function frontConfig(beginning: string, gateways: readonly string[]): string {
  const text = blocks.find((block) => block.startsWith(beginning));
  if (text === undefined) throw new Error(`docs/gateway.md has no block that begins with ${beginning}`);
  return gateways.reduce((config, gateway, index) => config.replaceAll(`192.0.2.1${index + 1}:8443`, gateway), text);
}

/** The arguments of every command of `pinyon`, with this name in place of the example's. */
export function operatorCommands(node: string): string[][] {
  const lines = blocks.flatMap((block) => block.split("\n")).filter((line) => line.startsWith("pinyon "));
  return lines.map((line) => line.replace(/ +#.*/, "").replaceAll("<node>", node).split(" ").slice(1));
}
