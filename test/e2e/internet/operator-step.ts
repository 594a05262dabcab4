import { pinyon } from "../../cli/pinyon.js";
import type { MeshNode } from "../mesh.js";
import { type Finding, must } from "../steps/step.js";
import { operatorCommands } from "./guide.js";
import type { MixedStage } from "./mixed-stage.js";

interface Report {
  readonly uses: readonly { readonly node: string; readonly host: string }[];
}

/** Every command of docs/gateway.md, run as it stands there; then a gateway tells who used it: through fronts, too. */
export async function operatorAsks({ gateways, overlay, classic }: MixedStage): Promise<Finding> {
  const [one, other] = gateways.map(({ node }) => node) as [MeshNode, MeshNode];
  const commands = operatorCommands(other.name);
  must(commands.length >= 8, `docs/gateway.md has ${commands.length} commands`);
  for (const args of commands) await ask(one, args);
  const keys = overlay.map(({ name }) => keyOf(name));
  for (const node of [one, other]) {
    const [out, into] = [await report(node, "exit"), await report(node, "gateway")];
    const hosts = new Set(out.uses.map(({ host }) => host));
    must(
      hosts.size > 0 && out.uses.every((use) => keys.includes(keyOf(use.node))),
      `${node.label} let ${[...hosts]} out`,
    );
    const sources = new Set(into.uses.map(({ host }) => host));
    must(sources.size > 0, `${node.label} knows nobody who came`);
    must(
      [...sources].every((address) => address.startsWith("5.5.1.")),
      `${node.label} says that ${[...sources].join(", ")} came, and not ${classic.map(({ name }) => name).join(", ")}`,
    );
  }
  return {
    text: `${commands.length} commands; each gateway names who used it`,
    figures: { commands: commands.length },
  };
}

/** The key in a server's name. */
const keyOf = (name: string): string => name.slice(0, name.indexOf("."));

async function report(node: MeshNode, way: "exit" | "gateway"): Promise<Report> {
  return JSON.parse(await ask(node, [way, "report", "--json"])) as Report;
}

/** Runs a command of a node; throws where it fails. */
async function ask({ folder }: MeshNode, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await pinyon("--state", folder, ...args);
  must(code === 0, `pinyon ${args.join(" ")}: ${stderr}`);
  return stdout;
}
