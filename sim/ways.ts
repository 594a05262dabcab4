import { Host } from "./host.js";
import type { Network } from "./network.js";
import { partsOf } from "./random-graphs.js";
import { Schedule } from "./schedule.js";

/** Two hosts that a link joins, and its one-way delay. */
export type Joined = readonly [a: number, b: number, delayMs: number];

/** The least that links allow, at one moment: parts, and the shortest ways. What routing achieves is measured against it. */
export class Ways {
  /** From each node, made when the first way is asked for. */
  #next: [to: number, delayMs: number][][] | undefined;

  constructor(
    private readonly nodes: number,
    private readonly joined: readonly Joined[],
  ) {}

  /** Ways between the hosts that read and that `counts`, over links that are up and pass both ways. */
  static now(network: Network, counts: (host: Host) => boolean = () => true): Ways {
    const isIn = (host: Host) => host.isReading && counts(host);
    const joined: Joined[] = [];
    for (const link of network.links.values()) {
      if (!link.isWhole(0) || !link.isWhole(1)) continue;
      const [a, b] = link.ends.map(({ station }) => station);
      if (!(a instanceof Host) || !(b instanceof Host) || !isIn(a) || !isIn(b)) continue;
      const [less, more] = a.index < b.index ? [a, b] : [b, a];
      if (link.ends[less === a ? 0 : 1].isUp) joined.push([less.index, more.index, link.delayMs]);
    }
    return new Ways(network.hosts.length, joined);
  }

  /** The nodes of each connected part; a node without links is one of its own. */
  parts(): number[][] {
    return partsOf(this.nodes, this.joined);
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
    const nexts = this.#nexts();
    const reach = (node: number) => {
      if (isReached[node] === 1) return;
      isReached[node] = 1;
      for (const [next, delayMs] of nexts[node]!)
        if (isReached[next] === 0) flood.after(costOf(delayMs), () => reach(next));
    };
    reach(from);
    while (isReached[to] === 0) if (!flood.step(Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
    return flood.nowMs;
  }

  #nexts(): [to: number, delayMs: number][][] {
    if (this.#next !== undefined) return this.#next;
    const next: [to: number, delayMs: number][][] = Array.from({ length: this.nodes }, () => []);
    for (const [a, b, delayMs] of this.joined) {
      next[a]!.push([b, delayMs]);
      next[b]!.push([a, delayMs]);
    }
    this.#next = next;
    return next;
  }
}
