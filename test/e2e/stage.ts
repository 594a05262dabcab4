import { randomBytes } from "node:crypto";
import type { MatrixClient } from "./matrix-client.js";
import type { Synapse } from "./synapse.js";

/** Two homeservers that federate, by whatever way, and what the steps before have made there. */
export class Scene {
  /** Stands in every text that is sent. */
  readonly marker = `pinyon-${randomBytes(8).toString("hex")}`;
  #alice: MatrixClient | undefined;
  #bob: MatrixClient | undefined;
  #roomId: string | undefined;

  constructor(
    readonly a: Synapse,
    readonly b: Synapse,
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
