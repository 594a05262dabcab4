import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import type { Owner } from "./mesh.js";

/** Two nodes by their index, linked: the first dials the second. */
export type Edge = readonly [from: number, to: number];

/** True where two nodes are linked, whichever dials. */
export function isEdge(edges: readonly Edge[], one: number, other: number): boolean {
  return edges.some(([from, to]) => (from === one && to === other) || (from === other && to === one));
}

/** Where the nodes of a mesh run. */
export interface Place {
  /** What a command of a node begins with. */
  prefix(node: number): readonly string[];
  /** Where a node listens. */
  listen(node: number): { readonly host: string; readonly port: number };
  /** Where one node reaches another that it has an edge to. */
  address(edge: Edge): { readonly host: string; readonly port: number };
}

/** A place whose links can be made slow. */
export interface Namespaces extends Place {
  /** Lets through so much of an edge, each way, and holds back what takes `queueMs` at most. */
  slow(edge: Edge, bitsPerS: number, queueMs: number): void;
}

/** All nodes on this host, on free ports of loopback. */
export async function loopback(nodeCount: number): Promise<Place> {
  const ports = await freePorts(nodeCount);
  const at = (node: number) => ({ host: "127.0.0.1", port: ports[node]! });
  return { prefix: () => [], listen: at, address: ([, to]) => at(to) };
}

/** Ports that nobody listens on, chosen by the system. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Why network namespaces cannot be made here; undefined where they can. */
export function whyNoNamespaces(): string | undefined {
  const probe = `pinyon-${process.pid}-probe`;
  try {
    ip("netns", "add", probe);
    ip("netns", "del", probe);
  } catch (error) {
    return `network namespaces need root and \`ip netns\`: ${(error as Error).message.split("\n")[0]}`;
  }
  return undefined;
}

let meshCount = 0;

/**
 * Each node in a network namespace of its own; an edge is a pair of virtual network cards between two of them, and nothing else
 * connects them. They go with the test.
 */
export async function namespaces(t: Owner, nodeCount: number, edges: readonly Edge[]): Promise<Namespaces> {
  const mesh = meshCount++;
  const nameOf = (node: number) => `pinyon-${process.pid}-${mesh}-${node}`;
  const hostOf = (edge: number, end: 1 | 2) => `10.77.${edge}.${end}`;
  for (let node = 0; node < nodeCount; node++) {
    ip("netns", "add", nameOf(node));
    t.teardown(() => ip("netns", "del", nameOf(node)));
    ip("-n", nameOf(node), "link", "set", "lo", "up");
  }
  for (const [number, [from, to]] of edges.entries()) {
    const cards = [`pe${number}a`, `pe${number}b`] as const;
    ip("-n", nameOf(from), "link", "add", cards[0], "type", "veth", "peer", "name", cards[1], "netns", nameOf(to));
    for (const [end, node] of [from, to].entries()) {
      ip("-n", nameOf(node), "addr", "add", `${hostOf(number, end === 0 ? 1 : 2)}/30`, "dev", cards[end]!);
      ip("-n", nameOf(node), "link", "set", cards[end]!, "up");
    }
    // The system takes up to a second to call a card running, and until then no program is told of it.
    while (!ip("-n", nameOf(to), "link", "show", cards[1]).includes("state UP")) await pause();
    while (!ip("-n", nameOf(from), "link", "show", cards[0]).includes("state UP")) await pause();
  }
  const edgeNumber = ([from, to]: Edge) => edges.findIndex((edge) => edge[0] === from && edge[1] === to);
  return {
    prefix: (node) => ["ip", "netns", "exec", nameOf(node)],
    listen: () => ({ host: "0.0.0.0", port: 18_100 }),
    address: (edge) => ({ host: hostOf(edgeNumber(edge), 2), port: 18_100 }),
    slow: (edge, bitsPerS, queueMs) => {
      const limits = ["rate", `${bitsPerS}bit`, "burst", "16kb", "latency", `${queueMs}ms`];
      for (const [end, node] of edge.entries()) {
        const card = `pe${edgeNumber(edge)}${"ab"[end]}`;
        execFileSync("ip", [
          "netns",
          "exec",
          nameOf(node),
          "tc",
          "qdisc",
          "add",
          "dev",
          card,
          "root",
          "tbf",
          ...limits,
        ]);
      }
    },
  };
}

function ip(...args: string[]): string {
  return execFileSync("ip", args, { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
