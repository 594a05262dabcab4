import type { FrontRules } from "../gateway/classic-front.js";
import type { GatewayRules } from "../gateway/gateway.js";
import { type ReadCertificate, ServedCertificate, type ServedOptions } from "./served-certificate.js";

export interface CertificatesOptions extends Omit<ServedOptions, "name" | "read"> {
  /** This node's server name. */
  readonly name: string;
  readonly front: FrontRules | undefined;
  readonly gateway: GatewayRules | undefined;
}

/** What this node shows to classic servers. */
export class Certificates {
  /** Undefined where none brings any, or gateways end TLS. */
  readonly own: ServedCertificate | undefined;
  /** For the names below the gateway's domain; undefined where TLS does not end there. */
  readonly wildcard: ServedCertificate | undefined;

  constructor({ name, front, gateway, ...options }: CertificatesOptions) {
    const served = (of: string, read: ReadCertificate | undefined) =>
      read && new ServedCertificate({ ...options, name: of, read });
    this.own = served(name, front?.certificate);
    this.wildcard = gateway && served(`*.${gateway.domain}`, gateway.terminate);
  }

  /** Rejects where one of them cannot be read or used. */
  async start(): Promise<void> {
    await this.own?.start();
    await this.wildcard?.start();
  }

  stop(): void {
    this.own?.stop();
    this.wildcard?.stop();
  }

  /** Days until the end of each that there is. */
  daysLeft(): readonly (readonly [use: "node" | "gateway", days: number])[] {
    const all = [["node", this.own?.daysLeft()] as const, ["gateway", this.wildcard?.daysLeft()] as const];
    return all.flatMap(([use, days]) => (days === undefined ? [] : [[use, days] as const]));
  }
}
