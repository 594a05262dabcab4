import type { Router } from "../../src/router/router.js";
import type { Lab } from "./lab.js";

/** Bytes that routers hold. */
export interface RouterState {
  readonly meanBytes: number;
  /** Of the router that holds most, as far as tables and links tell which that is. */
  readonly busiestBytes: number;
}

/** Routers out of a network, and what they share with it or with one another, which is not theirs. */
interface Extract {
  readonly routers: (Router | undefined)[];
  readonly shared: unknown;
}

/** Routers with most keys in their tables that are weighed, and routers with most links. */
const WEIGHED_BY_KEYS = 4;
const WEIGHED_BY_LINKS = 2;
/** Collections after which what is not called any more, code above all, is gone: it is none of the routers'. */
const SETTLING = 10;

/**
 * What the routers of a network hold: the memory that comes free when nothing holds them any more, objects and array buffers. Counted
 * is all that a router keeps for itself: places, neighbours and what they announced, subtree tables, queues, budgets, counters,
 * routes, locators and balls. Not counted: links, hellos, sessions and everything else of the simulator and of the nodes, which go
 * first; keys, options and the cache of verdicts, which stay.
 *
 * `makeLab` gives the network, which is of no use afterwards; `heapBytes` collects garbage and gives the bytes in use.
 */
export function weighRouters(makeLab: () => Lab, heapBytes: () => number): RouterState {
  const { routers, shared } = extract(makeLab);
  for (let i = 0; i < SETTLING; i++) heapBytes();
  const startBytes = heapBytes();
  const count = routers.length;
  let heldBytes = startBytes;
  let busiestBytes = 0;
  for (const index of busiest(routers)) {
    routers[index] = undefined;
    const leftBytes = heapBytes();
    busiestBytes = Math.max(busiestBytes, heldBytes - leftBytes);
    heldBytes = leftBytes;
  }
  routers.length = 0;
  const endBytes = heapBytes();
  keep(shared);
  return { meanBytes: (startBytes - endBytes) / count, busiestBytes };
}

/** The network itself is not kept, not even on the caller's stack. */
function extract(makeLab: () => Lab): Extract {
  const { network } = makeLab();
  const routers = network.hosts.map(({ node }) => node?.router);
  const shared = [network.verdicts, network.hosts.map(({ options }) => options)];
  return { routers, shared };
}

function busiest(routers: readonly (Router | undefined)[]): Set<number> {
  const top = (weight: (router: Router) => number, count: number) =>
    routers
      .map((router, index) => ({ index, weight: router === undefined ? 0 : weight(router) }))
      .sort((a, b) => b.weight - a.weight)
      .slice(0, count)
      .map(({ index }) => index);
  const keys = (router: Router) => router.tableSizes().reduce((sum, size) => sum + size, 0);
  const links = (router: Router) => [...router.view.peers()].length;
  return new Set([...top(keys, WEIGHED_BY_KEYS), ...top(links, WEIGHED_BY_LINKS)]);
}

/** Read once more, so that it is not collected before. */
function keep(shared: unknown): void {
  if (shared === undefined) throw new Error("nothing was kept");
}
