import { ADVERSARIES } from "./adversaries.js";
import { churn } from "./churn.js";
import type { GraphSpec } from "./graph-spec.js";
import type { Host } from "./host.js";
import type { LinkModel } from "./link.js";
import type { Network } from "./network.js";
import type { Random } from "./random.js";

/** Which nodes: by number, so many drawn, or the root of a tree. */
export type Nodes = readonly number[] | { readonly random: number } | { readonly rootOf: number };
/** Which links: as pairs, so many drawn, or a share of all. */
export type Links = readonly (readonly [number, number])[] | { readonly random: number } | { readonly share: number };

/** What happens at some time. */
export type Happening =
  | { readonly do: "stop" | "resume" | "crash" | "power-off" | "start" | "start-without-disk"; readonly nodes: Nodes }
  | { readonly do: "cut" | "cut-one-way" | "half-open" | "reset" | "heal"; readonly links: Links }
  /** Every link between the lower and the upper half of the nodes' numbers. */
  | { readonly do: "cut-in-halves" }
  /** All links, or of those between the halves only one. */
  | { readonly do: "heal-all" | "heal-one" }
  /** The clocks of these machines are wrong from now on; nodes read them when they start. */
  | { readonly do: "clock"; readonly nodes: Nodes; readonly errorMs: number }
  | { readonly do: "churn"; readonly sharePerMinute: number; readonly forS: number }
  | { readonly do: "turn"; readonly nodes: Nodes; readonly into: string };

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly graph: GraphSpec;
  readonly link?: Partial<LinkModel>;
  /** Nodes start within this time, evenly drawn; all at once by default. */
  readonly startOverS?: number;
  readonly forS: number;
  readonly contactsPerS: number;
  readonly events: readonly (Happening & { readonly atS: number })[];
}

/** Lets everything of a scenario happen at its time. */
export function schedule(network: Network, events: Scenario["events"], random: Random): void {
  for (const event of events) network.schedule.at(event.atS * 1_000, () => happen(network, event, random));
}

export function happen(network: Network, event: Happening, random: Random): void {
  switch (event.do) {
    case "cut-in-halves":
      for (const [a, b] of betweenHalves(network)) network.cut(a, b);
      return;
    case "heal-one":
      network.heal(...random.pick(betweenHalves(network)));
      return;
    case "heal-all":
      for (const [a, b] of network.graph.edges) network.heal(a, b);
      return;
    case "churn":
      churn(network, random.fork(), event.sharePerMinute * network.hosts.length, event.forS * 1_000);
      return;
    case "cut":
    case "cut-one-way":
    case "half-open":
    case "reset":
    case "heal":
      for (const [a, b] of linksOf(network, event.links, random)) happenToLink(network, event.do, a, b);
      return;
    case "clock":
      for (const host of nodesOf(network, event.nodes, random)) host.clockErrorMs = event.errorMs;
      return;
    case "turn": {
      const turn = ADVERSARIES[event.into];
      if (turn === undefined) throw new RangeError(`no adversary is called ${event.into}`);
      for (const host of nodesOf(network, event.nodes, random)) turn(host, network, random.fork());
      return;
    }
    default:
      for (const host of nodesOf(network, event.nodes, random)) happenToNode(network, event.do, host);
  }
}

function happenToNode(network: Network, what: string, host: Host): void {
  const isUp = host.node !== undefined;
  if (what === "stop" && host.isReading) network.stop(host.index);
  else if (what === "resume" && isUp) network.resume(host.index);
  else if ((what === "crash" || what === "power-off") && isUp) network.crash(host.index, what === "power-off");
  else if (what.startsWith("start") && !isUp) network.restart(host.index, { withDisk: what === "start" });
}

function happenToLink(network: Network, what: string, a: number, b: number): void {
  if (what === "reset") network.reset(a, b);
  else if (what === "half-open") network.halfOpen(a, b);
  else if (what === "heal") network.heal(a, b);
  else network.cut(a, b, what === "cut");
}

/** The hosts meant, of those that read where they are drawn. */
export function nodesOf(network: Network, nodes: Nodes, random: Random): Host[] {
  if ("rootOf" in nodes) {
    const asked = network.hosts.find(({ isReading }) => isReading);
    const root = network.hostOf(asked?.node?.router.trees[nodes.rootOf]?.rootKey ?? new Uint8Array(0));
    return root === undefined ? [] : [root];
  }
  if ("random" in nodes)
    return random.shuffled(network.hosts.filter(({ isReading }) => isReading)).slice(0, nodes.random);
  return nodes.map((index) => network.hosts[index]!).filter((host) => host !== undefined);
}

function linksOf(network: Network, links: Links, random: Random): (readonly [number, number])[] {
  const { edges } = network.graph;
  if ("share" in links) return random.shuffled(edges).slice(0, Math.round(links.share * edges.length));
  if ("random" in links) return random.shuffled(edges).slice(0, links.random);
  return [...links];
}

function betweenHalves(network: Network): (readonly [number, number])[] {
  const half = network.hosts.length / 2;
  return network.graph.edges.filter(([a, b]) => a < half !== b < half);
}
