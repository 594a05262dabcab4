import { connect, createServer, type Server, type Socket } from "node:net";

/** What one side of a connection did, to be done to the other side later. */
interface Item {
  readonly dueMs: number;
  readonly act: () => void;
}

/** One direction of one connection: what goes in comes out so much later, in its order; while it is cut nothing does. */
class Way {
  readonly #items: Item[] = [];
  #timer: NodeJS.Timeout | undefined;
  isCut = false;

  constructor(private readonly delayMs: number) {}

  push(act: () => void): void {
    this.#items.push({ dueMs: performance.now() + this.delayMs, act });
    if (this.#items.length === 1) this.flush();
  }

  /** Does what is due, and waits for the rest. */
  flush(): void {
    clearTimeout(this.#timer);
    if (this.isCut) return;
    for (let next = this.#items[0]; next !== undefined; next = this.#items[0]) {
      const waitMs = next.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.flush(), waitMs);
        return;
      }
      this.#items.shift();
      next.act();
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#items.length = 0;
  }
}

/** A connection through the proxy: both sockets, and a way each. */
class Crossing {
  readonly ways: readonly [Way, Way];

  constructor(
    readonly sockets: readonly [Socket, Socket],
    delayMs: number,
    count: (sizeBytes: number) => void,
    onEnd: () => void,
  ) {
    this.ways = [new Way(delayMs), new Way(delayMs)];
    for (const side of [0, 1] as const) {
      const [socket, other, way] = [sockets[side], sockets[1 - side]!, this.ways[side]];
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        count(chunk.length);
        way.push(() => void other.write(chunk));
      });
      socket.on("end", () => way.push(() => void other.end()));
      socket.on("close", () => {
        way.push(() => void other.destroy());
        if (sockets.every(({ destroyed }) => destroyed)) onEnd();
      });
    }
  }
}

/**
 * A link's network: a TCP proxy to a port of this host that delays each direction by the same time and keeps the order. It can be cut,
 * so that connections stay open and nothing passes, new ones included, and reset, so that both ends find out.
 */
export class DelayProxy {
  /** Bytes that either end sent. */
  passedBytes = 0;
  readonly #server: Server;
  readonly #crossings = new Set<Crossing>();
  #isCut = false;

  constructor(targetPort: number, delayMs: number) {
    const count = (sizeBytes: number) => {
      this.passedBytes += sizeBytes;
    };
    this.#server = createServer({ allowHalfOpen: true }, (client) => {
      const target = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true });
      const crossing = new Crossing([client, target], delayMs, count, () => this.#crossings.delete(crossing));
      for (const way of crossing.ways) way.isCut = this.#isCut;
      this.#crossings.add(crossing);
    });
  }

  /** Gives the port to dial. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as { port: number }).port;
  }

  /** Nothing passes any more, and nobody is told. */
  cut(): void {
    this.#setCut(true);
  }

  /** What was held up passes, and what follows. */
  heal(): void {
    this.#setCut(false);
  }

  /** Connections break, and both ends find out. */
  reset(): void {
    for (const { sockets } of this.#crossings) for (const socket of sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const { sockets, ways } of this.#crossings) {
      for (const way of ways) way.end();
      for (const socket of sockets) socket.destroy();
    }
    await closed;
  }

  #setCut(isCut: boolean): void {
    this.#isCut = isCut;
    for (const { ways } of this.#crossings)
      for (const way of ways) {
        way.isCut = isCut;
        way.flush();
      }
  }
}
