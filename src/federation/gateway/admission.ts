import { FederationError } from "../errors.js";
import type { Timers } from "../overlay.js";
import { type Accounts, type Charge, Ledger, type Quota } from "../quota.js";
import type { FederationStats } from "../stats.js";
import { GATEWAY_NODES_MAX, GATEWAY_SOURCES_MAX, SOURCE_PARTS } from "./config.js";
import { sourceOf } from "./source.js";

/** Whom a gateway serves, and how much of it they may use. */
export interface AdmissionRules {
  /** Keys in hex of the nodes that classic servers are brought to. */
  readonly allow: ReadonlySet<string>;
  /** Keys in hex of nodes that are not served, whatever else names them. */
  readonly deny: ReadonlySet<string>;
  /** So many nodes' quota all those together may use that nothing names; 0: they are not served. */
  readonly open: number;
  /** Of each node. */
  readonly quota: Quota;
  /** Of each address of classic servers: of one of IPv4, or a network of 64 bits. */
  readonly sourceQuota: Quota;
}

/** Why a node is served. */
export type Standing = "allowed" | "invited" | "unknown";

/** A connection that is for a node. */
export interface Connection {
  /** Its key in hex. */
  readonly node: string;
  /** Where it comes from, as `plainAddress` gives it. */
  readonly address: string;
  readonly standing: Standing;
}

export interface AdmissionOptions {
  readonly rules: AdmissionRules;
  /** True for a node that was invited, by its key in hex. */
  readonly isInvited: (node: string) => boolean;
  readonly stats: FederationStats;
  readonly timers: Timers;
  readonly wallMs: () => number;
}

/** The one account of all nodes that nothing names. */
const ALL = "all";

/**
 * Who may use a gateway, and the accounts of what they do: by node, by the address of classic servers, and one more of all nodes that nothing
 * names, so that a new key is no way to more.
 */
export class Admission {
  rules: AdmissionRules;
  readonly #options: AdmissionOptions;
  readonly #nodes: Ledger;
  readonly #sources: Ledger;
  readonly #unknown: Ledger;
  /** Streams by node and source. */
  readonly #held = new Map<string, number>();

  constructor(options: AdmissionOptions) {
    this.rules = options.rules;
    this.#options = options;
    this.#nodes = this.#ledger(GATEWAY_NODES_MAX, () => this.rules.quota);
    this.#sources = this.#ledger(GATEWAY_SOURCES_MAX, () => this.rules.sourceQuota);
    this.#unknown = this.#ledger(1, () => times(this.rules.quota, this.rules.open));
  }

  /** Undefined: it is not served. */
  standing(node: string): Standing | undefined {
    const { allow, deny, open } = this.rules;
    if (deny.has(node)) return undefined;
    if (allow.has(node)) return "allowed";
    if (this.#options.isInvited(node)) return "invited";
    return open > 0 ? "unknown" : undefined;
  }

  /** A connection came from an address. Throws `PINYON_GATEWAY_QUOTA`. */
  chargeSource(charge: Charge, address: string): void {
    charge.add(this.#sources, sourceOf(address));
  }

  /** It is for a node, and from `address`. Throws `PINYON_GATEWAY_QUOTA`. */
  chargeNode(charge: Charge, { node, address, standing }: Connection): void {
    const { streams } = charge.add(this.#nodes, node);
    if (standing === "unknown") charge.add(this.#unknown, ALL);
    const pair = `${node} ${sourceOf(address)}`;
    const held = (this.#held.get(pair) ?? 0) + 1;
    if (held > 1 && held * SOURCE_PARTS > this.rules.quota.streams - streams) {
      throw new FederationError("PINYON_GATEWAY_QUOTA", "one source has its part of the node's streams");
    }
    this.#held.set(pair, held);
    charge.onEnd = () => this.#release(pair);
  }

  #release(pair: string): void {
    const left = this.#held.get(pair)! - 1;
    if (left === 0) this.#held.delete(pair);
    else this.#held.set(pair, left);
  }

  /** What each node used, by its key in hex. */
  nodes(): Accounts {
    return this.#nodes.accounts();
  }

  /** What each source used. */
  sources(): Accounts {
    return this.#sources.accounts();
  }

  #ledger(accountsMax: number, quota: () => Quota): Ledger {
    const { stats, timers, wallMs } = this.#options;
    const onEviction = () => stats.ledgerEvictions++;
    return new Ledger({ quota, code: "PINYON_GATEWAY_QUOTA", accountsMax, timers, wallMs, onEviction });
  }
}

function times({ streams, connectsPerMinute, bytesPerDay }: Quota, count: number): Quota {
  return {
    streams: streams * count,
    connectsPerMinute: connectsPerMinute * count,
    bytesPerDay: bytesPerDay * count,
  };
}
