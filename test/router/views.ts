import { rankOf } from "../../src/router/rank.js";
import { compareBytes, equalBytes, toHex } from "../../src/wire/bytes.js";
import { TREE_COUNT } from "../../src/wire/limits.js";
import { crypto, isWhole, type Member, type Mesh } from "./mesh.js";

/** The parts of a mesh: leaves join none, they hang where a neighbour is. */
export function components(mesh: Mesh): Member[][] {
  const parts: Member[][] = [];
  const seen = new Set<Member>();
  for (const member of mesh.alive()) {
    if (seen.has(member) || member.options.leaf === true) continue;
    const part = [member];
    seen.add(member);
    for (const at of part)
      for (const to of at.neighbours()) {
        if (seen.has(to) || to.isDead || !to.isHonest || to.options.leaf === true) continue;
        seen.add(to);
        part.push(to);
      }
    parts.push(part);
  }
  return parts;
}

/** The eligible member with the highest rank. */
export function bestRoot(members: readonly Member[], tree: number): Member | undefined {
  const eligible = members.filter(({ key, options }) => options.rootKeys?.has(toHex(key)) ?? options.leaf !== true);
  const rank = (member: Member) => rankOf(crypto, tree, member.key);
  return eligible.reduce<Member | undefined>(
    (best, member) => (best === undefined || compareBytes(rank(member), rank(best)) > 0 ? member : best),
    undefined,
  );
}

/** Members that share their roots: a part of the mesh, and the leaves that hang on it. */
interface Realm {
  readonly root: Member | undefined;
  readonly members: Member[];
}

/** Who belongs together in a tree: a leaf hangs where it sees the best root. */
function realms(mesh: Mesh, tree: number): Realm[] {
  const parts = components(mesh).map((members) => ({ root: bestRoot(members, tree), members: [...members] }));
  for (const leaf of mesh.alive().filter(({ options }) => options.leaf === true)) {
    const near = parts.filter(
      ({ root, members }) =>
        root !== undefined && leaf.neighbours().some((to) => to.options.leaf !== true && members.includes(to)),
    );
    const best = bestRoot(
      near.map(({ root }) => root!),
      tree,
    );
    near.find(({ root }) => root === best)?.members.push(leaf);
  }
  return parts;
}

/** What is not as it must be once everything has settled, in words; empty where all is well. */
export function faults(mesh: Mesh): string[] {
  const found: string[] = [];
  for (let tree = 0; tree < TREE_COUNT; tree++)
    for (const { root, members } of realms(mesh, tree)) {
      for (const member of members) {
        const fault = root === undefined ? placeFault(member, tree) : faultOf(member, root, tree);
        if (fault !== undefined) found.push(`tree ${tree}, member ${mesh.members.indexOf(member)}: ${fault}`);
      }
      if (root === undefined) continue;
      const keys = root.trees.subtrees[tree]!.size;
      if (keys !== members.length - 1) found.push(`tree ${tree}: the root has ${keys} keys of ${members.length - 1}`);
    }
  return found;
}

function placeFault(member: Member, tree: number): string | undefined {
  return member.trees.trees[tree]!.position === undefined ? undefined : "has a place without a root";
}

/** The member's root, and its coordinates by the chain of its parents. */
function faultOf(member: Member, root: Member, t: number): string | undefined {
  const tree = member.trees.trees[t]!;
  if (tree.rootKey === undefined || !equalBytes(tree.rootKey, root.key)) return "has another root";
  if (tree.isOrphan) return "is an orphan";
  const ports: number[] = [];
  let at = member;
  for (let parent = at.parent(t); at !== root; at = parent, parent = at.parent(t)) {
    if (parent === undefined || ports.length > 200) return "its chain of parents does not end at the root";
    ports.unshift(parent.portTo(at));
    if (parent.trees.trees[t]!.childPort(member.key) !== parent.portTo(at)) return "is not in an ancestor's table";
  }
  const coordinates = [...tree.position!.coordinates];
  return ports.join() === coordinates.join() ? undefined : `is at ${coordinates}, its chain of parents at ${ports}`;
}

/**
 * True while a member's chain of parents runs in a circle below one root. Where the root differs along the chain a circle may stand
 * for as long as an ANNOUNCE is under way: who hears of the loss of a root takes a neighbour's word that is not true any more.
 */
export function isInCircle(member: Member, tree: number, ofOneRoot = true): boolean {
  const rootKey = member.trees.trees[tree]!.rootKey;
  let at = member.parent(tree);
  for (let hops = 0; at !== undefined && hops < 300; hops++) {
    const isSame = equalBytes(at.trees.trees[tree]!.rootKey ?? NOBODY, rootKey ?? NOBODY);
    if (ofOneRoot && !isSame) return false;
    if (at === member) return true;
    at = at.parent(tree);
  }
  return at !== undefined;
}

const NOBODY = new Uint8Array(0);

/** The members that the path of a member's parent leads through, if the member itself is among them. */
export function isBelowItself(member: Member, tree: number): boolean {
  const peer = member.trees.peer(member.trees.trees[tree]!.parentPort);
  return peer?.announced[tree]?.throughMe === true;
}

/** The share of ordered pairs that a walk by KEY joins in a tree, at this instant, of at most `pairsMax` pairs. */
export function reach(mesh: Mesh, tree: number, pairsMax = 4_000): number {
  const alive = mesh.alive();
  const pairs = alive.length * alive.length;
  const step = Math.max(1, Math.floor(pairs / pairsMax));
  let joined = 0;
  let tried = 0;
  for (let pair = 0; pair < pairs; pair += step) {
    const from = alive[Math.floor(pair / alive.length)]!;
    const to = alive[pair % alive.length]!;
    if (from === to) continue;
    tried++;
    if (walk(from, to, tree)) joined++;
  }
  return joined / tried;
}

/** Whether a frame in KEY mode, pinned to one tree, gets from one member to another: up to smaller depths, then down to greater ones. */
export function walk(from: Member, to: Member, t: number): boolean {
  let at = from;
  let depth = Number.POSITIVE_INFINITY;
  let isDown = false;
  while (at !== to) {
    const tree = at.trees.trees[t]!;
    const neighbour = at.portTo(to);
    const child = tree.childPort(to.key);
    const ownDepth = tree.position?.coordinates.length ?? Number.POSITIVE_INFINITY;
    let port = neighbour;
    if (neighbour === 0 && child !== 0) {
      if (isDown && ownDepth + 1 <= depth) return false;
      [port, isDown, depth] = [child, true, ownDepth + 1];
    } else if (neighbour === 0) {
      if (isDown || ownDepth - 1 >= depth) return false;
      [port, depth] = [tree.parentPort, ownDepth - 1];
    }
    const wire = at.wires.get(port);
    if (wire === undefined || !isWhole(wire)) return false;
    at = wire.to;
  }
  return true;
}
