import { createPrivateKey, X509Certificate } from "node:crypto";
import { backOffMs } from "../back-off.js";
import { memberOf, parseJsonObject } from "../json.js";
import type { Timers } from "../overlay.js";
import type { FederationStats } from "../stats.js";
import type { Authority, PrivateFiles } from "./authority.js";
import type { Challenger } from "./challenges.js";
import { ACME_BACK_OFF, CERTIFICATE_WATCH_MS, RENEW_PART } from "./config.js";
import type { CertifiedKey } from "./served-certificate.js";

export interface AcmeOptions {
  /** For whom it is: a server name, or `*.` and a domain. */
  readonly name: string;
  /** What its files are called by. */
  readonly use: "node" | "gateway";
  readonly authority: Authority;
  readonly challenger: Challenger;
  readonly files: PrivateFiles;
  readonly stats: FederationStats;
  readonly timers: Timers;
  readonly wallMs: () => number;
  readonly random: () => number;
  readonly warn: (text: string) => void;
  /** There is a new one. */
  readonly onIssued: () => void;
}

/** The tries that failed in a row, and the time on the wall's clock before which there is no other. */
interface Tries {
  readonly failures: number;
  readonly retryMs: number;
}

const NO_TRIES: Tries = { failures: 0, retryMs: 0 };
/** Its key and it, with those of its authorities, are in one file, so that never one is there without the other. */
const KEY_END = /^-----END [A-Z ]*PRIVATE KEY-----\n/m;

/**
 * A certificate that this node gets by itself and renews when two thirds of its life are over. It and the failures are kept: a start asks for
 * nothing that is there, and does not begin anew what an authority has refused.
 */
export class AcmeCertificate {
  readonly #options: AcmeOptions;
  #kept: CertifiedKey | undefined;
  #tries = NO_TRIES;
  #isTrying = false;
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(options: AcmeOptions) {
    this.#options = options;
  }

  /** Reads what is kept. Rejects where that cannot be read. */
  async load(): Promise<void> {
    const { files } = this.#options;
    const text = await files.read(this.#file("pem"));
    this.#kept = text === undefined ? undefined : this.#parse(text);
    this.#tries = parseTries(await files.read(this.#file("json")));
  }

  /** The certificate, if there is one. */
  current(): CertifiedKey | undefined {
    return this.#kept;
  }

  /** From now on it is got when it is due, the first time in `delayMs`. */
  start(delayMs: number): void {
    this.#cancel();
    if (!this.#isStopped) this.#cancel = this.#options.timers.after(delayMs, () => void this.#look());
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** Waits no longer than an hour: the wall's clock may jump. */
  async #look(): Promise<void> {
    if (this.#isTrying) return;
    const waitMs = this.#dueMs() - this.#options.wallMs();
    if (waitMs > 0) return this.start(Math.min(waitMs, CERTIFICATE_WATCH_MS));
    this.#isTrying = true;
    await this.#try();
    this.#isTrying = false;
    this.start(0);
  }

  #dueMs(): number {
    const renewMs = this.#kept === undefined ? 0 : renewalMs(this.#kept);
    return Math.max(renewMs, this.#tries.retryMs);
  }

  async #try(): Promise<void> {
    const { name, authority, challenger, files, stats, onIssued } = this.#options;
    stats.acmeOrders++;
    try {
      const issued = await authority.issue(name, challenger);
      await files.write(this.#file("pem"), `${issued.key.trim()}\n${issued.certificate}`);
      this.#kept = issued;
      stats.acmeCertificates++;
      await this.#keepTries(NO_TRIES);
      onIssued();
    } catch (error) {
      await this.#handleFailure(error);
    }
  }

  async #handleFailure(error: unknown): Promise<void> {
    const { name, stats, wallMs, random, warn } = this.#options;
    stats.acmeFailures++;
    const failures = this.#tries.failures + 1;
    const retryMs = Math.round(wallMs() + backOffMs(ACME_BACK_OFF, failures, random));
    const next = new Date(retryMs).toISOString();
    warn(`no certificate for ${name} could be got: ${messageOf(error)}: the next try is at ${next}`);
    // What cannot be kept counts until the process ends.
    await this.#keepTries({ failures, retryMs }).catch((keepError: unknown) => warn(messageOf(keepError)));
  }

  async #keepTries(tries: Tries): Promise<void> {
    this.#tries = tries;
    await this.#options.files.write(this.#file("json"), JSON.stringify(tries));
  }

  #file(ending: string): string {
    return `acme-${this.#options.use}.${ending}`;
  }

  /** Undefined for what is broken or for another name: then a new one is got. */
  #parse(text: string): CertifiedKey | undefined {
    const [end] = KEY_END.exec(text) ?? [];
    const at = end === undefined ? 0 : text.indexOf(end) + end.length;
    const kept = { key: text.slice(0, at), certificate: text.slice(at) };
    try {
      const certificate = new X509Certificate(kept.certificate);
      const isOurs = certificate.checkHost(this.#options.name.replace(/^\*/, "any")) !== undefined;
      return isOurs && certificate.checkPrivateKey(createPrivateKey(kept.key)) ? kept : undefined;
    } catch {
      return undefined;
    }
  }
}

function renewalMs({ certificate }: CertifiedKey): number {
  const { validFrom, validTo } = new X509Certificate(certificate);
  const fromMs = Date.parse(validFrom);
  return fromMs + (Date.parse(validTo) - fromMs) * RENEW_PART;
}

function parseTries(text: string | undefined): Tries {
  const value = text === undefined ? undefined : parseJsonObject(Buffer.from(text));
  const [failures, retryMs] = [memberOf(value ?? {}, "failures"), memberOf(value ?? {}, "retryMs")];
  return Number.isSafeInteger(failures) && Number.isSafeInteger(retryMs)
    ? { failures: Number(failures), retryMs: Number(retryMs) }
    : NO_TRIES;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
