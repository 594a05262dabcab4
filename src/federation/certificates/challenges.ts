import { createSecureContext, type SecureContext } from "node:tls";
import type { Timers } from "../overlay.js";
import type { FederationStats } from "../stats.js";
import { runHook } from "./hook.js";

/** The protocol by which a certificate authority asks in TLS (RFC 8737). */
export const ACME_PROTOCOL = "acme-tls/1";

/** What an authority wants to see. */
export interface Challenge {
  /** The name in question, without `*.`. */
  readonly name: string;
  /** What must be there: in a TXT record, for `dns-01`. */
  readonly value: string;
  /** What must be shown in TLS, for `tls-alpn-01`, in PEM. */
  readonly shown: () => Promise<{ readonly certificate: string; readonly key: string }>;
}

/** A way to show an authority that a name is ours. */
export interface Challenger {
  readonly type: "tls-alpn-01" | "dns-01";
  /** Resolves when it can be seen. Rejects with why it cannot. */
  present(challenge: Challenge): Promise<void>;
  /** Takes it away again; never rejects. */
  cleanUp(challenge: Challenge): Promise<void>;
}

/** In TLS for this node's name, which its gateways pass on as they do any other. */
export class TlsChallenger implements Challenger {
  readonly type = "tls-alpn-01";
  /** What TLS shows to an authority; undefined while none was called. */
  context: SecureContext | undefined;

  async present({ shown }: Challenge): Promise<void> {
    const { certificate, key } = await shown();
    this.context = createSecureContext({ cert: certificate, key, minVersion: "TLSv1.2" });
  }

  async cleanUp(): Promise<void> {
    this.context = undefined;
  }
}

export interface DnsChallengerOptions {
  readonly hook: string;
  readonly stats: FederationStats;
  readonly timers: Timers;
  readonly warn: (text: string) => void;
}

/** In the DNS, by a command of the operator's. */
export class DnsChallenger implements Challenger {
  readonly type = "dns-01";

  constructor(private readonly options: DnsChallengerOptions) {}

  async present({ name, value }: Challenge): Promise<void> {
    const { hook, stats, timers } = this.options;
    await runHook(hook, "present", recordOf(name), value, timers).catch((error: unknown) => {
      stats.hookFailures++;
      throw error;
    });
  }

  async cleanUp({ name, value }: Challenge): Promise<void> {
    const { hook, stats, timers, warn } = this.options;
    await runHook(hook, "cleanup", recordOf(name), value, timers).catch((error: Error) => {
      stats.hookFailures++;
      warn(`a TXT record may be left in the DNS: ${error.message}`);
    });
  }
}

/** Where the record stands (RFC 8555, section 8.4). */
function recordOf(name: string): string {
  return `_acme-challenge.${name}`;
}
