import { randomBytes } from "node:crypto";
import type { Homeserver } from "./homeserver.js";
import type { MatrixClient } from "./matrix-client.js";
import type { MeshNode } from "./mesh.js";
import type { NoResolver } from "./no-resolver.js";
import type { Relay } from "./relay.js";
import type { Planted } from "./steps/sight.js";

/** Two homeservers that federate, by whatever way, and what the steps before have made there. */
export class Scene {
  /** Stands in every text that is sent. */
  readonly marker = `pinyon-${randomBytes(8).toString("hex")}`;
  #alice: MatrixClient | undefined;
  #bob: MatrixClient | undefined;
  #roomId: string | undefined;

  constructor(
    readonly a: Homeserver,
    readonly b: Homeserver,
  ) {}

  /** Has an account on A. */
  get alice(): MatrixClient {
    return made(this.#alice, "accounts");
  }
  set alice(client: MatrixClient) {
    this.#alice = client;
  }

  /** Has an account on B. */
  get bob(): MatrixClient {
    return made(this.#bob, "accounts");
  }
  set bob(client: MatrixClient) {
    this.#bob = client;
  }

  /** Both are in this room. */
  get roomId(): string {
    return made(this.#roomId, "a room");
  }
  set roomId(roomId: string) {
    this.#roomId = roomId;
  }
}

function made<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the step that makes ${what} did not come about`);
  return value;
}

interface Mesh {
  readonly nodeA: MeshNode;
  readonly nodeB: MeshNode;
  readonly relays: readonly [Relay, Relay];
  readonly resolver: NoResolver;
}

/** A scene across the mesh: A and B share no link, and each is linked to two relays. */
export class Stage extends Scene {
  readonly nodeA: MeshNode;
  readonly nodeB: MeshNode;
  readonly relays: readonly [Relay, Relay];
  readonly resolver: NoResolver;
  /** What was sent in the clear, to show that a search finds it. */
  planted: Planted | undefined;

  constructor(a: Homeserver, b: Homeserver, { nodeA, nodeB, relays, resolver }: Mesh) {
    super(a, b);
    this.nodeA = nodeA;
    this.nodeB = nodeB;
    this.relays = relays;
    this.resolver = resolver;
  }

  /** Starts the relays that do not run. */
  async startRelays(): Promise<void> {
    await Promise.all(this.relays.map((relay) => relay.start()));
  }

  /** The relay that carries what A sends to B, and the other one. */
  async carrier(): Promise<{ carrier: Relay; other: Relay }> {
    const { hops } = await this.nodeA.trace(this.nodeB);
    const [first, second] = this.relays;
    if (hops.length !== 2) throw new Error(`A reaches B in ${hops.length} steps, not by one relay`);
    return hops[0]!.name === first.node.name ? { carrier: first, other: second } : { carrier: second, other: first };
  }
}
