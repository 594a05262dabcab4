import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Test } from "tap";
import type { GatewayRules } from "../../src/federation/gateway/gateway.js";
import type { Timers } from "../../src/federation/overlay.js";
import { Signer } from "../../src/federation/signing.js";
import { formatXMatrix } from "../../src/federation/x-matrix.js";
import { PROFILE } from "./attacking.js";
import { TestAuthority } from "./authority.js";
import { readAll } from "./listening.js";
import { TestNetwork, type TestNode } from "./network.js";
import { VERSION } from "./raw-node.js";
import { KEY_ID, startServer, type TestServer } from "./server.js";

/* A gateway, and a server of the overlay to which it brings classic ones. */

export const DOMAIN = "gw.example";

export interface GatewayPlace {
  readonly network: TestNetwork;
  readonly authority: TestAuthority;
  readonly gateway: TestServer;
  readonly server: TestServer;
  readonly allow: Set<string>;
  readonly rules: GatewayRules;
}

const AMPLE = { streams: 10_000, connectsPerMinute: 100_000, bytesPerDay: 1e12 };

/** Those of a gateway on a free port of loopback that serves `allow`, and lets everybody do much. */
export function gatewayRules(allow: ReadonlySet<string>, changes: Partial<GatewayRules> = {}): GatewayRules {
  return {
    domain: DOMAIN,
    listen: [{ host: "127.0.0.1", port: 0 }],
    allow,
    deny: new Set(),
    open: 0,
    quota: AMPLE,
    sourceQuota: AMPLE,
    fronts: new Set(),
    ...changes,
  };
}

export const hex = ({ key }: TestNode) => Buffer.from(key).toString("hex");

/** Where `isTerminated`, TLS ends at the gateway. */
export async function gatewayPlace(
  t: Test,
  timers?: Timers,
  changes: Partial<GatewayRules> = {},
  isTerminated = false,
): Promise<GatewayPlace> {
  const network = new TestNetwork();
  const authority = await TestAuthority.make();
  const allow = new Set<string>();
  const common = timers === undefined ? {} : { timers };
  const certify = async (name: string) => {
    const { cert: certificate, key } = await authority.certify({ dns: [name] });
    return async () => ({ certificate, key });
  };
  const terminate = isTerminated ? await certify(`*.${DOMAIN}`) : undefined;
  const rules = gatewayRules(allow, { terminate, ...changes });
  const gateway = await startServer(t, network, { ...common, gateway: rules });
  const server = await startServer(t, network, {
    ...common,
    suffix: DOMAIN,
    front: async (name) => ({
      gateways: new Set([hex(gateway.node)]),
      certificate: isTerminated ? undefined : await certify(name),
    }),
  });
  allow.add(hex(server.node));
  return { network, authority, gateway, server, allow, rules };
}

export function dial({ gateway }: GatewayPlace): Socket {
  const [address] = gateway.federation.gatewayAddresses() as [{ host: string; port: number }];
  return createConnection(address).on("error", () => {});
}

/** What a classic server is answered to bytes that it says in TLS for the server. */
export async function say(scene: GatewayPlace, bytes: string, servername = scene.server.name): Promise<string> {
  const secured = connectTls({ socket: dial(scene), servername, ca: scene.authority.certificatePem });
  await once(secured, "secureConnect");
  secured.write(bytes);
  return readAll(secured);
}

export const CLASSIC = new Signer(Buffer.alloc(32, 5), "classic.example");

export function get(
  { server }: GatewayPlace,
  path: string,
  changes: { host?: string; signer?: Signer; fields?: string } = {},
): string {
  const { host = server.name, signer = CLASSIC, fields = "" } = changes;
  const x = formatXMatrix(signer.authorization({ method: "GET", path, destination: server.name }, KEY_ID));
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nAuthorization: ${x}\r\n${fields}\r\n`;
}

export async function mustServe(t: Test, scene: GatewayPlace): Promise<void> {
  t.match(await say(scene, get(scene, VERSION)), /^HTTP\/1\.1 200 /, "an honest request succeeds meanwhile");
}

/** A classic server is answered six times, as a server of the Matrix federation answers it, and the homeserver sees who asked. */
export async function mustServeWhole(t: Test, scene: GatewayPlace): Promise<void> {
  const { server } = scene;
  const wellKnown = await say(scene, get(scene, "/.well-known/matrix/server"));
  t.match(wellKnown, `{"m.server":"${server.name}:443"}`);
  for (const host of [server.name, `${server.name}:443`, `${server.name}:8448`]) {
    t.match(await say(scene, get(scene, VERSION, { host })), /^HTTP\/1\.1 200 .*"name":"test"/s);
  }
  t.match(await say(scene, get(scene, "/_matrix/key/v2/server")), `"server_name":"${server.name}"`);
  t.match(await say(scene, get(scene, PROFILE)), /^HTTP\/1\.1 404 .*M_UNRECOGNIZED/s, "the homeserver's own answer");
  const last = server.asked.at(-1)!;
  t.equal(last.url, PROFILE);
  t.match(last.headers.authorization, 'X-Matrix origin="classic.example"');
  t.equal(last.headers.host, server.name);
}
