import type { NodeEvent } from "../src/node/events.js";
import type { Session } from "../src/session/session.js";
import { equalBytes, toHex } from "../src/wire/bytes.js";
import type { Host } from "./host.js";
import type { Network } from "./network.js";
import { Random } from "./random.js";

/** A prime, so that content moved by any likely size is other content. */
const PERIOD_BYTES = 65_521;
const CHUNK_BYTES = 16_384;
/** Stands in what is sent every so many bytes, so that whoever sees it on the way sees plaintext. */
export const PLAINTEXT_MARK = Uint8Array.from("pinyon plaintext", (character) => character.charCodeAt(0));
const MARK_EVERY_BYTES = 64;
/** The stream that the initiator asks on. */
const STREAM = 0;

/** Bytes on their way from one node to another, and what has become of them. */
export class Flow {
  sentBytes = 0;
  receivedBytes = 0;
  /** All bytes arrived, and then the end of the stream. */
  isDone = false;
  /** The session ended before that, or never was. */
  isBroken = false;
  /** Why. */
  reason = "";
  /** The handshake was completed. */
  isEstablished = false;
  /** What arrived is not what was sent. */
  isCorrupt = false;
  /** The longest time between two arrivals. */
  pauseMs = 0;
  session: Session | undefined;
  #arrivalMs = Number.POSITIVE_INFINITY;
  readonly #content: Uint8Array;

  constructor(
    readonly from: number,
    readonly to: number,
    readonly sizeBytes: number,
    seed: number,
  ) {
    this.#content = new Random(seed).bytes(PERIOD_BYTES);
    for (let at = 0; at + MARK_EVERY_BYTES < PERIOD_BYTES; at += MARK_EVERY_BYTES)
      this.#content.set(PLAINTEXT_MARK, at);
  }

  /** The next bytes to be sent. */
  next(): Uint8Array {
    const at = this.sentBytes % PERIOD_BYTES;
    return this.#content.slice(at, Math.min(at + CHUNK_BYTES, at + this.sizeBytes - this.sentBytes));
  }

  receive(bytes: Uint8Array, nowMs: number): void {
    this.pauseMs = Math.max(this.pauseMs, nowMs - this.#arrivalMs);
    this.#arrivalMs = nowMs;
    for (let done = 0; done < bytes.length; ) {
      const at = (this.receivedBytes + done) % PERIOD_BYTES;
      const part = bytes.subarray(done, done + PERIOD_BYTES - at);
      if (!equalBytes(part, this.#content.subarray(at, at + part.length))) this.isCorrupt = true;
      done += part.length;
    }
    this.receivedBytes += bytes.length;
  }

  /** The receiver read the end of the stream. */
  finish(): void {
    if (this.receivedBytes === this.sizeBytes) this.isDone = true;
    else this.isCorrupt = true;
  }
}

/** Flows over sessions, written as fast as the sessions take them and checked byte by byte where they arrive. */
export class Traffic {
  readonly flows: Flow[] = [];
  /** The newest flow from one node to another. */
  readonly #byPair = new Map<string, Flow>();
  readonly #bySession = new Map<Session, Flow>();

  constructor(private readonly network: Network) {
    network.onEvent((host, event) => this.#handleEvent(host, event));
  }

  /** Sends so many bytes to a node that this one has no session with yet. */
  send(from: number, to: number, sizeBytes: number): Flow {
    const { network } = this;
    const flow = new Flow(from, to, sizeBytes, network.random.uint32());
    this.flows.push(flow);
    this.#byPair.set(`${toHex(network.key(from))}-${toHex(network.key(to))}`, flow);
    flow.session = network.hosts[from]!.act((node, nowMs) => node.connect(network.key(to), nowMs));
    if (flow.session === undefined) flow.isBroken = true;
    else this.#bySession.set(flow.session, flow);
    return flow;
  }

  /** Ends the flow's session, at its sender. */
  close({ from, session }: Flow): void {
    const { nowMs } = this.network;
    if (session === undefined) return;
    this.network.hosts[from]!.act((node) => {
      session.close(0, "", nowMs);
      node.handleSessionUse(nowMs);
    });
  }

  #handleEvent(host: Host, event: NodeEvent): void {
    switch (event.type) {
      case "established":
        if (event.initiator) {
          const flow = this.#bySession.get(event.session);
          if (flow !== undefined) flow.isEstablished = true;
          this.#write(host, event.session);
        } else this.#accept(host, event.session);
        break;
      case "writable":
        this.#write(host, event.session);
        break;
      case "readable":
        this.#read(host, event.session, event.stream);
        break;
      case "finished":
        this.#bySession.get(event.session)?.finish();
        break;
      case "closed":
      case "reset": {
        const flow = this.#bySession.get(event.session);
        if (flow === undefined || flow.isDone || flow.isBroken) break;
        flow.isBroken = true;
        flow.reason = event.type === "closed" ? `${event.code} ${event.reason}` : "reset";
        break;
      }
    }
  }

  #accept(host: Host, session: Session): void {
    const flow = this.#byPair.get(`${toHex(session.remoteKey)}-${toHex(host.key)}`);
    if (flow !== undefined) this.#bySession.set(session, flow);
  }

  #write(host: Host, session: Session): void {
    const flow = this.#bySession.get(session);
    if (flow?.from !== host.index || flow.sentBytes === flow.sizeBytes) return;
    const { nowMs } = this.network;
    for (let chunk = flow.next(); chunk.length > 0; chunk = flow.next()) {
      const taken = session.write(STREAM, chunk, nowMs);
      flow.sentBytes += taken;
      if (taken < chunk.length) break;
    }
    if (flow.sentBytes === flow.sizeBytes) session.finish(STREAM);
    host.used();
  }

  #read(host: Host, session: Session, stream: number): void {
    const flow = this.#bySession.get(session);
    if (flow === undefined) return;
    for (let bytes = session.read(stream); bytes !== undefined; bytes = session.read(stream)) {
      flow.receive(bytes, this.network.nowMs);
    }
    host.used();
  }
}
