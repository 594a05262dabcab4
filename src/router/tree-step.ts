import { equalBytes } from "../wire/bytes.js";
import { TREE_COUNT } from "../wire/limits.js";
import { type Place, type Position, treeDistance } from "../wire/locator.js";
import { NEAREST_NONE } from "../wire/probe.js";
import type { RoutingView } from "./peer.js";

/** Where a TREE probe goes. */
export interface TreeStep {
  /** 0 where no neighbour is nearer to the target than any node before. */
  readonly port: number;
  /** The neighbour's distance to the target. */
  readonly nearest: number;
}

/**
 * The neighbour that is nearest to `place`, over all trees whose root is the same there, here and at the neighbour, if it is nearer
 * than `nearest` (at the sender: than this node). Undefined where no tree is left to compare in. The target itself, where it is a
 * neighbour, comes before all.
 */
export function stepByTree(
  view: RoutingView,
  target: Uint8Array,
  place: Place,
  nearest: number,
  ingress: number,
): TreeStep | undefined {
  const neighbour = view.peerByKey(target);
  if (neighbour !== undefined && neighbour.port !== ingress) return { port: neighbour.port, nearest: 0 };
  const here = view.trees.map((tree) => tree.position);
  let least = nearest === NEAREST_NONE ? placeDistance(here, place, place) : nearest;
  let port = 0;
  let isComparable = false;
  for (const peer of view.peers()) {
    if (peer.leaf) continue;
    const distance = placeDistance(peer.announced, place, here);
    if (distance === Number.POSITIVE_INFINITY) continue;
    isComparable = true;
    if (peer.port === ingress || distance >= least) continue;
    least = distance;
    port = peer.port;
  }
  return isComparable ? { port, nearest: least } : undefined;
}

/** The smallest distance from `from` to `to` over the trees in which both and `also` have the same root; infinite where none is. */
function placeDistance(from: Place, to: Place, also: Place): number {
  let least = Number.POSITIVE_INFINITY;
  for (let tree = 0; tree < TREE_COUNT; tree++) {
    const a = from[tree];
    const b = to[tree];
    if (a === undefined || b === undefined || !hasRoot(a, b) || !hasRoot(also[tree], b)) continue;
    least = Math.min(least, treeDistance(a.coordinates, b.coordinates));
  }
  return least;
}

/** The distance from `from` to `to` in each tree, for people; infinite where `placeDistance` leaves the tree out. */
export function distances(from: Place, to: Place, also: Place): number[] {
  return Array.from({ length: TREE_COUNT }, (_, tree) => {
    const only = (place: Place) => place.map((position, t) => (t === tree ? position : undefined));
    return placeDistance(only(from), to, also);
  });
}

function hasRoot(position: Position | undefined, other: Position): boolean {
  return position !== undefined && equalBytes(position.rootId, other.rootId);
}
