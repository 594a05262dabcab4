import { DEPTH_NONE } from "../wire/data.js";
import { TREE_COUNT } from "../wire/limits.js";
import type { RoutingView } from "./peer.js";

const ALL_TREES = (1 << TREE_COUNT) - 1;

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
 * loop, whatever the tables say. On its way up it goes over to any tree not tried yet whose subtree table here has the key; where it
 * is stuck it begins anew in a tree not tried yet.
 *
 * A probe goes to a root in the last tree left to it alone: in the others it changes the tree one hop before. So a probe to which all
 * trees are open finds ways around roots that drop it. It never leaves by the port that it came in by, as no route may. DATA does in
 * one case: the first step in another tree, which may well lead back through the neighbour that sent it here.
 */
export function stepByKey(
  view: RoutingView,
  key: Uint8Array,
  course: KeyCourse,
  ingress: number,
  isData: boolean,
): number {
  const neighbour = view.peerByKey(key);
  if (neighbour !== undefined && neighbour.port !== ingress) return neighbour.port;
  if (course.depth !== DEPTH_NONE) {
    const port = isBelowInAnother(view, key, course) ? 0 : stepInTree(view, key, course, ingress, isData);
    if (port !== 0) return port;
    course.mask |= 1 << course.tree;
  }
  const barred = isData ? 0 : ingress;
  for (let tree = untriedTree(view, key, course); tree >= 0; tree = untriedTree(view, key, course)) {
    course.tree = tree;
    course.isDown = false;
    course.depth = DEPTH_NONE;
    const port = stepInTree(view, key, course, barred, isData);
    if (port !== 0) return port;
    course.mask |= 1 << tree;
  }
  return 0;
}

/** A frame on its way up need go no further: not its own tree, but one not tried yet has the key below this node. */
function isBelowInAnother(view: RoutingView, key: Uint8Array, { tree, mask, isDown }: KeyCourse): boolean {
  if (isDown || view.trees[tree]!.childPort(key) !== 0) return false;
  return view.trees.some((other, t) => t !== tree && (mask & (1 << t)) === 0 && other.childPort(key) !== 0);
}

/** The first tree not in the mask, from the course's own on, that knows the key below this node, else the first; −1 where all are tried. */
function untriedTree(view: RoutingView, key: Uint8Array, course: KeyCourse): number {
  let first = -1;
  for (let i = 0; i < TREE_COUNT; i++) {
    const tree = (course.tree + i) % TREE_COUNT;
    if ((course.mask & (1 << tree)) !== 0) continue;
    if (view.trees[tree]!.childPort(key) !== 0) return tree;
    if (first < 0) first = tree;
  }
  return first;
}

/** The port down or up in the tree of `course`, or 0. A key below a child is never looked for above. */
function stepInTree(view: RoutingView, key: Uint8Array, course: KeyCourse, barred: number, isData: boolean): number {
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
  const highest = isData || (course.mask | (1 << course.tree)) === ALL_TREES ? 0 : 1;
  const parent = tree.parentPort;
  const isHigher = !course.isDown && depth > highest && depth - 1 < course.depth;
  if (!isHigher || parent === 0 || parent === barred || view.peer(parent) === undefined) return 0;
  course.depth = depth - 1;
  return parent;
}
