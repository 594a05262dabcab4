import { Resolver } from "node:dns/promises";
import { connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import type { Duplex } from "node:stream";
import { FederationError } from "../errors.js";
import type { Timers } from "../overlay.js";
import type { FederationStats } from "../stats.js";
import { within } from "../within.js";
import { isAddress, refusalOf } from "./addresses.js";
import { ADDRESSES_MAX, DNS_TIMEOUT_MS, DNS_TRIES } from "./config.js";
import { connectAny } from "./connect-any.js";

/** Where a service stands (an SRV record, RFC 2782). */
export interface Service {
  /** A host name; empty where the record says that there is no such service. */
  readonly host: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** What the way to classic servers needs of the network. Both reject with a `FederationError`. */
export interface ClassicNetwork {
  /** The SRV records of a name; empty where it has none. Rejects with `PINYON_CLASSIC_LOOKUP` where DNS did not say. */
  services(name: string): Promise<readonly Service[]>;
  /**
   * A TCP connection to a host, a name or an IP address. `server` is the Matrix server that is looked for, where host or port are not its own
   * but what it was looked up to have.
   */
  open(host: string, port: number, server?: string): Promise<Duplex>;
}

/** What DNS says, in the form of `node:dns`; rejects with its errors. */
export interface DnsResolver {
  resolve4(host: string): Promise<string[]>;
  resolve6(host: string): Promise<string[]>;
  resolveSrv(name: string): Promise<{ name: string; port: number; priority: number; weight: number }[]>;
}

/** The machine's own network. */
export interface MachineNetwork {
  /** Asked anew for each lookup: where DNS is asked may change with every network that a laptop joins. */
  readonly resolver: () => DnsResolver;
  readonly connect: (address: string, port: number) => Socket;
  readonly ownAddresses: () => readonly string[];
}

/** DNS as `/etc/resolv.conf` names it; not the file `hosts`, and not in the threads that the files of this process need. */
export const MACHINE: MachineNetwork = {
  resolver: () => new Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES }),
  connect: (address, port) => connect({ host: address, port, noDelay: true }),
  ownAddresses: () => Object.values(networkInterfaces()).flatMap((card) => (card ?? []).map(({ address }) => address)),
};

/** The answers by which DNS says that there is no such record. */
const NO_RECORD: readonly unknown[] = ["ENODATA", "ENOTFOUND"];

/**
 * The Internet, from this machine. A host is looked up once for each connection, every address is judged, and the connection is made to an
 * address that was, so that a name which changes its address between the two (DNS rebinding) gains nothing.
 */
export class DirectNetwork implements ClassicNetwork {
  constructor(
    private readonly stats: FederationStats,
    private readonly timers: Timers,
    private readonly machine: MachineNetwork = MACHINE,
  ) {}

  async services(name: string): Promise<readonly Service[]> {
    const records = await this.#records(name, this.machine.resolver().resolveSrv(name));
    return records.map(({ name: target, ...rest }) => ({ ...rest, host: target.replace(/\.$/, "") }));
  }

  async open(host: string, port: number): Promise<Socket> {
    const addresses = isAddress(host) ? [host] : await this.#addresses(host);
    if (addresses.length === 0) throw new FederationError("PINYON_CLASSIC_LOOKUP", `${host} has no address`);
    return connectAny(this.#public(host, addresses), (address) => this.machine.connect(address, port), this.timers);
  }

  /** Those of the addresses that may be connected to, `ADDRESSES_MAX` at most. Throws where there is none. */
  #public(host: string, addresses: readonly string[]): readonly string[] {
    const own = this.machine.ownAddresses();
    const judged = addresses.map((address) => [address, refusalOf(address, own)] as const);
    const refused = judged.filter(([, refusal]) => refusal !== undefined);
    this.stats.classicAddressesRefused += refused.length;
    const good = judged.filter(([, refusal]) => refusal === undefined).map(([address]) => address);
    if (good.length > 0) return good.slice(0, ADDRESSES_MAX);
    const detail = refused.slice(0, ADDRESSES_MAX).map(([address, refusal]) => `${address} is ${refusal}`);
    throw new FederationError("PINYON_CLASSIC_ADDRESS", `${host}: ${detail.join(", ")}`);
  }

  /** Those of IPv6 and IPv4 by turns (RFC 8305, section 4). */
  async #addresses(host: string): Promise<string[]> {
    const resolver = this.machine.resolver();
    const [six, four] = await Promise.allSettled([
      this.#records(host, resolver.resolve6(host)),
      this.#records(host, resolver.resolve4(host)),
    ]);
    const found = [six, four].map((each) => (each.status === "fulfilled" ? each.value : []));
    const all = Array.from({ length: Math.max(...found.map(({ length }) => length)) }, (_, i) =>
      found.flatMap((list) => list.slice(i, i + 1)),
    ).flat();
    // One kind of address is enough: some servers of DNS know no other.
    if (all.length === 0) for (const each of [four, six]) if (each.status === "rejected") throw each.reason;
    return all;
  }

  async #records<T>(name: string, answer: Promise<T[]>): Promise<T[]> {
    try {
      return await within(answer, 2 * DNS_TIMEOUT_MS * DNS_TRIES, this.timers);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (NO_RECORD.includes(code)) return [];
      throw new FederationError("PINYON_CLASSIC_LOOKUP", `${name}: ${code}`, { cause: error });
    }
  }
}
