import { readFileSync, writeFileSync } from "node:fs";
import type { FederationCode } from "../../src/federation/errors.js";
import type { MeshNode } from "./mesh.js";

/** How often a node has answered with this error what its homeserver asked of others (`outbound`), or they of it (`inbound`). */
export function errorCount(node: MeshNode, direction: "inbound" | "outbound", code: FederationCode): Promise<number> {
  return counter(node, `${direction}_errors`, `{code="${code}"}`);
}

/** One of a node's counters of federation, as its metrics call it. */
export async function counter(node: MeshNode, name: string, labels = ""): Promise<number> {
  const { metrics } = await node.status();
  const text = await (await fetch(`http://${metrics}/metrics`)).text();
  const start = `pinyon_federation_${name}_total${labels} `;
  const line = text.split("\n").find((line) => line.startsWith(start));
  if (line === undefined) throw new Error(`${node.label} has no counter ${start}`);
  return Number(line.slice(start.length));
}

/** Memory of a node's process since a moment. */
export class Memory {
  readonly #startBytes: number;

  constructor(private readonly node: MeshNode) {
    // From here on the peak is counted anew.
    writeFileSync(this.#path("clear_refs"), "5");
    this.#startBytes = this.#bytes("VmRSS");
  }

  /** By how much the most that it took since is more than what it had at the start. */
  growthBytes(): number {
    return this.#bytes("VmHWM") - this.#startBytes;
  }

  #bytes(field: string): number {
    const [, kilobytes] = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(this.#path("status"), "utf8"))!;
    return Number(kilobytes) * 1_024;
  }

  #path(file: string): string {
    return `/proc/${this.node.process!.pid}/${file}`;
  }
}

/** Why memory cannot be measured here; undefined where it can. */
export function whyNoMemory(): string | undefined {
  return process.platform === "linux" ? undefined : "the memory of another process is read from Linux's /proc";
}
