import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DebianPrograms } from "./debian-programs.js";
import { frontConfig } from "./guide.js";
import type { Host } from "./hosts.js";
import { Service } from "./service.js";

/** HAProxy before gateways, as docs/gateway.md has it: whichever is alive gets a connection, and is told whose it is. */
export function haproxy(
  host: Host,
  { haproxy: program, env }: DebianPrograms,
  folder: string,
  gateways: readonly string[],
): Service {
  const file = join(folder, "haproxy.cfg");
  writeFileSync(file, frontConfig("listen gateways", gateways));
  return new Service({
    label: "haproxy",
    folder,
    command: [...host.prefix, program, "-db", "-f", file],
    env,
    isUp: async () => host.listensOn(443),
  });
}
