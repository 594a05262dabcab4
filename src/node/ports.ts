import { toHex } from "../wire/bytes.js";
import type { NodeConfig } from "./config.js";

/** A port number and the neighbour's key that it belongs to. */
export interface Port {
  readonly number: number;
  readonly key: string;
  /** The largest link epoch agreed with that key. */
  lastEpoch: number;
  /** A half of a link certificate names the number: it may stand in routes now, and must rest when freed. */
  certified: boolean;
  /** Hellos and links that use the number now. */
  holders: number;
  /** When the last holder let go. */
  freedMs: number;
}

/**
 * The node's port numbers. A number belongs to a neighbour's key, not to a socket: a reconnect keeps it, and once freed it rests before
 * another key gets it, so that an old source route ends in a fallback and never at a stranger.
 */
export class Ports {
  readonly #byKey = new Map<string, Port>();
  /** Without holders, the longest so first. */
  readonly #freed = new Map<string, Port>();
  /** Given back without ever having been certified. */
  readonly #unused: number[] = [];
  #highest = 0;

  constructor(private readonly config: Pick<NodeConfig, "portsMax" | "portRestMs" | "linksMax">) {}

  /** Numbers that belong to a key now, in use or resting. */
  get size(): number {
    return this.#byKey.size;
  }

  /** The key's port with one more holder; undefined where as many are held as there may be links, or every number is in use or rests. */
  claim(key: Uint8Array, nowMs: number): Port | undefined {
    const name = toHex(key);
    const own = this.#byKey.get(name);
    const held = this.#byKey.size - this.#freed.size;
    if (held >= this.config.linksMax && (own?.holders ?? 0) === 0) return undefined;
    if (own !== undefined) {
      this.#freed.delete(name);
      own.holders++;
      return own;
    }
    const number = this.#unused.pop() ?? this.#rested(nowMs) ?? this.#fresh();
    if (number === undefined) return undefined;
    const port: Port = { number, key: name, lastEpoch: 0, certified: false, holders: 1, freedMs: 0 };
    this.#byKey.set(name, port);
    return port;
  }

  /** One holder less. A number that nobody was told rests not. */
  release(port: Port, nowMs: number): void {
    if (--port.holders > 0) return;
    if (port.certified) {
      port.freedMs = nowMs;
      this.#freed.set(port.key, port);
    } else {
      this.#byKey.delete(port.key);
      this.#unused.push(port.number);
    }
  }

  #rested(nowMs: number): number | undefined {
    for (const port of this.#freed.values()) {
      if (nowMs - port.freedMs < this.config.portRestMs) return undefined;
      this.#freed.delete(port.key);
      this.#byKey.delete(port.key);
      return port.number;
    }
    return undefined;
  }

  #fresh(): number | undefined {
    return this.#highest < this.config.portsMax ? ++this.#highest : undefined;
  }
}
