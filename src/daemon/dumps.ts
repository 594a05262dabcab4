import type { Destination } from "../router/destination.js";
import { idOf } from "../router/entry.js";
import type { FoundBy, Route } from "../router/route.js";
import type { ParentVerdict, Tree } from "../router/tree.js";
import { fromHex } from "../wire/bytes.js";
import { base32Encode, keyToName } from "../wire/name.js";
import type { Daemon } from "./daemon.js";
import { SHOWN_KEYS_MAX, SHOWN_NODES_MAX, SHOWN_ROUTES_MAX } from "./limits.js";
import { roundMs } from "./status.js";

/*
 * What the router's tables hold at this moment: what the control socket shows of trees, subtree tables, routes and the ball. A node
 * that is known by the first eight bytes of its key alone is given by the beginning of its name.
 */

/** A neighbour as it stands in one tree. */
export interface NeighbourDump {
  readonly name: string;
  readonly port: number;
  /** What it announced; null where it has no place. */
  readonly root: string | null;
  readonly depth: number | null;
  /** Its hint of the delay from the root, and half the round trip to it. */
  readonly delayMs: number | null;
  readonly verdict: ParentVerdict;
}

export interface TreeDump {
  readonly tree: number;
  readonly state: "root" | "below a parent" | "without a parent" | "no place";
  readonly root: string | null;
  /** For how long this root has been the root here. */
  readonly rootForMs: number | null;
  /** The root's newest sign of life, and how long ago it came. */
  readonly seq: number;
  readonly seqAgoMs: number | null;
  readonly parent: string | null;
  readonly coordinates: readonly number[];
  /** Of this node's edge to its parent. */
  readonly epoch: number;
  readonly neighbours: readonly NeighbourDump[];
  /** The latest changes of the root, the newest last. */
  readonly changes: readonly { readonly agoMs: number; readonly root: string | null }[];
}

/** The subtree table of one tree. */
export interface TableDump {
  readonly tree: number;
  /** Keys known below this node. */
  readonly keys: number;
  readonly children: readonly {
    readonly name: string;
    readonly port: number;
    readonly keys: number;
    /** Beginnings of names; not all, where there are many. */
    readonly below: readonly string[];
  }[];
}

export interface RouteDump {
  readonly ports: readonly number[];
  /** Null where no probe measured it. */
  readonly rttMs: number | null;
  /** How long ago a probe was last answered; null where none was. */
  readonly confirmedAgoMs: number | null;
  readonly state: "confirmed" | "in doubt" | "not confirmed" | "broken";
  readonly foundBy: FoundBy;
}

export interface DestinationDump {
  readonly name: string;
  /** The route in use, then spares. */
  readonly routes: readonly RouteDump[];
  /** How long ago data was sent there; null where none was. */
  readonly usedAgoMs: number | null;
  /** Questions that are out: a search, checks of routes. */
  readonly asking: readonly string[];
}

export interface RoutesDump {
  /** Those needed last, the latest first. */
  readonly destinations: readonly DestinationDump[];
  /** Destinations in all. */
  readonly count: number;
}

/** A node of the map that this node holds. */
export interface BallNodeDump {
  /** The beginning of its name. */
  readonly name: string;
  readonly delayMs: number;
  readonly hops: number;
  /** Links that its record has; null where there is no record. */
  readonly links: number | null;
  /** The node itself told it, or another did; null where there is no record. */
  readonly toldBy: "itself" | "another" | null;
  readonly agoMs: number | null;
}

export interface BallDump {
  /** Records held, also of what lies around peers of sessions. */
  readonly records: number;
  /** Every path shorter than this lies within the map; null where the map has all that can be reached. */
  readonly reachMs: number | null;
  /** The nearest, this node left out. */
  readonly nodes: readonly BallNodeDump[];
}

export function dumpTrees(daemon: Daemon): TreeDump[] {
  const { overlay, roots } = daemon;
  const nowMs = daemon.clock.nowMs();
  return overlay.node.router.trees.map((tree) => {
    const { changes } = roots[tree.tree]!;
    const last = changes.at(-1);
    return {
      tree: tree.tree,
      state: stateOf(tree),
      root: tree.rootKey === undefined ? null : keyToName(tree.rootKey),
      rootForMs: tree.rootKey === undefined || last === undefined ? null : ago(last.atMs, nowMs),
      seq: tree.seq,
      seqAgoMs: ago(tree.seqMs, nowMs),
      parent: nameAt(daemon, tree.parentPort),
      coordinates: [...(tree.position?.coordinates ?? [])],
      epoch: tree.treeEpoch,
      neighbours: neighboursOf(daemon, tree),
      changes: changes.map(({ atMs, root }) => ({ agoMs: roundMs(nowMs - atMs), root: root ?? null })),
    };
  });
}

