import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DebianPrograms } from "./debian-programs.js";
import { DNS_SERVER, type Host } from "./hosts.js";
import { Service } from "./service.js";

/** For so long, in s, an answer may be kept: names change within a test. */
const TTL_S = 1;

/**
 * The DNS of the small Internet: knot, with authority over the root and so over every name. What it does not have there is nowhere.
 * `records` are lines of a zone file.
 */
export function dnsServer(host: Host, programs: DebianPrograms, folder: string, records: readonly string[]): Service {
  mkdirSync(join(folder, "db"), { recursive: true });
  const head = [`$TTL ${TTL_S}`, `. SOA ns.example. admin.example. 1 3600 600 86400 ${TTL_S}`, ". NS ns.example."];
  const zone = [...head, `ns.example. A ${DNS_SERVER}`, ...records, ""].join("\n");
  writeFileSync(join(folder, "root.zone"), zone);
  const config = `server:
  rundir: ${folder}
  listen: ${DNS_SERVER}@53
log:
  - target: stdout
    any: info
database:
  storage: ${folder}/db
zone:
  - domain: .
    file: ${folder}/root.zone
    zonefile-sync: -1
`;
  writeFileSync(join(folder, "knot.conf"), config);
  return new Service({
    label: "knot",
    folder,
    command: [...host.prefix, programs.knotd, "--config", join(folder, "knot.conf")],
    env: programs.env,
    isUp: async () => answers(host, "ns.example", DNS_SERVER),
  });
}

/** True where the system's resolver of a host gives this address of a name. */
function answers(host: Host, name: string, address: string): boolean {
  const [program = "", ...args] = [...host.prefix, "getent", "ahostsv4", name];
  try {
    return execFileSync(program, args, { encoding: "utf8" }).includes(address);
  } catch {
    return false;
  }
}
