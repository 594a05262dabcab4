import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { LRUCache } from "lru-cache";
import type { FullPacket } from "multicast-dns";
import { Budget } from "../wire/budget.js";
import { isInSubnets } from "./addresses.js";
import { DISCOVERY_LIMITS, type DiscoveryLimits } from "./config.js";
import {
  type Announcement,
  asksForService,
  concernsService,
  readAnnouncements,
  type Service,
  serviceQuery,
  serviceRecords,
} from "./dns-sd.js";
import type { Timers } from "./link.js";
import { type MulticastPlace, MulticastSocket, multicastPlaces } from "./multicast.js";
import type { PeerUri } from "./peer-uri.js";
import { type DiscoveryStats, newDiscoveryStats } from "./stats.js";

/** Bytes of the hash of the network id that are announced: they tell networks apart and do not give the id away. */
const NETWORK_TAG_BYTES = 8;
/** An answer waits so long, or up to six times as long by chance, so that a whole LAN does not answer at once (RFC 6762, 6). */
const ANSWER_DELAY_MS = 20;

/** A node of the same network on the LAN. */
export interface LanPeer {
  readonly key: Uint8Array;
  /** The address that it was heard from first, then what it announced; link-local IPv6 with zone. */
  readonly addresses: readonly string[];
  readonly port: number;
}

export interface DiscoveryOptions {
  /** Own public key. */
  readonly key: Uint8Array;
  readonly networkId: string;
  /** SHA-512. */
  readonly hash: (message: Uint8Array) => Uint8Array;
  /** Port of the own listener. */
  readonly port: number;
  readonly timers: Timers;
  /** 0 ≤ x < 1, for the delay of answers. */
  readonly random: () => number;
  readonly onPeer: (peer: LanPeer) => void;
  readonly limits?: Partial<DiscoveryLimits>;
  /** The host's interfaces; the operator may leave some out. */
  readonly interfaces?: () => NodeJS.Dict<NetworkInterfaceInfo[]>;
}

interface OpenPlace {
  readonly socket: MulticastSocket;
  isReady: boolean;
  /** Why the last message did not go out. */
  error: string | undefined;
  answeredMs: number;
  cancelAnswer: (() => void) | undefined;
}

/**
 * Announces this node on the LAN and reports others of its network. It asks and tells when it starts and when an interface
 * comes, then at growing intervals, answers who asks, and says goodbye at `stop`. A host without multicast gets a status text.
 */
export class Discovery {
  readonly stats: DiscoveryStats = newDiscoveryStats();

