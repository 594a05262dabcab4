import type { Authorities } from "../classic/tls.js";
import type { FrontRules } from "../gateway/classic-front.js";
import type { GatewayRules } from "../gateway/gateway.js";
import { AcmeCertificate } from "./acme-certificate.js";
import { type AcmeRules, Authority, type PrivateFiles } from "./authority.js";
import { type Challenger, DnsChallenger, TlsChallenger } from "./challenges.js";
import { ACME_LINKED_MS } from "./config.js";
import { type CertificateSource, ServedCertificate, type ServedOptions } from "./served-certificate.js";

export interface CertificatesOptions extends Omit<ServedOptions, "name" | "read"> {
  /** This node's server name. */
  readonly name: string;
  readonly front: FrontRules | undefined;
  readonly gateway: GatewayRules | undefined;
  /** Where certificates are got that come by ACME. */
  readonly acme: AcmeRules | undefined;
  readonly files: PrivateFiles;
  readonly authorities: Authorities;
  readonly random: () => number;
}

/** What this node shows to classic servers. */
export class Certificates {
  /** Undefined where none brings any, or gateways end TLS. */
  readonly own: ServedCertificate | undefined;
  /** For the names below the gateway's domain; undefined where TLS does not end there. */
  readonly wildcard: ServedCertificate | undefined;
  /** Shows an authority in TLS that this node's name is ours. */
  readonly challenger = new TlsChallenger();
  readonly #options: CertificatesOptions;
  readonly #authority: Authority | undefined;
  readonly #byAcme: AcmeCertificate[] = [];
  #ownByAcme: AcmeCertificate | undefined;
  #isLinked = false;

  constructor(options: CertificatesOptions) {
    const { name, front, gateway, acme } = options;
    this.#options = options;
    this.#authority = acme && new Authority({ ...options, ...acme });
    this.own = this.#serve(name, "node", front?.certificate, this.challenger);
    const byDns = acme?.hook === undefined ? undefined : new DnsChallenger({ ...options, hook: acme.hook });
    this.wildcard = gateway && this.#serve(`*.${gateway.domain}`, "gateway", gateway.terminate, byDns);
  }

  /** Rejects where one of them cannot be read or used; one that is still to be got is waited for by nobody. */
  async start(): Promise<void> {
    for (const each of this.#byAcme) await each.load();
    await this.own?.start();
    await this.wildcard?.start();
    for (const each of this.#byAcme) if (each !== this.#ownByAcme) each.start(0);
  }

  /** The node has a link: an authority can ask it by its gateways. */
  handleConnected(): void {
    if (!this.#isLinked) this.#ownByAcme?.start(ACME_LINKED_MS);
    this.#isLinked = true;
  }

  stop(): void {
    for (const each of this.#byAcme) each.stop();
    this.own?.stop();
    this.wildcard?.stop();
  }

  /** Days until the end of each that there is. */
  daysLeft(): readonly (readonly [use: "node" | "gateway", days: number])[] {
    const all = [["node", this.own?.daysLeft()] as const, ["gateway", this.wildcard?.daysLeft()] as const];
    return all.flatMap(([use, days]) => (days === undefined ? [] : [[use, days] as const]));
  }

  #serve(
    name: string,
    use: "node" | "gateway",
    source: CertificateSource | undefined,
    challenger: Challenger | undefined,
  ): ServedCertificate | undefined {
    if (source === undefined) return undefined;
    if (source !== "acme") return new ServedCertificate({ ...this.#options, name, read: source });
    if (this.#authority === undefined || challenger === undefined) throw new Error("ACME is not set up for that");
    const got = new AcmeCertificate({
      ...this.#options,
      name,
      use,
      authority: this.#authority,
      challenger,
      onIssued: () => void served.renew(),
    });
    this.#byAcme.push(got);
    if (use === "node") this.#ownByAcme = got;
    const served = new ServedCertificate({ ...this.#options, name, read: async () => got.current() });
    return served;
  }
}
