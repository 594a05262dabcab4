import { Agent } from "node:http";
import { HOMESERVER_IDLE_MS, HOMESERVER_POLL_MS, KEY_BODY_BYTES_MAX, KEY_TIMEOUT_MS } from "./config.js";
import { FederationError } from "./errors.js";
import type { Passage, RequestHead } from "./exchange.js";
import { http1Passage } from "./http1.js";
import { parseJsonObject } from "./json.js";
import type { ListenAddress } from "./listen-address.js";
import type { Timers } from "./overlay.js";
import { keyIdsOf } from "./signing.js";
import { askWhole, type WholeAnswer } from "./whole.js";

const VERSION: RequestHead = { method: "GET", path: "/_matrix/federation/v1/version", headers: {}, hasBody: false };
const KEYS: RequestHead = { ...VERSION, path: "/_matrix/key/v2/server" };

/** The homeserver beside this node: where it is asked, and whether it answers. */
export class Homeserver {
  /** It was down, and answers again. */
  onBack: () => void = () => {};
  readonly #address: ListenAddress;
  readonly #timers: Timers;
  readonly #agent = new Agent({
    keepAlive: true,
    // An idle connection is closed before the homeserver would close it under a request.
    timeout: HOMESERVER_IDLE_MS,
  });
  #cancelPoll: (() => void) | undefined;
  #isStopped = false;

  constructor(address: ListenAddress, timers: Timers) {
    this.#address = address;
    this.#timers = timers;
  }

  /** True while it does not answer. */
  get isDown(): boolean {
    return this.#cancelPoll !== undefined;
  }

  /** Asks it. Where it is down, it is looked for until it is back. */
  request(head: RequestHead): Passage {
    const where = "path" in this.#address ? { socketPath: this.#address.path } : this.#address;
    const passage = http1Passage({ ...where, agent: this.#agent }, head);
    passage.answer.catch((error: unknown) => {
      if (error instanceof FederationError && error.code === "PINYON_HOMESERVER") this.#poll();
    });
    return passage;
  }

  /** Asks it for what is short. */
  ask(head: RequestHead, body = new Uint8Array(0)): Promise<WholeAnswer> {
    return askWhole(this.request(head), body, KEY_BODY_BYTES_MAX, KEY_TIMEOUT_MS, this.#timers);
  }

  /**
   * The id under which it states `publicKey` as its own: `ed25519:<version>`; undefined where it states another key. Rejects where it is
   * down: what is signed with it says that it is there, so it is asked each time.
   */
  async keyId(publicKey: Uint8Array): Promise<string | undefined> {
    const { body } = await this.ask(KEYS);
    return keyIdsOf(parseJsonObject(body) ?? {}, publicKey)[0];
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelPoll?.();
    this.#agent.destroy();
  }

  #poll(): void {
    if (this.#isStopped) return;
    this.#cancelPoll ??= this.#timers.after(HOMESERVER_POLL_MS, async () => {
      const isBack = await this.ask(VERSION).then(
        () => true,
        () => false,
      );
      this.#cancelPoll = undefined;
      if (this.#isStopped) return;
      if (isBack) this.onBack();
      else this.#poll();
    });
  }
}