  readonly #options: DiscoveryOptions;
  readonly #limits: DiscoveryLimits;
  readonly #networkTag: string;
  readonly #reports: Budget;
  /** When each neighbour was reported, and where it was then. */
  readonly #neighbours: LRUCache<string, { readonly reportedMs: number; readonly port: number }>;
  readonly #places = new Map<string, OpenPlace>();
  #queryDelayMs = 0;
  #cancelQuery: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  #lastError: string | undefined;
  #isRunning = false;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#limits = { ...DISCOVERY_LIMITS, ...options.limits };
    const networkHash = options.hash(new TextEncoder().encode(options.networkId));
    this.#networkTag = Buffer.from(networkHash).toString("hex", 0, NETWORK_TAG_BYTES);
    this.#reports = new Budget(this.#limits.reportsPerSecond, this.#limits.reportBurst, options.timers.nowMs());
    this.#neighbours = new LRUCache({
      max: this.#limits.neighboursMax,
      dispose: (_value, _key, reason) => {
        if (reason === "evict") this.stats.neighbourEvictions += 1;
      },
    });
  }

  start(): void {
    this.#isRunning = true;
    this.#look();
  }

  /** Says goodbye and closes the sockets. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#cancelQuery?.();
    this.#cancelLook?.();
    const places = [...this.#places.values()];
    this.#places.clear();
    await Promise.all(
      places.map(async ({ socket, isReady, cancelAnswer }) => {
        cancelAnswer?.();
        if (isReady) await socket.respond(serviceRecords(this.#service(socket.place), true));
        await socket.close();
      }),
    );
  }

  get neighbourCount(): number {
    return this.#neighbours.size;
  }

  /** For people: on which interfaces it works, or why on none. */
  status(): string {
    if (!this.#isRunning) return "off";
    const working = [...this.#places.values()].filter(({ isReady, error }) => isReady && error === undefined);
    const names = new Set(working.map(({ socket }) => socket.place.interfaceName));
    if (names.size > 0) return `on ${[...names].join(", ")}`;
    return `no multicast on this host: ${this.#lastError ?? "it has no interface for it"}`;
  }

  /** Opens sockets on interfaces that came, closes those on interfaces that went. */
  #look(): void {
    const found = new Map(this.#findPlaces().map((place) => [JSON.stringify(place), place]));
    for (const id of this.#places.keys()) {
      if (!found.has(id)) this.#drop(id);
    }
    for (const [id, place] of found) {
      if (this.#places.has(id)) continue;
      if (this.#places.size < this.#limits.socketsMax) this.#open(id, place);
      else this.stats.socketsRefused += 1;
    }
    this.#cancelLook = this.#options.timers.after(this.#limits.interfacesIntervalMs, () => this.#look());
  }

  #findPlaces(): MulticastPlace[] {
    const { interfaces = networkInterfaces } = this.#options;
    try {
      return multicastPlaces(interfaces());
    } catch (error) {
      this.#handleError(error);
      return [];
    }
  }

  #open(id: string, place: MulticastPlace): void {
    try {
      const socket = new MulticastSocket(place, {
        onReady: () => this.#handleReady(id),
        onQuery: (query) => this.#handleQuery(id, query),
        onResponse: (response, senderAddress) => this.#handleResponse(place, response, senderAddress),
        onGarbage: () => {
          this.stats.garbage += 1;
        },
        onForeign: () => {
          this.stats.foreignSenders += 1;
        },
        onSent: (error) => this.#handleSent(id, error),
        onError: (error) => {
          this.#handleError(error);
          this.#drop(id);
        },
      });
      this.#places.set(id, { socket, isReady: false, error: undefined, answeredMs: 0, cancelAnswer: undefined });
    } catch (error) {
      this.#handleError(error);
    }
  }

  #drop(id: string): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    this.#places.delete(id);
    place.cancelAnswer?.();
    void place.socket.close();
  }

  #handleSent(id: string, error: Error | undefined): void {
    if (error !== undefined) this.#handleError(error);
    const place = this.#places.get(id);
    if (place !== undefined) place.error = error?.message;
  }

  #handleError(error: unknown): void {
    this.stats.socketErrors += 1;
    this.#lastError = error instanceof Error ? error.message : String(error);
  }

  #handleReady(id: string): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    place.isReady = true;
    this.#askAndTell(place);
    this.#queryDelayMs = this.#limits.queryFirstMs;
    this.#scheduleRound();
  }

  #scheduleRound(): void {
    this.#cancelQuery?.();
    this.#cancelQuery = this.#options.timers.after(this.#queryDelayMs, () => {
      for (const place of this.#places.values()) {
        if (place.isReady) this.#askAndTell(place);
      }
      this.#queryDelayMs = Math.min(this.#limits.queryMaxMs, this.#queryDelayMs * 2);
      this.#scheduleRound();
    });
  }

  #askAndTell(place: OpenPlace): void {
    this.stats.queriesSent += 1;
    place.socket.query(serviceQuery(this.#options.key));
    this.#answer(place);
  }

  #answer(place: OpenPlace): void {
    place.cancelAnswer?.();
    place.cancelAnswer = undefined;
    place.answeredMs = this.#options.timers.nowMs();
    this.stats.answersSent += 1;
    void place.socket.respond(serviceRecords(this.#service(place.socket.place), false));
  }

  #service(place: MulticastPlace): Service {
    const { key, port } = this.#options;
    return { key, port, networkTag: this.#networkTag, addresses: place.addresses };
  }

  #handleQuery(id: string, query: FullPacket): void {
    const { key, timers, random } = this.#options;
    const place = this.#places.get(id);
    if (place === undefined || place.cancelAnswer !== undefined || !asksForService(query, key)) return;
    const waitMs = place.answeredMs + this.#limits.answerIntervalMs - timers.nowMs();
    const delayMs = Math.max(waitMs, ANSWER_DELAY_MS * (1 + 5 * random()));
    place.cancelAnswer = timers.after(delayMs, () => this.#answer(place));
  }

  #handleResponse(place: MulticastPlace, response: FullPacket, senderAddress: string): void {
    if (!this.#isRunning || !concernsService(response)) return;
    const announcements = readAnnouncements(response);
    if (announcements.length === 0) this.stats.garbage += 1;
    for (const announcement of announcements) {
      if (Buffer.compare(announcement.key, this.#options.key) === 0) continue;
      if (announcement.networkTag === this.#networkTag) this.#handleNeighbour(place, announcement, senderAddress);
      else this.stats.otherNetworks += 1;
    }
  }

  #handleNeighbour(place: MulticastPlace, announcement: Announcement, senderAddress: string): void {
    const nowMs = this.#options.timers.nowMs();
    const id = Buffer.from(announcement.key).toString("hex");
    if (announcement.isGoodbye) {
      this.#neighbours.delete(id);
      return;
    }
    const known = this.#neighbours.get(id);
    const isNews = known === undefined || known.port !== announcement.port;
    if (!isNews && nowMs - known.reportedMs < this.#limits.reportIntervalMs) return;
    if (!this.#reports.take(nowMs)) {
      this.stats.reportsHeld += 1;
      return;
    }
    const { key, port } = announcement;
    this.#neighbours.set(id, { reportedMs: nowMs, port });
    this.stats.reports += 1;
    this.#options.onPeer({ key, port, addresses: this.#addressesOf(place, announcement, senderAddress) });
  }

  /** Only addresses on this link: a message must not make this node dial anything elsewhere. */
  #addressesOf(place: MulticastPlace, announcement: Announcement, senderAddress: string): string[] {
    const announced = announcement.addresses.filter((address) => isInSubnets(address, place.cidrs));
    return [...new Set([senderAddress, ...announced])].slice(0, this.#limits.addressesMax);
  }
}

/** How a neighbour on the LAN is dialled: by `wss` at an address that it was heard from, with its key pinned. */
export function lanUri(host: string, port: number, key: Uint8Array): PeerUri {
  return {
    scheme: "wss",
    host,
    port,
    path: "/",
    keys: [key],
    priority: 0,
    backoffMaxMs: undefined,
    password: undefined,
  };
}

/** True for the one of two neighbours that dials at once; the other waits `SECOND_DIAL_MS` for a link. */
export function dialsFirst(ownKey: Uint8Array, otherKey: Uint8Array): boolean {
  return Buffer.compare(ownKey, otherKey) < 0;
}
