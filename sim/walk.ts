import { type KeyCourse, stepByKey } from "../src/router/key-step.js";
import { DEPTH_NONE } from "../src/wire/data.js";
import { HOP_LIMIT, TREE_COUNT } from "../src/wire/limits.js";
import type { Host } from "./host.js";
import type { Network } from "./network.js";
import type { Random } from "./random.js";

/** Hops from one host to another by KEY, pinned to one tree, at this instant: the routers' own steps, and nothing is sent. 0 where none. */
export function walkInTree(network: Network, from: Host, to: Host, tree: number): number {
  const course: KeyCourse = { tree, mask: ((1 << TREE_COUNT) - 1) & ~(1 << tree), isDown: false, depth: DEPTH_NONE };
  let at = from;
  let ingress = 0;
  for (let hops = 1; hops <= HOP_LIMIT; hops++) {
    const { view } = at.node!.router;
    const port = stepByKey(view, to.key, course, ingress, false);
    const behind = port === 0 ? undefined : network.behind(at, port);
    if (behind === undefined || !behind.link.isWhole(behind.side) || !behind.host.isReading) return 0;
    ingress = view.peer(port)!.theirPort;
    at = behind.host;
    if (at === to) return hops;
  }
  return 0;
}

/** The hosts that a source route leads to, one after another, and how long a frame is on its links; infinite where one is missing. */
export function walkRoute(network: Network, from: Host, ports: Iterable<number>): { hosts: Host[]; delayMs: number } {
  const hosts: Host[] = [];
  let delayMs = 0;
  for (const port of ports) {
    const behind = network.behind(hosts.at(-1) ?? from, port);
    if (behind === undefined) return { hosts, delayMs: Number.POSITIVE_INFINITY };
    delayMs += behind.link.delayMs;
    hosts.push(behind.host);
  }
  return { hosts, delayMs };
}

/** The share of pairs of a part that a walk joins now, by the best of the trees, of so many pairs. */
export function walkShare(network: Network, part: readonly Host[], random: Random, pairs: number): number {
  if (part.length < 2) return 1;
  let joined = 0;
  for (let i = 0; i < pairs; i++) {
    const from = random.pick(part);
    let to = random.pick(part);
    while (to === from) to = random.pick(part);
    for (let tree = 0; tree < TREE_COUNT; tree++)
      if (walkInTree(network, from, to, tree) > 0) {
        joined++;
        break;
      }
  }
  return joined / pairs;
}
