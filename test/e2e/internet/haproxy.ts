import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DebianPrograms } from "./debian-programs.js";
import type { Host } from "./hosts.js";
import { Service } from "./service.js";

/** HAProxy before gateways, as docs/gateway.md has it: whichever is alive gets a connection, and is told whose it is. */
export function haproxy(
  host: Host,
  { haproxy: program, env }: DebianPrograms,
  folder: string,
  gateways: readonly string[],
): Service {
  const servers = gateways.map((each, index) => `  server g${index + 1} ${each} check send-proxy-v2`).join("\n");
  const config = `listen gateways
  mode tcp
  bind :443,:8448
  timeout connect 5s
  timeout client 11m
  timeout server 11m
${servers}
`;
  const file = join(folder, "haproxy.cfg");
  writeFileSync(file, config);
  return new Service({
    label: "haproxy",
    folder,
    command: [...host.prefix, program, "-db", "-f", file],
    env,
    isUp: async () => host.listensOn(443),
  });
}
