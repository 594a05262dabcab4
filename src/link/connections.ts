import type { Socket } from "node:net";
import type { ListenerLimits } from "./config.js";

/** An accepted connection: waiting until it is a link. */
export interface Connection {
  readonly socket: Socket;
  readonly address: string;
  /** What counts as one source with `address` (`addresses.ts`). */
  readonly source: string;
  /** Ends the deadline for TLS and upgrade. */
  readonly cancelDeadline: () => void;
}

interface Source {
  readonly waiting: Set<Connection>;
  links: number;
}

/** The accepted connections of a listener, by source and in order of age. */
export class Connections {
  readonly #limits: ListenerLimits;
  /** Oldest first, as in each source. */
  readonly #waiting = new Set<Connection>();
  readonly #sources = new Map<string, Source>();
  #links = 0;

  constructor(limits: ListenerLimits) {
    this.#limits = limits;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  get linkCount(): number {
    return this.#links;
  }

  /** False where there is no room for another link, in all or from this source. */
  hasRoom(source: string): boolean {
    const fromSource = this.#sources.get(source)?.links ?? 0;
    return this.#links < this.#limits.linksMax && fromSource < this.#limits.linksPerSourceMax;
  }

  /** Adds a waiting connection, and gives the older one that must go for it. */
  add(connection: Connection): Connection | undefined {
    const source = this.#sources.get(connection.source) ?? { waiting: new Set(), links: 0 };
    this.#sources.set(connection.source, source);
    source.waiting.add(connection);
    this.#waiting.add(connection);
    if (source.waiting.size > this.#limits.waitingPerSourceMax) return first(source.waiting);
    if (this.#waiting.size > this.#limits.waitingMax) return first(this.#waiting);
    return undefined;
  }

  /** A waiting connection has become a link. */
  promote(connection: Connection): void {
    const source = this.#sources.get(connection.source);
    if (source === undefined || !source.waiting.delete(connection)) return;
    this.#waiting.delete(connection);
    source.links += 1;
    this.#links += 1;
  }

  /** A connection has ended. */
  remove(connection: Connection): void {
    const source = this.#sources.get(connection.source);
    if (source === undefined) return;
    if (source.waiting.delete(connection)) {
      this.#waiting.delete(connection);
    } else {
      source.links -= 1;
      this.#links -= 1;
    }
    if (source.links === 0 && source.waiting.size === 0) this.#sources.delete(connection.source);
  }

  waiting(): Connection[] {
    return [...this.#waiting];
  }
}

function first<T>(set: Set<T>): T | undefined {
  for (const value of set) return value;
  return undefined;
}
