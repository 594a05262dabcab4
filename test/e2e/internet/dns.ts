import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../steps/step.js";
import type { DebianPrograms } from "./debian-programs.js";
import { DNS_SERVER, type Host } from "./hosts.js";
import { Service } from "./service.js";

/** For so long, in s, an answer may be kept: names change within a test. */
const TTL_S = 1;
const RELOAD_MS = 10_000;

/** The DNS of the small Internet: knot, with authority over the root and so over every name. What it does not have there is nowhere. */
export class Dns {
  readonly #zoneFile: string;
  readonly #service: Service;
  /** Lines of a zone file, by the name that they are of. */
  readonly #records = new Map<string, readonly string[]>();
  #serial = 0;

  constructor(
    private readonly host: Host,
    { knotd, env }: DebianPrograms,
    folder: string,
  ) {
    this.#zoneFile = join(folder, "root.zone");
    const configFile = join(folder, "knot.conf");
    mkdirSync(join(folder, "db"));
    writeFileSync(configFile, config(folder, this.#zoneFile));
    this.#service = new Service({
      label: "knot",
      folder,
      command: [...host.prefix, knotd, "--config", configFile],
      env,
      isUp: async () => this.#answers("ns.example", DNS_SERVER),
    });
  }

  async start(): Promise<void> {
    this.#write();
    await this.#service.start();
  }

  end(): Promise<void> {
    return this.#service.end();
  }

  /** Gives a name these addresses in place of those that it had; a wildcard's begins with `*`. */
  async setAddresses(name: string, addresses: readonly string[]): Promise<void> {
    this.#records.set(
      name,
      addresses.map((address) => `A ${address}`),
    );
    this.#write();
    this.#service.reload();
    const asked = name.replace("*", "any");
    await eventually(`DNS gives ${name}`, RELOAD_MS, async () => this.#answers(asked, addresses[0]!) || undefined);
  }

  /** Says where the server of a name stands. Of use from the next `setAddresses` on. */
  setService(name: string, host: string, port: number): void {
    this.#records.set(`_matrix-fed._tcp.${name}`, [`SRV 10 0 ${port} ${host}.`]);
  }

  #write(): void {
    const soa = `. SOA ns.example. admin.example. ${++this.#serial} 3600 600 86400 ${TTL_S}`;
    const own = [`$TTL ${TTL_S}`, soa, ". NS ns.example.", `ns.example. A ${DNS_SERVER}`];
    const others = [...this.#records].flatMap(([name, records]) => records.map((record) => `${name}. ${record}`));
    writeFileSync(this.#zoneFile, `${[...own, ...others].join("\n")}\n`);
  }

  /** True where the resolver of a machine gives this address of a name. */
  #answers(name: string, address: string): boolean {
    const [program = "", ...args] = [...this.host.prefix, "getent", "ahostsv4", name];
    try {
      return execFileSync(program, args, { encoding: "utf8" }).includes(address);
    } catch {
      return false;
    }
  }
}

function config(folder: string, zoneFile: string): string {
  return `server:
  rundir: ${folder}
  listen: ${DNS_SERVER}@53
log:
  - target: stdout
    any: info
database:
  storage: ${folder}/db
zone:
  - domain: .
    file: ${zoneFile}
    zonefile-sync: -1
    zonefile-load: whole
`;
}
