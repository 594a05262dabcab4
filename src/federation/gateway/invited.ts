import { randomBytes } from "node:crypto";
import { z } from "zod";
import { FederationError } from "../errors.js";
import type { FederationStats } from "../stats.js";
import { INVITATIONS_MAX, INVITED_MAX } from "./config.js";
import { INVITATION_ID_BYTES, isOwnInvitation, readInvitation, writeInvitation } from "./invitation.js";

const hex = (bytes: number) => z.string().length(bytes * 2);
export const InvitedSchema = z.strictObject({
  /** Invitations that were used, until they end. */
  invitations: z
    .array(z.strictObject({ id: hex(INVITATION_ID_BYTES), untilS: z.int(), used: z.int() }))
    .max(INVITATIONS_MAX),
  /** Keys in hex of the nodes that used one. */
  nodes: z.array(hex(32)).max(INVITED_MAX),
});
export type InvitedState = z.output<typeof InvitedSchema>;
export const NOBODY_INVITED: InvitedState = { invitations: [], nodes: [] };

export interface KeptInvited {
  load(): Promise<InvitedState>;
  /** Writes it soon. */
  save(state: InvitedState): void;
  /** Settles when all that was saved is written. */
  written(): Promise<void>;
}

export interface InvitedOptions {
  /** The gateway's key and its seed. */
  readonly key: Uint8Array;
  readonly seed: Uint8Array;
  readonly kept: KeptInvited;
  readonly stats: FederationStats;
  /** Unix time in ms. */
  readonly wallMs: () => number;
}

/**
 * The nodes that a gateway serves by invitation. What is not used yet is kept nowhere: it proves itself. A node that used one is served until it is
 * denied, however the invitation ends.
 */
export class Invited {
  readonly #options: InvitedOptions;
  readonly #nodes: Set<string>;
  /** By id. */
  readonly #used: Map<string, { untilS: number; used: number }>;

  static async open(options: InvitedOptions): Promise<Invited> {
    return new Invited(options, await options.kept.load());
  }

  private constructor(options: InvitedOptions, { invitations, nodes }: InvitedState) {
    this.#options = options;
    this.#nodes = new Set(nodes);
    this.#used = new Map(invitations.map(({ id, untilS, used }) => [id, { untilS, used }]));
  }

  has(node: string): boolean {
    return this.#nodes.has(node);
  }

  /** All of them, by their keys in hex. */
  nodes(): Iterable<string> {
    return this.#nodes;
  }

  /** The text of a new invitation, for `uses` nodes until `untilS`, in s since 1970. */
  invite(uses: number, untilS: number): string {
    const { key, seed } = this.#options;
    return writeInvitation(seed, { gateway: key, id: randomBytes(INVITATION_ID_BYTES).toString("hex"), untilS, uses });
  }

  /** A node, by its key in hex, shows an invitation. Throws `PINYON_GATEWAY_INVITATION` where it gains nothing by it, or `PINYON_BUSY`. */
  accept(node: string, text: string): void {
    const { seed, stats, kept, wallMs } = this.#options;
    const invitation = readInvitation(text);
    if (invitation === undefined || !isOwnInvitation(seed, text)) throw refused("it is none of this gateway");
    if (this.#nodes.has(node)) return;
    const nowS = wallMs() / 1_000;
    if (invitation.untilS <= nowS) throw refused("its time is over");
    this.#forgetEnded(nowS);
    const { id, untilS, uses } = invitation;
    const known = this.#used.get(id) ?? { untilS, used: 0 };
    if (known.used >= uses) throw refused("it was used as often as it may be");
    const isFull = this.#nodes.size >= INVITED_MAX || (known.used === 0 && this.#used.size >= INVITATIONS_MAX);
    if (isFull) throw new FederationError("PINYON_BUSY", "no room for another invited node");
    known.used++;
    this.#used.set(id, known);
    this.#nodes.add(node);
    stats.invitationsAccepted++;
    kept.save(this.#state());
  }

  async written(): Promise<void> {
    await this.#options.kept.written();
  }

  #forgetEnded(nowS: number): void {
    for (const [id, { untilS }] of this.#used) if (untilS <= nowS) this.#used.delete(id);
  }

  #state(): InvitedState {
    return {
      invitations: [...this.#used].map(([id, { untilS, used }]) => ({ id, untilS, used })),
      nodes: [...this.#nodes],
    };
  }
}

function refused(why: string): FederationError {
  return new FederationError("PINYON_GATEWAY_INVITATION", why);
}
