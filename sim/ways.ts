import type { Host } from "./host.js";
import type { Network } from "./network.js";
import { partsOf } from "./random-graphs.js";
import { Schedule } from "./schedule.js";

/** Two hosts that a link joins, and its one-way delay. */
export type Joined = readonly [a: number, b: number, delayMs: number];

/** The least that links allow, at one moment: parts, and the shortest ways. What routing achieves is measured against it. */
export class Ways {
  readonly #next: [to: number, delayMs: number][][];

  constructor(
    private readonly nodes: number,
    private readonly joined: readonly Joined[],
  ) {
    this.#next = Array.from({ length: nodes }, () => []);
    for (const [a, b, delayMs] of joined) {
      this.#next[a]!.push([b, delayMs]);
      this.#next[b]!.push([a, delayMs]);
    }
  }

  /** Ways between the hosts that read and that `counts`, over links that are up and pass both ways. */
  static now(network: Network, counts: (host: Host) => boolean = () => true): Ways {
    const isIn = (host: Host) => host.isReading && counts(host);
    const joined: Joined[] = [];
    for (const host of network.hosts) {
      if (!isIn(host)) continue;
      for (const port of host.ports.keys()) {
        const behind = network.behind(host, port);
        if (behind === undefined || host.index > behind.host.index || !isIn(behind.host)) continue;
        const { link } = behind;
        if (link.isWhole(0) && link.isWhole(1)) joined.push([host.index, behind.host.index, link.delayMs]);
      }
    }
    return new Ways(network.hosts.length, joined);
  }

  /** The nodes of each connected part; a node without links is one of its own. */
  parts(): number[][] {
    return partsOf(
      this.nodes,
      this.joined.map(([a, b]) => [a, b] as const),
    );
  }

  /** The least one-way delay from one node to another, infinite where there is no way. */
  delayMs(from: number, to: number): number {
    return this.#least(from, to, (delayMs) => delayMs);
  }

  /** The fewest hops. */
  hops(from: number, to: number): number {
    return this.#least(from, to, () => 1);
  }

  /** Dijkstra's search, as the flood that it is: what arrives first came the shortest way. */
  #least(from: number, to: number, costOf: (delayMs: number) => number): number {
    const flood = new Schedule();
    const isReached = new Uint8Array(this.nodes);
    const reach = (node: number) => {
      if (isReached[node] === 1) return;
      isReached[node] = 1;
      for (const [next, delayMs] of this.#next[node]!)
        if (isReached[next] === 0) flood.after(costOf(delayMs), () => reach(next));
    };
    reach(from);
    while (isReached[to] === 0) if (!flood.step(Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
    return flood.nowMs;
  }
}
