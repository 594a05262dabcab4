import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import type { Timers } from "../overlay.js";
import type { FederationStats } from "../stats.js";
import {
  CERTIFICATE_KEPT_MS,
  CERTIFICATE_SOON_DAYS,
  CERTIFICATE_SOON_PART,
  CERTIFICATE_WARN_MS,
  CERTIFICATE_WATCH_MS,
} from "./config.js";

/** A certificate with those of its authorities, and its key, in PEM. */
export interface CertifiedKey {
  readonly certificate: string;
  readonly key: string;
}

/** Reads a certificate, which may have been renewed. Rejects where it cannot be read or used; undefined where none is there yet. */
export type ReadCertificate = () => Promise<CertifiedKey | undefined>;

/** Where one comes from: it is kept elsewhere, or got by ACME. */
export type CertificateSource = (() => Promise<CertifiedKey>) | "acme";

export interface ServedOptions {
  /** For whom it is: a server name, or `*.` and a domain. */
  readonly name: string;
  readonly read: ReadCertificate;
  readonly stats: FederationStats;
  readonly timers: Timers;
  readonly wallMs: () => number;
  /** Told in a sentence what a person should look at. */
  readonly warn: (text: string) => void;
}

const DAY_MS = 86_400_000;

/** A certificate that TLS is shown, as it is kept elsewhere: a renewed one takes its place, and one that is broken does not. */
export class ServedCertificate {
  readonly #options: ServedOptions;
  #context: SecureContext | undefined;
  #fromMs = 0;
  #toMs = 0;
  #readMs = 0;
  #warnedMs = Number.NEGATIVE_INFINITY;
  #cancel: () => void = () => {};

  constructor(options: ServedOptions) {
    this.#options = options;
  }

  /** Reads it for the first time. Rejects where that fails. */
  async start(): Promise<void> {
    await this.#read();
    this.#watch();
  }

  stop(): void {
    this.#cancel();
  }

  /** What TLS shows; undefined where none is there yet. */
  async context(): Promise<SecureContext | undefined> {
    if (this.#options.timers.nowMs() - this.#readMs >= CERTIFICATE_KEPT_MS) await this.renew();
    return this.#context;
  }

  /** Reads it again. One that cannot be read or used, as it is being written, leaves the old one in place. */
  async renew(): Promise<void> {
    await this.#read().catch(() => {
      this.#options.stats.certificateFailures++;
    });
  }

  /** Days until its end, negative after it; undefined before it was read. */
  daysLeft(): number | undefined {
    return this.#context && (this.#toMs - this.#options.wallMs()) / DAY_MS;
  }

  async #read(): Promise<void> {
    const { read, timers } = this.#options;
    this.#readMs = timers.nowMs();
    const certified = await read();
    if (certified === undefined) return;
    const { certificate, key } = certified;
    const { validFrom, validTo } = new X509Certificate(certificate);
    this.#context = createSecureContext({ cert: certificate, key, minVersion: "TLSv1.2" });
    [this.#fromMs, this.#toMs] = [Date.parse(validFrom), Date.parse(validTo)];
    this.#warnOfEnd();
  }

  #watch(): void {
    this.#cancel = this.#options.timers.after(CERTIFICATE_WATCH_MS, () => {
      this.#watch();
      void this.renew().then(() => this.#warnOfEnd());
    });
  }

  #warnOfEnd(): void {
    const { name, timers, wallMs, warn } = this.#options;
    if (this.#context === undefined) return;
    const leftMs = this.#toMs - wallMs();
    const lifeMs = this.#toMs - this.#fromMs;
    const isGood = leftMs > Math.min(CERTIFICATE_SOON_DAYS * DAY_MS, lifeMs / CERTIFICATE_SOON_PART);
    const nowMs = timers.nowMs();
    if (isGood) this.#warnedMs = Number.NEGATIVE_INFINITY;
    if (isGood || nowMs - this.#warnedMs < CERTIFICATE_WARN_MS) return;
    this.#warnedMs = nowMs;
    const end = new Date(this.#toMs).toISOString();
    const verb =
      leftMs > 0 ? `ends on ${end}: no newer one has come` : `has ended on ${end}: classic servers refuse it`;
    warn(`the certificate for ${name} ${verb}`);
  }
}
