import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configPath } from "../../src/daemon/state-folder.js";
import { type Edge, type Namespaces, namespaces, whyNoNamespaces } from "../e2e/place.js";
import { TestAuthority } from "../federation/authority.js";
import type { Bench, Benchmark, Outcome } from "./benchmark.js";
import { alternate, median } from "./figures.js";
import { beside } from "./homeservers.js";
import { makeNodes, startNodes } from "./mesh.js";
import { tempFolderOf } from "./temp-folder.js";
import { Worker } from "./worker.js";

const ROUNDS = 5;
const AT_ONCE = 32;
const ROUND_MS = 1_500;
const GAP_MS = 8;
const SINGLE_PUTS = 60;

/** A homeserver with its node, its exit, and a classic server that only the exit can reach. */
const [HOMESERVER, EXIT, CLASSIC] = [0, 1, 2];
const EDGES: readonly Edge[] = [
  [HOMESERVER, EXIT],
  [EXIT, CLASSIC],
];
/** Addresses of the Internet: an exit lets nobody into a private network. */
const EXIT_HOST = "8.7.6.1";
const CLASSIC_HOST = "8.7.6.2";
const CLASSIC_PORT = 8448;

/** Small requests to a classic server, with TLS from the sender's daemon to it through an exit. */
export const classic: Benchmark = {
  lines: [
    {
      name: "classic-puts",
      what: "PUTs of 1 KiB to a classic server, 32 at once, by a daemon and an exit",
      unit: "/s",
      against: "direct TLS",
      target: { atLeast: 0.35 },
    },
    {
      name: "classic-put",
      what: "what daemon and exit add to an idle PUT to a classic server",
      unit: "ms",
      against: "direct TLS",
      target: { atMost: 3 },
    },
  ],

  async run(bench) {
    const why = whyNoNamespaces();
    if (why !== undefined) {
      return Object.fromEntries(this.lines.map(({ name }): [string, Outcome] => [name, { absent: why }]));
    }
    const { a, byExit, direct } = await openClassic(bench);
    const many = (way: object) => () => a.ask<number>("puts", { ...way, atOnce: AT_ONCE, durationMs: ROUND_MS });
    const rates = bench.wants("classic-puts")
      ? await alternate(ROUNDS, { exit: many(byExit), direct: many(direct) })
      : undefined;
    const one = (way: object) => async () =>
      median(await a.ask<number[]>("latencies", { ...way, count: SINGLE_PUTS, gapMs: GAP_MS }));
    const idle = await alternate(ROUNDS, { exit: one(byExit), direct: one(direct) });
    const added = idle.exit.map((exitMs, round) => exitMs - idle.direct[round]!);
    return {
      ...(rates && { "classic-puts": { ours: rates.exit, reference: rates.direct } }),
      "classic-put": { ours: added, reference: idle.direct },
    };
  },
};

async function openClassic(bench: Bench) {
  const place = await namespaces(bench, 3, EDGES);
  route(place);
  const authority = await TestAuthority.make();
  const folder = tempFolderOf(bench);
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const { cert, key } = await authority.certify({ ip: [CLASSIC_HOST] });
  const files = [write("cert.pem", cert), write("key.pem", key)];
  const ca = write("authority.pem", authority.certificatePem);
  const where = [CLASSIC_HOST, String(CLASSIC_PORT)];
  await Worker.start(bench, "classic-homeserver", [...files, ...where], place.prefix(CLASSIC));
  // What the daemon believes beside the authorities of the platform.
  process.env["NODE_EXTRA_CA_CERTS"] = ca;
  bench.teardown(() => delete process.env["NODE_EXTRA_CA_CERTS"]);
  const nodes = await makeNodes(bench, { nodeCount: 2, edges: EDGES.slice(0, 1), place });
  const [node, exit] = [nodes[HOMESERVER]!, nodes[EXIT]!];
  const { worker } = await beside(bench, node, place.prefix(HOMESERVER));
  change(node.folder, { classic: "exit", exits: [exit.name] });
  change(exit.folder, { exit: { allow: [node.name] } });
  await startNodes(nodes);
  const to = `${CLASSIC_HOST}:${CLASSIC_PORT}`;
  const tls = { host: CLASSIC_HOST, port: CLASSIC_PORT, ca: authority.certificatePem };
  return { a: worker, byExit: { to }, direct: { to, tls } };
}

/** Gives exit and classic server addresses of the Internet, and lets the exit's host route what is sent directly. */
function route(place: Namespaces): void {
  const inside = (node: number, ...command: string[]) => {
    const [program = "", ...args] = [...place.prefix(node), ...command];
    execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  };
  inside(EXIT, "ip", "addr", "add", `${EXIT_HOST}/30`, "dev", "pe1a");
  inside(CLASSIC, "ip", "addr", "add", `${CLASSIC_HOST}/30`, "dev", "pe1b");
  inside(EXIT, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
  inside(HOMESERVER, "ip", "route", "add", "default", "via", place.address(EDGES[0]!).host);
  inside(CLASSIC, "ip", "route", "add", "default", "via", EXIT_HOST);
}

function change(folder: string, changes: object): void {
  const file = configPath(folder);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...changes }), { mode: 0o600 });
}
