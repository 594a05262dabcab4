import { SECOND_DIAL_MS } from "../link/config.js";
import { Dialer, type DialledLink } from "../link/dialer.js";
import { dialsFirst, type LanPeer, lanUri } from "../link/discovery.js";
import type { Link, Timers } from "../link/link.js";
import { formatPeerUri, type PeerUri, parsePeerUri, peerEndpoint } from "../link/peer-uri.js";
import { type DialerStats, type LinkStats, newDialerStats, newLinkStats } from "../link/stats.js";
import { equalBytes } from "../wire/bytes.js";
import { CLOSE_TEXT, CloseCode } from "../wire/codes.js";
import { keyToName } from "../wire/name.js";
import type { PeerInfo } from "./control-protocol.js";
import { ErrorCode, PinyonError } from "./errors.js";
import { ADDED_PEERS_MAX, DISCOVERED_PEERS_MAX, RECONCILE_MS } from "./limits.js";
import { keyHex, parseTarget } from "./target.js";

export type PeerOrigin = PeerInfo["origin"];

export interface PeersOptions {
  /** This node's key. */
  readonly key: Uint8Array;
  readonly timers: Timers;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Takes each link that was dialled. */
  readonly onLink: (dialled: DialledLink) => void;
  /** True where the node has a link to the key, whoever dialled it. */
  readonly isLinked: (key: Uint8Array) => boolean;
  /** True where the node may link to the key. */
  readonly isAllowed: (key: Uint8Array) => boolean;
}

/** A peer URI that is to be dialled while there is no link to its node. */
interface Entry {
  readonly uri: PeerUri;
  readonly origin: PeerOrigin;
  readonly dialer: Dialer;
  /** Not dialled before. */
  readonly notBeforeMs: number;
  /** Of a discovered peer: its other addresses, tried in turn. */
  readonly otherHosts: readonly string[];
  /** The last link that it dialled. */
  link: Link | undefined;
  /** The key that this link proved, where none is pinned. */
  provedKey: Uint8Array | undefined;
}

/**
 * The peers that this node keeps a link to: those of the config, those added while it runs, those found on the LAN. Each has
 * a dialer, which rests while the node has a link to that peer by whatever way. Of several URIs of one node those with the
 * lower `priority` are tried first.
 */
