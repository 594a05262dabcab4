import { equalBytes, readUint16, readUint48, writeUint16, writeUint48 } from "./bytes.js";
import { ID_BYTES, LOCATOR_BYTES_MAX, TREE_COUNT, TREE_DEPTH_MAX } from "./limits.js";

/*
 * A locator: where a node is, in every tree.
 *
 *   0   6  epoch; of two locators of one node the higher holds
 *   per tree, 0 to 2:
 *       8  id of the root; all zero where the node has no coordinates in that tree
 *       1  n, the ports from the root down to the node
 *      2n  ports
 *
 * The part after the epoch is the place; a TREE probe carries it alone.
 */
const EPOCH_BYTES = 6;

/** A node's position in one tree: the root's id, and the ports from the root down to the node. */
export interface Position {
  readonly rootId: Uint8Array;
  /** A plain array: a node holds dozens, of a few ports each, and a typed one takes 200 bytes more. */
  readonly coordinates: readonly number[];
}

/** A place: a position in each tree, undefined where the node has none. */
export type Place = readonly (Position | undefined)[];

export function encodeLocator(epoch: number, place: Place): Uint8Array {
  const bytes = new Uint8Array(LOCATOR_BYTES_MAX);
  writeUint48(bytes, 0, epoch);
  let at = EPOCH_BYTES;
  for (let tree = 0; tree < TREE_COUNT; tree++) {
    const position = place[tree];
    if (position !== undefined) {
      bytes.set(position.rootId, at);
      bytes[at + ID_BYTES] = position.coordinates.length;
      for (let i = 0; i < position.coordinates.length; i++)
        writeUint16(bytes, at + ID_BYTES + 1 + 2 * i, position.coordinates[i]!);
    }
    at += ID_BYTES + 1 + 2 * (position?.coordinates.length ?? 0);
  }
  return bytes.slice(0, at);
}

export const locatorEpoch = (locator: Uint8Array): number => readUint48(locator, 0);
export const locatorPlace = (locator: Uint8Array): Uint8Array => locator.subarray(EPOCH_BYTES);

const NO_ROOT = new Uint8Array(ID_BYTES);

/** The positions that a place's bytes spell, or undefined where they do not have the layout. */
export function decodePlace(bytes: Uint8Array): Place | undefined {
  const place: (Position | undefined)[] = [];
  let at = 0;
  for (let tree = 0; tree < TREE_COUNT; tree++) {
    const ports = bytes[at + ID_BYTES];
    if (ports === undefined || ports > TREE_DEPTH_MAX) return undefined;
    const rootId = bytes.slice(at, at + ID_BYTES);
    at += ID_BYTES + 1;
    if (at + 2 * ports > bytes.length) return undefined;
    const coordinates: number[] = [];
    for (let i = 0; i < ports; i++) coordinates.push(readUint16(bytes, at + 2 * i));
    at += 2 * ports;
    const none = equalBytes(rootId, NO_ROOT);
    if (none && ports > 0) return undefined;
    place.push(none ? undefined : { rootId, coordinates });
  }
  return at === bytes.length ? place : undefined;
}

/** Hops between two positions by way of their tree: both depths less twice the common prefix. */
export function treeDistance(a: readonly number[], b: readonly number[]): number {
  const shared = Math.min(a.length, b.length);
  let prefix = 0;
  while (prefix < shared && a[prefix] === b[prefix]) prefix++;
  return a.length + b.length - 2 * prefix;
}
