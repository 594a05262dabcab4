import type { TreeConfig } from "../src/router/config.js";
import { turn } from "./adversaries/all.js";
import { churn } from "./churn.js";
import type { Flow } from "./flow.js";
import type { GraphSpec } from "./graph-spec.js";
import type { Host } from "./host.js";
import type { LinkModel } from "./link.js";
import type { Network } from "./network.js";
import type { Random } from "./random.js";
import { Wormhole } from "./wormhole.js";

/**
 * Which nodes: by number, so many drawn, the root of a tree, the node below a root that most keys live under, or the one in the middle of
 * the route that a flow goes by.
 */
export type Nodes =
  | readonly number[]
  | { readonly random: number }
  | { readonly rootOf: number }
  | { readonly busiestIn: number }
  | { readonly relayOf: number };
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
  /** Adversaries of that kind from now on. */
  | { readonly do: "turn"; readonly nodes: Nodes; readonly into: string }
  /** Two attackers join two honest nodes by a private line, which goes silent after a while. */
  | { readonly do: "wormhole"; readonly between: readonly [number, number]; readonly forS: number };

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** Where it is an attack: what it tries, and what is to stand against that. */
  readonly attack?: string;
  readonly graph: GraphSpec;
  readonly link?: Partial<LinkModel>;
  /** Nodes start within this time, evenly drawn; all at once by default. */
  readonly startOverS?: number;
  readonly forS: number;
  readonly contactsPerS: number;
  /** Sessions that send so many bytes each, between honest nodes drawn at random, from `flowsAtS` on. */
  readonly flows?: number;
  readonly flowBytes?: number;
  readonly flowsAtS?: number;
  /** Nodes whose keys were ground until each is the best of a tree: the first of tree 0, and so on. */
  readonly ground?: readonly number[];
  /** What differs from the nodes' own limits of the trees. */
  readonly trees?: Partial<TreeConfig>;
  readonly events: readonly (Happening & { readonly atS: number })[];
}

/** Lets everything of a scenario happen at its time. */
export function schedule(
  network: Network,
  events: Scenario["events"],
  random: Random,
  flows: readonly Flow[] = [],
): void {
  for (const event of events) network.schedule.at(event.atS * 1_000, () => happen(network, event, random, flows));
}

export function happen(network: Network, event: Happening, random: Random, flows: readonly Flow[] = []): void {
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
      for (const host of nodesOf(network, event.nodes, random, flows)) host.clockErrorMs = event.errorMs;
      return;
    case "turn":
      for (const host of nodesOf(network, event.nodes, random, flows)) turn(host, event.into, network, random.fork());
      return;
    case "wormhole": {
      const wormhole = new Wormhole(network, ...event.between);
      network.schedule.after(event.forS * 1_000, () => {
        wormhole.isSilent = true;
      });
      return;
    }
    default:
      for (const host of nodesOf(network, event.nodes, random, flows)) happenToNode(network, event.do, host);
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
export function nodesOf(network: Network, nodes: Nodes, random: Random, flows: readonly Flow[]): Host[] {
  if ("relayOf" in nodes) return relayOf(network, flows[nodes.relayOf]);
  if ("busiestIn" in nodes) {
    const sizeOf = ({ node }: Host) => node!.router.tableSizes()[nodes.busiestIn]!;
    const below = network.hosts.filter(
      ({ isReading, node }) => isReading && node!.router.trees[nodes.busiestIn]!.parentPort !== 0,
    );
    return below.sort((a, b) => sizeOf(b) - sizeOf(a)).slice(0, 1);
  }
  if ("rootOf" in nodes) {
    const asked = network.hosts.find(({ isReading }) => isReading);
    const root = network.hostOf(asked?.node?.router.trees[nodes.rootOf]?.rootKey ?? new Uint8Array(0));
    return root === undefined ? [] : [root];
  }
  if ("random" in nodes)
    return random.shuffled(network.hosts.filter(({ isReading }) => isReading)).slice(0, nodes.random);
  return nodes.map((index) => network.hosts[index]!).filter((host) => host !== undefined);
}

/** The relay in the middle of a flow's route, where it has one. */
function relayOf(network: Network, flow: Flow | undefined): Host[] {
  if (flow === undefined) return [];
  const ports = network.hosts[flow.from]!.node?.router.route(network.key(flow.to))?.ports ?? [];
  let at: Host | undefined = network.hosts[flow.from];
  for (let i = 0; i < Math.floor(ports.length / 2) && at !== undefined; i++) at = network.behind(at, ports[i]!)?.host;
  return at === undefined || at.index === flow.from ? [] : [at];
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
