import { nameToKey } from "../wire/name.js";
import { NAME_TIMEOUT_MS } from "./config.js";
import { FederationError, federationErrorOf } from "./errors.js";
import type { Passage, RequestHead } from "./exchange.js";
import { headerValues } from "./headers.js";
import { CODE_HEADER, http2Passage } from "./http2.js";
import type { FederationOverlay, RemoteNode, Timers } from "./overlay.js";
import type { Reachability } from "./reachability.js";
import { within } from "./within.js";

/** Answers by which a node says that there is no homeserver to ask: a server is away with its node or without it. */
const AWAY_CODES: readonly (string | undefined)[] = ["PINYON_HOMESERVER", "PINYON_NO_HOMESERVER"];

/** The other servers of the overlay, by name, and what is known of their being there. */
export class Servers {
  constructor(
    private readonly overlay: FederationOverlay,
    private readonly reachability: Reachability,
    private readonly timers: Timers,
  ) {}

  /**
   * Opens a request to a server, `name` being the name of `key`, or bound to it. Throws `PINYON_UNREACHABLE`: at once where it is known to
   * be away. What it throws says that nothing was sent.
   */
  async open(name: string, head: RequestHead, key = nameToKey(name)!): Promise<Passage> {
    this.reachability.requireAlive(name);
    const passage = await this.#connect(name, head, key).catch((thrown: unknown) => {
      throw this.#noteFailure(name, thrown);
    });
    passage.answer.then(
      ({ rawHeaders }) => {
        if (AWAY_CODES.includes(headerValues(rawHeaders, CODE_HEADER)[0])) this.reachability.handleFailure(name);
        else this.reachability.handleAlive(name);
      },
      (error: unknown) => this.#noteFailure(name, error),
    );
    return passage;
  }

  /** It was not found, or its session ended under a request. */
  #noteFailure(name: string, thrown: unknown): FederationError {
    const error = federationErrorOf(thrown);
    if (error.code === "PINYON_UNREACHABLE") this.reachability.handleFailure(name);
    return error;
  }

  /**
   * The node must be the server that is asked for, and not the same key under another name: that would be a second server, and a way round
   * bans. It says its name before anything else; one that does not is as good as away.
   */
  async #ask(name: string, head: RequestHead, key: Uint8Array): Promise<Passage> {
    const remote = await this.overlay.connect(key);
    const stated = remote.stated ?? (await this.#statedName(remote));
    if (stated !== name) throw new FederationError("PINYON_DESTINATION", `the node that was reached is ${stated}`);
    return http2Passage(remote, name, head);
  }

  async #statedName({ name }: RemoteNode): Promise<string> {
    return within(name, NAME_TIMEOUT_MS, this.timers).catch((error: unknown) => {
      throw error instanceof FederationError
        ? new FederationError("PINYON_UNREACHABLE", "it does not state its name")
        : error;
    });
  }

  /** A session may end between the moment it is given and its use; then nothing was sent, and a new one is as good. */
  async #connect(name: string, head: RequestHead, key: Uint8Array): Promise<Passage> {
    try {
      return await this.#ask(name, head, key);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "PINYON_SESSION_ENDED") throw error;
      return await this.#ask(name, head, key);
    }
  }
}
