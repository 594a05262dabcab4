import { DEPTH_NONE } from "../wire/data.js";
import { TREE_COUNT } from "../wire/limits.js";
import type { Place } from "../wire/locator.js";
import { NEAREST_NONE } from "../wire/probe.js";
import { stepByKey } from "./key-step.js";
import type { RoutingView } from "./peer.js";
import { distances, stepByTree } from "./tree-step.js";

/*
 * What this node would do with a probe of its own now, by the very steps that it would take. For people: nothing decides by it.
 */

/** A probe by key that keeps to one tree. */
export interface KeyChoice {
  readonly tree: number;
  /** The key is a neighbour, or below a child, or is looked for above; "stuck" where the tree leads nowhere from here. */
  readonly way: "neighbour" | "down" | "up" | "stuck";
  /** 0 where it is stuck. */
  readonly port: number;
}

/** A place's distance to the target: the least over the trees that can be compared, and in which it is. */
export interface Nearness {
  readonly tree: number;
  readonly distance: number;
}

/** A probe to a locator. */
export interface TreeChoice {
  /** This node's; undefined where no tree has the same root here and there. */
  readonly own: Nearness | undefined;
  /** Of the neighbours that can be compared, the nearest first. */
  readonly neighbours: readonly (Nearness & { readonly port: number })[];
  /** Where it would go; 0 where no neighbour is nearer, undefined where no tree can be compared and it would go by key. */
  readonly port: number | undefined;
}

/** Where a probe by key would go, in each tree. */
export function chooseByKey(view: RoutingView, key: Uint8Array): KeyChoice[] {
  return view.trees.map((treeView, tree) => {
    const mask = ((1 << TREE_COUNT) - 1) & ~(1 << tree);
    const port = stepByKey(view, key, { tree, mask, isDown: false, depth: DEPTH_NONE }, 0, false);
    if (port === 0) return { tree, way: "stuck", port };
    if (view.peerByKey(key)?.port === port) return { tree, way: "neighbour", port };
    return { tree, way: treeView.childPort(key) === port ? "down" : "up", port };
  });
}

/** Where a probe to a locator would go. */
export function chooseByTree(view: RoutingView, key: Uint8Array, place: Place): TreeChoice {
  const here = view.trees.map((tree) => tree.position);
  const neighbours: (Nearness & { port: number })[] = [];
  for (const peer of view.peers()) {
    const nearness = peer.leaf ? undefined : nearestOf(distances(peer.announced, place, here));
    if (nearness !== undefined) neighbours.push({ ...nearness, port: peer.port });
  }
  return {
    own: nearestOf(distances(here, place, place)),
    neighbours: neighbours.sort((a, b) => a.distance - b.distance),
    port: stepByTree(view, key, place, NEAREST_NONE, 0)?.port,
  };
}

function nearestOf(byTree: readonly number[]): Nearness | undefined {
  const distance = Math.min(...byTree);
  return distance === Number.POSITIVE_INFINITY ? undefined : { tree: byTree.indexOf(distance), distance };
}
