import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import t from "tap";
import { configPath } from "../../src/daemon/state-folder.js";
import { tempFolder } from "../daemon/temp-folder.js";
import { type MeshNode, makeMesh, startAll } from "./mesh.js";
import { hookFor, startPebble } from "./pebble.js";
import { whyNoPebble } from "./pebble-install.js";
import { type Edge, freePorts, loopback } from "./place.js";

t.setTimeout(180_000);

/** A gateway, a node with a certificate of its own, and one for which TLS ends at the gateway. */
const [G, A, B] = [0, 1, 2];
const EDGES: readonly Edge[] = [
  [A, G],
  [B, G],
];
const DOMAIN = "gw.example";
const ISSUED_MS = 60_000;

function setConfig({ folder }: MeshNode, changes: object): void {
  const file = configPath(folder);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...changes }), { mode: 0o600 });
}

const skip = whyNoPebble() ?? false;
t.test(
  "daemons get their certificates from a real authority, keep them, and are reached by them",
  { skip },
  async (t) => {
    const [port = 0] = await freePorts(1);
    const pebble = await startPebble(t, port);
    const { directory, rootPem: ca } = pebble;
    const believed = join(tempFolder(t), "authority.pem");
    writeFileSync(believed, pebble.authorityPem);
    process.env["NODE_EXTRA_CA_CERTS"] = believed;
    t.teardown(() => delete process.env["NODE_EXTRA_CA_CERTS"]);
    const nodes = await makeMesh(t, { nodeCount: 3, edges: EDGES, place: await loopback(3) });
    const [gateway, own, trusting] = [nodes[G]!, nodes[A]!, nodes[B]!];
    const nameOf = ({ name }: MeshNode) => name.replace("pinyon.alt", DOMAIN);
    const allow = [nameOf(own), nameOf(trusting)];
    setConfig(gateway, {
      gateway: { domain: DOMAIN, listen: [`127.0.0.1:${port}`], allow, terminate: true },
      acme: { directory, hook: hookFor(t, pebble).hook },
    });
    const gateways = { nodes: [gateway.name] };
    setConfig(own, { suffix: DOMAIN, gateways, acme: { directory, email: "admin@gw.example" } });
    setConfig(trusting, { suffix: DOMAIN, gateways: { ...gateways, terminate: true } });
    await startAll(nodes);

    /** What a classic server finds for a node, and the serial number of what it was shown; undefined where it is not to be had. */
    const find = async (node: MeshNode): Promise<string | undefined> => {
      const name = nameOf(node);
      const secured = connectTls({ port, host: "127.0.0.1", servername: name, ca });
      try {
        await once(secured, "secureConnect");
        secured.write(`GET /.well-known/matrix/server HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
        const { serialNumber } = secured.getPeerCertificate();
        return (await text(secured)).includes(`{"m.server":"${name}:443"}`) ? serialNumber : undefined;
      } catch {
        return undefined;
      }
    };
    const found = async (node: MeshNode): Promise<string> => {
      for (const endMs = performance.now() + ISSUED_MS; ; ) {
        const serial = await find(node);
        if (serial !== undefined) return serial;
        if (performance.now() > endMs) throw new Error(readFileSync(join(node.folder, "daemon.log"), "utf8"));
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    };
    const serials = [await found(own), await found(trusting)];
    t.not(serials[0], serials[1], "each has its own");
    for (const [{ folder }, use] of [
      [own, "node"],
      [gateway, "gateway"],
    ] as const) {
      for (const file of ["acme-account.key", `acme-${use}.pem`]) {
        t.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file);
      }
    }
    await Promise.all([gateway, own].map((node) => node.end("SIGKILL")));
    await startAll([gateway, own]);
    t.same([await found(own), await found(trusting)], serials, "they are the same after a crash");
  },
);
