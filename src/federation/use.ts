import type { Timers } from "./overlay.js";

/** One use of this node as an exit or a gateway: who, where, when and how much; never what. */
export interface Use {
  readonly way: "exit" | "gateway";
  /** The node that used it, or that a classic server was brought to, in hex. */
  readonly key: string;
  /** Where the exit led, a name or an address; at a gateway the address of the classic server. */
  readonly host: string;
  /** The address that the host had, at an exit that connected to it. */
  readonly address?: string | undefined;
  /** Of the host at an exit, of the gateway there. */
  readonly port: number;
  /** On the wall's clock. */
  readonly beganMs: number;
  readonly sizeBytes: number;
  readonly tookMs: number;
}

export interface UsesOptions {
  readonly timers: Timers;
  readonly wallMs: () => number;
  /** Told of each use, once it is over. */
  readonly onUse: (use: Use) => void;
}

/** The uses that are under way: a stream each. */
export class Uses {
  readonly #open = new Set<OpenUse>();

  constructor(private readonly options: UsesOptions) {}

  begin(what: Pick<Use, "way" | "key" | "host" | "port">, cut: () => void): OpenUse {
    const { timers, wallMs, onUse } = this.options;
    const use = new OpenUse({ ...what, beganMs: wallMs() }, timers, cut, () => {
      this.#open.delete(use);
      onUse(use.soFar());
    });
    this.#open.add(use);
    return use;
  }

  /** What they are until now. */
  list(): Use[] {
    return [...this.#open].map((use) => use.soFar());
  }

  /** Cuts those that may no longer be. */
  cut(isForbidden: (use: Use) => boolean): void {
    for (const use of this.#open) if (isForbidden(use.soFar())) use.cut();
  }
}

export class OpenUse {
  sizeBytes = 0;
  address: string | undefined;
  readonly #sinceMs: number;

  constructor(
    private readonly what: Omit<Use, "address" | "sizeBytes" | "tookMs">,
    private readonly timers: Timers,
    readonly cut: () => void,
    readonly end: () => void,
  ) {
    this.#sinceMs = timers.nowMs();
  }

  soFar(): Use {
    const tookMs = Math.round(this.timers.nowMs() - this.#sinceMs);
    const { address, sizeBytes } = this;
    return { ...this.what, ...(address === undefined ? {} : { address }), sizeBytes, tookMs };
  }
}
