import type { IncomingHttpHeaders } from "node:http2";
import { backOffMs } from "../back-off.js";
import { FEDERATION_CODES, FederationError, federationErrorOf } from "../errors.js";
import { CODE_HEADER } from "../http2.js";
import type { FederationOverlay, Timers } from "../overlay.js";
import type { FederationStats } from "../stats.js";
import { GATEWAY_TIMEOUT_MS, INVITATION_BACK_OFF } from "./config.js";
import { readInvitation } from "./invitation.js";

/** Where a node shows a gateway an invitation. */
export const INVITATION_PATH = "/_pinyon/v1/invitation";
/** Holds it. */
export const INVITATION_HEADER = "pinyon-invitation";

export interface GuestOptions {
  /** Texts that `readInvitation` reads. */
  readonly invitations: readonly string[];
  readonly overlay: FederationOverlay;
  readonly stats: FederationStats;
  readonly timers: Timers;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Told in a sentence that a gateway does not take an invitation. */
  readonly warn: (text: string) => void;
}

/** A node that shows its invitations to their gateways, whenever it comes to the network, until each has said yes or no. */
export class Guest {
  readonly #options: GuestOptions;
  /** Those that no gateway refused, by text: how often it could not be reached, and what stops the wait. */
  readonly #open = new Map<string, { failures: number; cancel: () => void }>();
  #isStopped = false;

  constructor(options: GuestOptions) {
    this.#options = options;
    for (const text of options.invitations) this.#open.set(text, { failures: 0, cancel: () => {} });
  }

  /** The node has a link, after a time without one. */
  handleConnected(): void {
    for (const [text, { cancel }] of this.#open) {
      cancel();
      void this.#show(text);
    }
  }

  stop(): void {
    this.#isStopped = true;
    for (const { cancel } of this.#open.values()) cancel();
  }

  async #show(text: string): Promise<void> {
    const { stats, timers, random, warn } = this.#options;
    const state = this.#open.get(text)!;
    try {
      await this.#ask(text);
      state.failures = 0;
    } catch (thrown) {
      stats.invitationFailures++;
      const error = federationErrorOf(thrown);
      if (error.code === "PINYON_GATEWAY_INVITATION") {
        this.#open.delete(text);
        warn(`a gateway refuses an invitation of \`gateways.invitations\`: ${error.message}`);
      } else if (!this.#isStopped) {
        const delayMs = backOffMs(INVITATION_BACK_OFF, ++state.failures, random);
        state.cancel = timers.after(delayMs, () => void this.#show(text));
      }
    }
  }

  async #ask(text: string): Promise<void> {
    const { overlay, timers } = this.#options;
    const remote = await overlay.connect(readInvitation(text)!.gateway);
    const head = { ":method": "POST", ":authority": "gateway", ":path": INVITATION_PATH, [INVITATION_HEADER]: text };
    const request = remote.request(head, { endStream: true });
    return new Promise((resolve, reject) => {
      const cancel = timers.after(GATEWAY_TIMEOUT_MS, () => request.destroy());
      request.on("error", reject);
      request.once("close", () => {
        cancel();
        reject(new FederationError("PINYON_BODY_BROKEN"));
      });
      request.once("response", (answer: IncomingHttpHeaders & { ":status"?: number }) => {
        const code = FEDERATION_CODES.find((each) => each === answer[CODE_HEADER]);
        if (answer[":status"] === 200) resolve();
        else reject(new FederationError(code ?? "PINYON_BODY_BROKEN"));
        request.destroy();
      });
    });
  }
}
