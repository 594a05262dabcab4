import type { Identity } from "../../src/crypto/crypto.js";
import { VerdictCache } from "../../src/crypto/verdicts.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { TREE_DEFAULTS, type TreeConfig } from "../../src/router/config.js";
import { Epochs } from "../../src/router/epochs.js";
import type { Peer } from "../../src/router/peer.js";
import { newRouterStats, type RouterStats } from "../../src/router/stats.js";
import { Trees } from "../../src/router/trees.js";
import { halfMessage } from "../../src/router/trust.js";
import { kindOf } from "../../src/wire/kinds.js";

const crypto = nativeCrypto();
const verdicts = new VerdictCache(crypto, { max: 200_000 });
const networkId = new TextEncoder().encode("test");

/** A control plane at work: trees only, over links with a delay, in virtual time. */
export class Member {
  trees!: Trees;
  readonly stats: RouterStats = newRouterStats();
  readonly violations: { port: number; code: number }[] = [];
  readonly epochs: Epochs;
  /** Port to the neighbour behind it. */
  readonly links = new Map<number, { to: Member; toPort: number; delayMs: number }>();
  dead = false;
  sentBytes = 0;

  constructor(
    readonly mesh: Mesh,
    readonly identity: Identity,
    readonly options: { leaf?: boolean; wallMs?: number; config?: Partial<TreeConfig>; rootKeys?: ReadonlySet<string> },
  ) {
    this.epochs = new Epochs(options.wallMs ?? 1_700_000_000_000, 0);
    this.start();
  }

  get id(): string {
    return Buffer.from(this.identity.publicKey).toString("hex").slice(0, 8);
  }

  start(): void {
    this.trees = new Trees(
      {
        crypto,
        verdicts,
        identity: this.identity,
        networkId,
        leaf: this.options.leaf ?? false,
        ...(this.options.rootKeys === undefined ? {} : { rootKeys: this.options.rootKeys }),
        epochs: this.epochs,
        config: { ...TREE_DEFAULTS, ...this.options.config },
        stats: this.stats,
        send: (port, frame) => this.mesh.send(this, port, frame),
        violation: (port, code) => this.violations.push({ port, code }),
      },
      this.mesh.nowMs,
    );
  }

  portTo(other: Member): number {
    for (const [port, link] of this.links) if (link.to === other) return port;
    return 0;
  }
}

type Event = { atMs: number; order: number; run: () => void };

export class Mesh {
  nowMs = 0;
  readonly members: Member[] = [];
  #events: Event[] = [];
  #order = 0;
  #linkEpoch = 1_700_000_000_000;
  frames = 0;

  add(options: Member["options"] = {}): Member {
    const seed = new Uint8Array(32);
    new DataView(seed.buffer).setUint32(0, this.members.length + 1);
    const member = new Member(this, crypto.identityFromSeed(seed), options);
    this.members.push(member);
    return member;
  }

  /** Links two members; the ports are the next free numbers, or those of an earlier link between them. */
  link(a: Member, b: Member, delayMs = 10, ports?: [number, number]): void {
    const epoch = ++this.#linkEpoch;
    const [portA, portB] = ports ?? [a.links.size + 1, b.links.size + 1];
    const keyA = a.identity.publicKey;
    const keyB = b.identity.publicKey;
    const halfA = crypto.sign(halfMessage(networkId, keyA, keyB, portA, epoch), a.identity);
    const halfB = crypto.sign(halfMessage(networkId, keyB, keyA, portB, epoch), b.identity);
    a.links.set(portA, { to: b, toPort: portB, delayMs });
    b.links.set(portB, { to: a, toPort: portA, delayMs });
    const rttMs = 2 * delayMs;
    const make = (port: number, to: Member, theirPort: number, ourHalf: Uint8Array, theirHalf: Uint8Array): Peer => ({
      port,
      key: to.identity.publicKey,
      leaf: to.options.leaf ?? false,
      linkEpoch: epoch,
      theirPort,
      theirHalf,
      ourHalf,
      rttMs,
      announced: [undefined, undefined, undefined],
    });
    a.trees.handleLinkUp(make(portA, b, portB, halfA, halfB), this.nowMs);
    b.trees.handleLinkUp(make(portB, a, portA, halfB, halfA), this.nowMs);
    this.#wake(a);
    this.#wake(b);
  }