export class Peers {
  readonly dialerStats: DialerStats = newDialerStats();
  readonly linkStats: LinkStats = newLinkStats();
  readonly #options: PeersOptions;
  /** By URI. */
  readonly #entries = new Map<string, Entry>();
  #cancelTimer: (() => void) | undefined;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#tick();
  }

  /** Adds a peer and dials it. Throws `PINYON_PEER` where it is there already or there are too many, `PINYON_SELF` at our own key. */
  add(uri: PeerUri, origin: "config" | "added"): PeerInfo {
    const id = formatPeerUri(uri);
    if (this.has(uri)) {
      throw new PinyonError(ErrorCode.PEER, `${peerEndpoint(uri)} is a peer already: \`pinyon peer ls\` shows it`);
    }
    // A config file may be the same on all nodes, and name this one too.
    if (origin === "added" && uri.keys.some((key) => equalBytes(key, this.#options.key))) {
      throw new PinyonError("PINYON_SELF", "the key is this node's own: add its URI at the other node");
    }
    if (origin === "added" && this.#count("added") >= ADDED_PEERS_MAX) {
      throw new PinyonError(ErrorCode.PEER, `there are ${ADDED_PEERS_MAX} added peers: remove one first`);
    }
    this.#drop(id);
    const entry = this.#open(uri, origin);
    this.reconcile();
    return this.#info(entry);
  }

  /** True where this very URI is to be dialled, whoever said so, but for one found on the LAN. */
  has(uri: PeerUri): boolean {
    const entry = this.#entries.get(formatPeerUri(uri));
    return entry !== undefined && entry.origin !== "discovered";
  }

  /**
   * Removes the added peers that a person means by a URI, however written, with or without its password, or a node's name or
   * key, and closes the links that were dialled to them. Throws `PINYON_PEER` where there is none.
   */
  remove(text: string): PeerInfo[] {
    const key = parseTarget(text);
    const asked = canonicalUri(text);
    const meant = [...this.#entries].filter(([id, { uri, provedKey }]) => {
      if (key !== undefined)
        return [...uri.keys, ...(provedKey ? [provedKey] : [])].some((other) => equalBytes(key, other));
      return asked === id || asked === peerEndpoint(uri) || asked === shownUri(uri);
    });
    const added = meant.filter(([, { origin }]) => origin === "added");
    if (added.length === 0) throw notRemovable(text, meant[0]?.[1].origin);
    const removed = added.map(([, entry]) => this.#info(entry));
    for (const [id, entry] of added) {
      this.#drop(id);
      entry.link?.close(CloseCode.SHUTDOWN, CLOSE_TEXT[CloseCode.SHUTDOWN]);
    }
    return removed;
  }

  /**
   * A neighbour was found on the LAN, or is back. Of two neighbours the one with the smaller key dials at once. Where there are
   * too many, one to which there is no link makes room.
   */
  handleLanPeer({ key, addresses, port }: LanPeer): void {
    const [host, ...otherHosts] = addresses;
    if (host === undefined || !this.#options.isAllowed(key) || this.#options.isLinked(key)) return;
    const known = this.#idsOf(key);
    if (known.some((id) => this.#entries.get(id)?.origin !== "discovered")) return;
    for (const id of known) this.#drop(id);
    const discovered = [...this.#entries].filter(([, { origin }]) => origin === "discovered");
    if (discovered.length >= DISCOVERED_PEERS_MAX) {
      const unlinked = discovered.find(([, entry]) => !this.#isLinked(entry));
      if (unlinked === undefined) return;
      this.#drop(unlinked[0]);
    }
    const first = dialsFirst(this.#options.key, key);
    const notBeforeMs = this.#options.timers.nowMs() + (first ? 0 : SECOND_DIAL_MS);
    this.#open(lanUri(host, port, key), "discovered", { otherHosts, notBeforeMs });
    this.reconcile();
  }

  /** A dialled link has proved its key. */
  handleLinkUp(link: Link, key: Uint8Array): void {
    for (const entry of this.#entries.values()) if (entry.link === link) entry.provedKey = key;
    this.reconcile();
  }

  list(): PeerInfo[] {
    return [...this.#entries.values()].map((entry) => this.#info(entry));
  }

  /** The added peers, as they are to be kept on disk. */
  added(): string[] {
    return [...this.#entries].filter(([, { origin }]) => origin === "added").map(([id]) => id);
  }

  /** Dials no more. Links that are up stay. */
  stop(): void {
    this.#cancelTimer?.();
    for (const id of this.#entries.keys()) this.#drop(id);
  }

  /** Lets each dialer work or rest. Called on each change, and now and then. */
  reconcile(): void {
    const nowMs = this.#options.timers.nowMs();
    for (const [id, entry] of this.#entries) {
      const { dialer, otherHosts } = entry;
      const { state, lastError } = dialer.status();
      if (state === "connected") continue;
      if (this.#isLinked(entry)) dialer.stop();
      else if (otherHosts.length > 0 && lastError !== undefined) this.#tryNextHost(id, entry);
      else if (state === "idle" && nowMs >= entry.notBeforeMs && this.#isFirstChoice(entry)) dialer.start();
    }
  }

  #tick(): void {
    this.reconcile();
    this.#cancelTimer = this.#options.timers.after(RECONCILE_MS, () => this.#tick());
  }

  #open(uri: PeerUri, origin: PeerOrigin, { otherHosts = [] as readonly string[], notBeforeMs = 0 } = {}): Entry {
    const { timers, random, onLink } = this.#options;
    const dialer = new Dialer({
      uri,
      timers,
      random,
      stats: this.dialerStats,
      linkStats: this.linkStats,
      onLink: (dialled) => {
        entry.link = dialled.link;
        onLink(dialled);
      },
    });
    const entry: Entry = { uri, origin, dialer, otherHosts, notBeforeMs, link: undefined, provedKey: undefined };
    this.#entries.set(formatPeerUri(uri), entry);
    return entry;
  }

  #drop(id: string): void {
    this.#entries.get(id)?.dialer.stop();
    this.#entries.delete(id);
  }

  /** Each address of a neighbour is tried; at the last one the dialer stays. */
  #tryNextHost(id: string, { uri, otherHosts: [host, ...otherHosts] }: Entry): void {
    const [key] = uri.keys;
    if (host === undefined || key === undefined) return;
    this.#drop(id);
    this.#open(lanUri(host, uri.port, key), "discovered", { otherHosts }).dialer.start();
  }

  #isLinked({ uri, provedKey }: Entry): boolean {
    if (uri.keys.length > 0) return uri.keys.some(this.#options.isLinked);
    return provedKey !== undefined && this.#options.isLinked(provedKey);
  }

  /** True where every better URI of the same node has been tried in vain. */
  #isFirstChoice({ uri }: Entry): boolean {
    return [...this.#entries.values()].every(
      ({ uri: other, dialer }) =>
        other.priority >= uri.priority || !shareKey(other, uri) || dialer.status().lastError !== undefined,
    );
  }

  #idsOf(key: Uint8Array): string[] {
    const entries = [...this.#entries].filter(([, { uri }]) => uri.keys.some((other) => equalBytes(other, key)));
    return entries.map(([id]) => id);
  }

  #count(origin: PeerOrigin): number {
    return [...this.#entries.values()].filter((entry) => entry.origin === origin).length;
  }

  #info(entry: Entry): PeerInfo {
    const { uri, origin, provedKey, dialer } = entry;
    const keys = uri.keys.length > 0 ? uri.keys : provedKey ? [provedKey] : [];
    return {
      uri: shownUri(uri),
      origin,
      names: keys.map((key) => keyToName(key)),
      linked: this.#isLinked(entry),
      lastError: dialer.status().lastError ?? null,
    };
  }
}

/** A URI as it may be shown: whole, but for its password. */
function shownUri(uri: PeerUri): string {
  return formatPeerUri({ ...uri, password: undefined });
}

/** A peer URI as we write it; any other text as it is. */
function canonicalUri(text: string): string {
  try {
    return formatPeerUri(parsePeerUri(text));
  } catch {
    return text;
  }
}

function shareKey(one: PeerUri, other: PeerUri): boolean {
  const keys = new Set(one.keys.map(keyHex));
  return other.keys.some((key) => keys.has(keyHex(key)));
}

function notRemovable(text: string, origin: PeerOrigin | undefined): PinyonError {
  const why = {
    config: "stands in the config file: remove it there and start the node again",
    discovered: "was found on the LAN: set `discovery.enabled: false` to link to none found there",
    added: "",
  };
  const reason = origin === undefined ? "is no peer: `pinyon peer ls` shows them" : why[origin];
  return new PinyonError(ErrorCode.PEER, `${text} ${reason}`);
}
