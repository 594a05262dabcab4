import { randomBytes } from "node:crypto";
import type { ClientHttp2Session, Http2Stream, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import { chooseCrypto } from "../../src/driver/choose-crypto.js";
import { guardBodies, http2ClientOver, http2ServerOver } from "../../src/driver/http2.js";
import type { FederationOverlay, RemoteNode } from "../../src/federation/overlay.js";
import { SESSION_DEFAULTS } from "../../src/session/config.js";
import { keyToName, nameToKey } from "../../src/wire/name.js";

const { crypto } = chooseCrypto(process.env);
const WIRE_BYTES = SESSION_DEFAULTS.receiveWindowBytes;

type Handler = (
  remote: RemoteNode,
  request: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
) => void;

/** The network that federation is tested on, without a mesh: any two nodes are a pair of streams apart, with HTTP/2 on them. */
export class TestNetwork {
  /** Requests that are not closed, seen from either side. */
  readonly open = new Set<Http2Stream>();
  readonly #nodes = new Map<string, TestNode>();

  /** A node with a key of its own, or that of `seed`. */
  join(suffix?: string, seed: Uint8Array = randomBytes(32)): TestNode {
    const key = crypto.identityFromSeed(seed).publicKey;
    const node = new TestNode(this, seed, keyToName(key, suffix));
    this.#nodes.set(hex(key), node);
    return node;
  }

  nodes(): Iterable<TestNode> {
    return this.#nodes.values();
  }

  track(request: Http2Stream): void {
    this.open.add(request);
    request.once("close", () => this.open.delete(request));
  }

  node(key: Uint8Array): TestNode | undefined {
    return this.#nodes.get(hex(key));
  }
}

/** A node of the test network: the overlay of one federation. */
export class TestNode implements FederationOverlay {
  readonly key: Uint8Array;
  /** Answers what other nodes ask. */
  handler: Handler = (_remote, request) => request.destroy();
  /** In place of HTTP/2: takes the wire on which another node asks. */
  wireHandler: ((wire: Duplex) => void) | undefined;
  /** The name that it states to other nodes. */
  stated: Promise<string>;
  /** False: nobody finds it. */
  isOnline = true;
  /** Says for how long nothing was heard of it, in ms. */
  silenceMs = () => 0;
  /** Times that it looked for another node. */
  searches = 0;
  readonly #sessions = new Map<TestNode, Session>();

  constructor(
    readonly network: TestNetwork,
    readonly seed: Uint8Array,
    readonly name: string,
  ) {
    this.key = nameToKey(name)!;
    this.stated = Promise.resolve(name);
  }

  async connect(key: Uint8Array): Promise<RemoteNode> {
    this.searches++;
    const other = this.network.node(key);
    if (other === undefined || !other.isOnline || !this.isOnline) {
      throw Object.assign(new Error("no way to the node was found"), { code: "PINYON_UNREACHABLE" });
    }
    let session = this.#sessions.get(other);
    if (session === undefined || session.client.destroyed) {
      session = open(this, other);
      this.#sessions.set(other, session);
    }
    return session.remote;
  }

  /** The wire of a new session with another node, on which this node asks as it likes. */
  wireTo(other: TestNode): Duplex {
    const [ours, theirs] = wirePair();
    serve(this, other, theirs);
    return ours;
  }

  /** Goes away: nobody finds it, and its sessions end, whoever began them. */
  leave(): void {
    this.isOnline = false;
    for (const other of this.network.nodes()) {
      other.#endSession(this);
      this.#endSession(other);
    }
  }

  /** Ends its session with another node. */
  giveUp(other: TestNode): void {
    this.#endSession(other);
  }

  #endSession(other: TestNode): void {
    const error = Object.assign(new Error("the session ended"), { code: "PINYON_SESSION_ENDED" });
    for (const wire of this.#sessions.get(other)?.wires ?? []) wire.destroy(error);
    this.#sessions.delete(other);
  }
}

/**
 * One end of a wire that takes in as much as a session's window does: HTTP/2 reads nothing while a write of its own waits, so with less,
 * as the platform's `duplexPair` has, bodies that pass both ways wait for each other. What is written arrives in a turn of its own, as from a
 * network: HTTP/2 that is given more to read while it reads ends the process.
 */
class Wire extends Duplex {
  other!: Wire;
  #handleRead: (() => void) | undefined;

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    setImmediate(() => {
      this.other.push(chunk);
      if (this.other.readableLength < WIRE_BYTES) done();
      else this.other.#handleRead = done;
    });
  }

  override _read(): void {
    this.#handleRead?.();
    this.#handleRead = undefined;
  }

  override _final(done: () => void): void {
    this.other.push(null);
    done();
  }
}

function wirePair(): [Wire, Wire] {
  const pair: [Wire, Wire] = [new Wire(), new Wire()];
  pair[0].other = pair[1];
  pair[1].other = pair[0];
  return pair;
}

interface Session {
  readonly client: ClientHttp2Session;
  readonly wires: readonly Duplex[];
  readonly remote: RemoteNode;
}

function open(from: TestNode, to: TestNode): Session {
  const [ours, theirs] = wirePair();
  const client = http2ClientOver(ours, to.name);
  serve(from, to, theirs);
  const remote: RemoteNode = {
    key: to.key,
    name: to.stated,
    stated: undefined,
    request(headers, options) {
      const request = client.request(headers, options);
      guardBodies(request);
      from.network.track(request);
      return request;
    },
    silenceMs: () => to.silenceMs(),
    giveUp: () => from.giveUp(to),
  };
  return { client, wires: [ours, theirs], remote };
}

function serve(from: TestNode, to: TestNode, wire: Duplex): void {
  if (to.wireHandler !== undefined) {
    to.wireHandler(wire);
    return;
  }
  const asking: RemoteNode = {
    key: from.key,
    name: from.stated,
    stated: undefined,
    request: refuse,
    silenceMs: refuse,
    giveUp: refuse,
  };
  http2ServerOver(wire, (request, headers, raw) => {
    to.network.track(request);
    to.handler(asking, request, headers, raw);
  });
}

function refuse(): never {
  throw new Error("a node is asked on a session of the asking node");
}

function hex(key: Uint8Array): string {
  return Buffer.from(key).toString("hex");
}