  cut(a: Member, b: Member): void {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const port = from.portTo(to);
      from.links.delete(port);
      from.trees.handleLinkDown(port, this.nowMs);
      this.#wake(from);
    }
  }

  /** The member is gone, and its neighbours notice at once. */
  kill(member: Member): void {
    for (const { to } of [...member.links.values()]) this.cut(member, to);
    member.dead = true;
  }

  send(from: Member, port: number, frame: Uint8Array): void {
    const link = from.links.get(port);
    if (link === undefined) return;
    from.sentBytes += frame.length;
    this.frames++;
    this.at(link.delayMs, () => {
      if (from.links.get(port) !== link || link.to.dead) return;
      link.to.trees.handleControl(frame.slice(), kindOf(frame), link.toPort, this.nowMs);
      this.#wake(link.to);
    });
  }

  at(delayMs: number, run: () => void): void {
    const event = { atMs: this.nowMs + delayMs, order: this.#order++, run };
    let i = this.#events.length;
    this.#events.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (before(this.#events[parent]!, event)) break;
      this.#events[i] = this.#events[parent]!;
      i = parent;
    }
    this.#events[i] = event;
  }

  #wakeAt = new Map<Member, number>();

  #wake(member: Member): void {
    if (member.dead) return;
    while (member.trees.pollTimeout() <= this.nowMs) member.trees.handleTimeout(this.nowMs);
    const atMs = member.trees.pollTimeout();
    if (!Number.isFinite(atMs) || (this.#wakeAt.get(member) ?? Number.POSITIVE_INFINITY) <= atMs) return;
    this.#wakeAt.set(member, atMs);
    this.at(atMs - this.nowMs, () => {
      if (this.#wakeAt.get(member) === this.nowMs) this.#wakeAt.delete(member);
      this.#wake(member);
    });
  }

  run(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    while (this.#events.length > 0 && this.#events[0]!.atMs <= endMs) {
      const event = this.#pop();
      this.nowMs = event.atMs;
      event.run();
    }
    this.nowMs = endMs;
  }

  #pop(): Event {
    const events = this.#events;
    const first = events[0]!;
    const last = events.pop()!;
    if (events.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= events.length) break;
      if (child + 1 < events.length && before(events[child + 1]!, events[child]!)) child++;
      if (before(last, events[child]!)) break;
      events[i] = events[child]!;
      i = child;
    }
    events[i] = last;
    return first;
  }
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** A connected random graph: a random tree and `extra` more links. Seeded. */
export function randomMesh(count: number, extra: number, seed: number, options: Member["options"] = {}): Mesh {
  const mesh = new Mesh();
  let state = seed >>> 0 || 1;
  const random = (below: number): number => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
  for (let i = 0; i < count; i++) mesh.add(options);
  for (let i = 1; i < count; i++) mesh.link(mesh.members[i]!, mesh.members[random(i)]!, 5 + random(45));
  for (let i = 0; i < extra; ) {
    const a = mesh.members[random(count)]!;
    const b = mesh.members[random(count)]!;
    if (a === b || a.portTo(b) !== 0) continue;
    mesh.link(a, b, 5 + random(45));
    i++;
  }
  return mesh;
}

/** Per tree the share of ordered pairs that a walk by KEY joins, at this instant. */
export function reach(mesh: Mesh, tree: number, pairsMax = 4_000): number {
  const alive = mesh.members.filter((member) => !member.dead);
  let joined = 0;
  let tried = 0;
  const step = Math.max(1, Math.floor((alive.length * alive.length) / pairsMax));
  for (let pair = 0; pair < alive.length * alive.length; pair += step) {
    const from = alive[Math.floor(pair / alive.length)]!;
    const to = alive[pair % alive.length]!;
    if (from === to) continue;
    tried++;
    if (walk(from, to, tree)) joined++;
  }
  return joined / tried;
}

function walk(from: Member, to: Member, t: number): boolean {
  let at = from;
  let depth = 255;
  let down = false;
  for (let hops = 0; hops < 255; hops++) {
    if (at === to) return true;
    const { trees } = at;
    const key = to.identity.publicKey;
    let port = trees.peerByKey(key)?.port ?? trees.trees[t]!.childPort(key);
    const peerDepth = (p: number) => trees.peer(p)?.announced[t]?.coordinates.length ?? 255;
    if (port !== 0) {
      if (trees.peerByKey(key) === undefined && down && peerDepth(port) <= depth) return false;
      down = true;
    } else {
      port = trees.trees[t]!.parentPort;
      if (port === 0 || down || peerDepth(port) >= depth) return false;
    }
    depth = peerDepth(port);
    const link = at.links.get(port);
    if (link === undefined) return false;
    at = link.to;
  }
  return false;
}
