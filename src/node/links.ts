import { compareBytes, toHex } from "../wire/bytes.js";
import type { Acquaintance, Hello } from "./hello.js";
import type { KeepAlive } from "./keep-alive.js";
import type { LinkWindow } from "./link-window.js";

/** A link whose hello is complete. */
export interface Established {
  readonly who: Acquaintance;
  readonly keepAlive: KeepAlive;
  readonly window: LinkWindow;
  readonly upMs: number;
}

/** One link, from its opening to its end. */
export interface NodeLink {
  /** The driver's number for it. */
  readonly number: number;
  /** True where this node opened it. */
  readonly dialled: boolean;
  readonly openedMs: number;
  readonly hello: Hello;
  /** Undefined until the hello is complete. */
  established: Established | undefined;
  /** Since when frames wait that the driver did not ask for, or the other end confirmed nothing before them; Infinity where none do. */
  waitingMs: number;
}

/** The node's links: by the driver's number, by port, by the neighbour's key. At most one established link a key. */
export class Links {
  readonly #byNumber = new Map<number, NodeLink>();
  /** In hello, the oldest first. */
  readonly #inHello = new Map<number, NodeLink>();
  #inHelloFromOutside = 0;
  readonly #byPort = new Map<number, NodeLink>();
  readonly #byKey = new Map<string, NodeLink>();

  /** Established links. */
  get size(): number {
    return this.#byKey.size;
  }

  /** Links whose hello is not complete. */
  get inHello(): number {
    return this.#inHello.size;
  }

  /** Those of them that others opened. */
  get inHelloFromOutside(): number {
    return this.#inHelloFromOutside;
  }

  get(number: number): NodeLink | undefined {
    return this.#byNumber.get(number);
  }

  byPort(port: number): NodeLink | undefined {
    return this.#byPort.get(port);
  }

  byKey(key: Uint8Array): NodeLink | undefined {
    return this.#byKey.get(toHex(key));
  }

  /** In the order in which their hellos were complete. */
  established(): Iterable<NodeLink> {
    return this.#byKey.values();
  }

  /** The link that has been in hello for longest; `fromOutside` leaves out those that this node opened. */
  oldestInHello(fromOutside: boolean): NodeLink | undefined {
    for (const link of this.#inHello.values()) if (!fromOutside || !link.dialled) return link;
    return undefined;
  }

  add(link: NodeLink): void {
    this.#byNumber.set(link.number, link);
    this.#inHello.set(link.number, link);
    if (!link.dialled) this.#inHelloFromOutside++;
  }

  /** The hello is complete. No other established link has this key. */
  establish(link: NodeLink, established: Established): void {
    this.#leaveHello(link);
    link.established = established;
    this.#byKey.set(toHex(established.who.key), link);
    this.#byPort.set(established.who.port.number, link);
  }

  remove(link: NodeLink): void {
    this.#byNumber.delete(link.number);
    this.#leaveHello(link);
    const who = link.established?.who;
    if (who === undefined) return;
    this.#byKey.delete(toHex(who.key));
    this.#byPort.delete(who.port.number);
  }

  #leaveHello(link: NodeLink): void {
    if (this.#inHello.delete(link.number) && !link.dialled) this.#inHelloFromOutside--;
  }
}

/** What both ends of a link know of it alike. */
export interface Claimant {
  readonly dialled: boolean;
  readonly linkEpoch: number;
}

/**
 * True where `a` is kept of two links between one pair of nodes: the one dialled by the node with the smaller key, and of two that one
 * node dialled the newer, which may replace one that is half dead. The listener gives each link a higher epoch than the one before, so
 * both ends see the same order and come to the same verdict.
 */
export function isKept(a: Claimant, b: Claimant, ourKey: Uint8Array, theirKey: Uint8Array): boolean {
  if (a.dialled !== b.dialled) return a.dialled === compareBytes(ourKey, theirKey) < 0;
  return a.linkEpoch > b.linkEpoch;
}