export function dumpTable(daemon: Daemon): TableDump[] {
  return daemon.overlay.node.router.subtrees.map((subtree, tree) => {
    let left = SHOWN_KEYS_MAX;
    const children = [...subtree.children()].map((port) => {
      const below = take(subtree.keysOf(port), left).map(nameOfId);
      left -= below.length;
      return { name: nameAt(daemon, port) ?? "", port, keys: subtree.sizeOf(port), below };
    });
    return { tree, keys: subtree.size, children };
  });
}

export function dumpRoutes(daemon: Daemon): RoutesDump {
  const { paths } = daemon.overlay.node.router;
  const nowMs = daemon.clock.nowMs();
  const shown = take(paths.destinations(), SHOWN_ROUTES_MAX).map((one) => dumpDestination(one, nowMs));
  return { destinations: shown, count: paths.destinationCount };
}

export function dumpBall(daemon: Daemon): BallDump {
  const { balls } = daemon.overlay.node.router.paths;
  const nowMs = daemon.clock.nowMs();
  const reachMs = balls.reachMs(undefined, nowMs);
  const nodes = balls.nearest(SHOWN_NODES_MAX + 1, nowMs).filter(({ hops }) => hops > 0);
  return {
    records: balls.map.size,
    reachMs: Number.isFinite(reachMs) ? roundMs(reachMs) : null,
    nodes: nodes.map(({ id, delayMs, hops }) => {
      const about = balls.map.about(id, nowMs);
      return {
        name: nameOfId(id),
        delayMs: roundMs(delayMs),
        hops,
        links: balls.map.get(id, nowMs)?.links.length ?? null,
        toldBy: about === undefined ? null : about.isFirstHand ? "itself" : "another",
        agoMs: about === undefined ? null : ago(about.atMs, nowMs),
      };
    }),
  };
}

export function dumpDestination(destination: Destination, nowMs: number): DestinationDump {
  const { key, routes, use } = destination;
  return {
    name: keyToName(key),
    routes: routes.map((route) => dumpRoute(route, nowMs)),
    usedAgoMs: ago(use.usedMs, nowMs),
    asking: (["find", "check", "spares", "offer", "relocate"] as const).filter(
      (kind) => destination[kind] !== undefined,
    ),
  };
}

function dumpRoute(route: Route, nowMs: number): RouteDump {
  const { ports, rttMs, isConfirmed, isDoubted, isBroken, measuredMs, foundBy } = route;
  const state = isBroken ? "broken" : !isConfirmed ? "not confirmed" : isDoubted ? "in doubt" : "confirmed";
  return {
    ports: [...ports],
    rttMs: rttMs === 0 ? null : roundMs(rttMs),
    confirmedAgoMs: ago(measuredMs, nowMs),
    state,
    foundBy,
  };
}

/** The name of the neighbour behind a port; null where there is none. */
export function nameAt({ overlay }: Daemon, port: number): string | null {
  const peer = overlay.node.router.view.peer(port);
  return peer === undefined ? null : keyToName(peer.key);
}

/** Ids have 8 bytes: what they say of a name is its first 12 characters. */
export function nameOfId(id: string): string {
  return base32Encode(fromHex(id)!).slice(0, 12);
}

/** The beginning of a key's name, as `nameOfId` has it. */
export function nameStart(key: Uint8Array): string {
  return nameOfId(idOf(key));
}

function stateOf(tree: Tree): TreeDump["state"] {
  if (tree.position === undefined) return "no place";
  if (tree.isOrphan) return "without a parent";
  return tree.parentPort === 0 ? "root" : "below a parent";
}

function neighboursOf({ overlay }: Daemon, tree: Tree): NeighbourDump[] {
  return [...overlay.node.router.view.peers()].map((peer) => {
    const announced = peer.announced[tree.tree];
    return {
      name: keyToName(peer.key),
      port: peer.port,
      root: announced === undefined ? null : keyToName(announced.rootKey),
      depth: announced?.coordinates.length ?? null,
      delayMs: announced === undefined ? null : roundMs(announced.delayMs + peer.rttMs / 2),
      verdict: tree.judge(peer),
    };
  });
}

/** How long ago something was; null where it never was. */
export function ago(atMs: number, nowMs: number): number | null {
  return Number.isFinite(atMs) ? roundMs(nowMs - atMs) : null;
}

function take<T>(items: Iterable<T>, countMax: number): T[] {
  const taken: T[] = [];
  for (const item of items) {
    if (taken.length >= countMax) break;
    taken.push(item);
  }
  return taken;
}
