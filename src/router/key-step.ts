import { DEPTH_NONE } from "../wire/data.js";
import { TREE_COUNT } from "../wire/limits.js";
import type { RoutingView } from "./peer.js";

/** How far a frame in KEY mode has come: the KEY fields of DATA and PROBE. `stepByKey` moves it on. */
export interface KeyCourse {
  /** The tree followed. */
  tree: number;
  /** Bit t: tree t led nowhere. */
  mask: number;
  isDown: boolean;
  /** Depth of the node that the frame was last sent to, as its sender knew it; `DEPTH_NONE` where it follows no tree yet. */
  depth: number;
}

/**
 * The port by which a frame in KEY mode goes on to `key`, which is not this node's; 0 where no tree leads on.
 *
 * In a tree a frame goes up to parents of ever smaller depth, then down to children of ever greater depth, and never up again: no
 * loop, whatever the tables say. Where it is stuck it begins anew in a tree not tried yet, rather in one whose subtree table has the
 * key. It never leaves by the port that it came in by, but for one case, where `mayReturn`: the first step in another tree, which
 * may well lead back through the neighbour that sent it here.
 */
export function stepByKey(
  view: RoutingView,
  key: Uint8Array,
  course: KeyCourse,
  ingress: number,
  mayReturn: boolean,
): number {
  const neighbour = view.peerByKey(key);
  if (neighbour !== undefined && neighbour.port !== ingress) return neighbour.port;
  if (course.depth !== DEPTH_NONE) {
    const port = stepInTree(view, key, course, ingress);
    if (port !== 0) return port;
    course.mask |= 1 << course.tree;
  }
  const barred = mayReturn ? 0 : ingress;
  for (let tree = untriedTree(view, key, course.mask); tree >= 0; tree = untriedTree(view, key, course.mask)) {
    course.tree = tree;
    course.isDown = false;
    course.depth = DEPTH_NONE;
    const port = stepInTree(view, key, course, barred);
    if (port !== 0) return port;
    course.mask |= 1 << tree;
  }
  return 0;
}

/** The first tree not in `mask` that knows the key below this node, else the first not in `mask`; −1 where all are. */
function untriedTree(view: RoutingView, key: Uint8Array, mask: number): number {
  let first = -1;
  for (let tree = 0; tree < TREE_COUNT; tree++) {
    if ((mask & (1 << tree)) !== 0) continue;
    if (view.trees[tree]!.childPort(key) !== 0) return tree;
    if (first < 0) first = tree;
  }
  return first;
}

/** The port down or up in the tree of `course`, or 0. A key below a child is never looked for above. */
function stepInTree(view: RoutingView, key: Uint8Array, course: KeyCourse, barred: number): number {
  const tree = view.trees[course.tree]!;
  if (tree.position === undefined) return 0;
  const depth = tree.position.coordinates.length;
  const child = tree.childPort(key);
  if (child !== 0) {
    const isDeeper = course.depth === DEPTH_NONE || depth + 1 > course.depth;
    if (!isDeeper || child === barred || view.peer(child) === undefined) return 0;
    course.isDown = true;
    course.depth = depth + 1;
    return child;
  }
  const parent = tree.parentPort;
  const isHigher = !course.isDown && depth > 0 && depth - 1 < course.depth;
  if (!isHigher || parent === 0 || parent === barred || view.peer(parent) === undefined) return 0;
  course.depth = depth - 1;
  return parent;
}
