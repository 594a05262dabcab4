import { type MatrixClient, MatrixError } from "./matrix-client.js";
import { pause } from "./steps/step.js";

/** Some load, and not so much that a homeserver falls behind. */
const GAP_MS = 200;
const AGAIN_MS = 100;

/**
 * A user who sends texts one after another, whatever happens to the homeserver: one that was not taken is sent again under the same
 * transaction id, as clients do, so that it is in the room once.
 */
export class SteadySender {
  /** All texts that the homeserver took, in this order. */
  readonly sent: string[] = [];
  #isStopped = false;
  readonly #done: Promise<void>;

  constructor(
    private readonly client: MatrixClient,
    private readonly roomId: string,
    /** Stands in every text. */
    private readonly marker: string,
  ) {
    this.#done = this.#run();
  }

  /** Waits until the one that is under way is sent; gives all. */
  async stop(): Promise<readonly string[]> {
    this.#isStopped = true;
    await this.#done;
    return this.sent;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const text = `${this.marker} ${this.client.label} ${this.sent.length + 1}`;
      await this.#send(text);
      this.sent.push(text);
      await pause(GAP_MS);
    }
  }

  async #send(text: string): Promise<void> {
    const path = `/v3/rooms/${encodeURIComponent(this.roomId)}/send/m.room.message/${encodeURIComponent(text)}`;
    for (;;) {
      try {
        await this.client.put(path, { msgtype: "m.text", body: text });
        return;
      } catch (error) {
        // It answered, and refused.
        if (!(error instanceof MatrixError) || (error.status >= 400 && error.status < 500)) throw error;
        await pause(AGAIN_MS);
      }
    }
  }
}
