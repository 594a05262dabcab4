import { once } from "node:events";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import t from "tap";
import { CERTIFICATE_KEPT_MS } from "../../src/federation/certificates/config.js";
import { CLIENT_HELLO_TIMEOUT_MS, REQUEST_HEAD_TIMEOUT_MS } from "../../src/federation/config.js";
import { Signer } from "../../src/federation/signing.js";
import { formatXMatrix } from "../../src/federation/x-matrix.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { PROFILE } from "./attacking.js";
import { TestAuthority } from "./authority.js";
import {
  CLASSIC,
  DOMAIN,
  dial,
  type GatewayPlace,
  gatewayPlace,
  gatewayRules,
  get,
  hex,
  mustServe,
  mustServeWhole,
  say,
} from "./gateway-place.js";
import { clientHello } from "./hellos.js";
import { readAll } from "./listening.js";
import { TestNetwork } from "./network.js";
import { VERSION } from "./raw-node.js";
import { KEY_ID, startServer } from "./server.js";

/*
 * Classic servers that reach a server of the overlay by a gateway, which passes their TLS through.
 */

t.test("a classic server reaches a server of the overlay, with TLS that ends at its node", async (t) => {
  const scene = await gatewayPlace(t);
  await mustServeWhole(t, scene);
  const { stats } = scene.gateway.federation;
  await until("the connections are over", () => stats.gatewayAnswers === 6);
  t.same([stats.gatewayConnections, stats.inboundRequests], [6, 0]);
});

t.test("a renewed certificate is shown without a restart, and one that is broken is not", async (t) => {
  const timers = new VirtualTimers();
  const network = new TestNetwork();
  const authority = await TestAuthority.make();
  const allow = new Set<string>();
  const rules = gatewayRules(allow);
  const gateway = await startServer(t, network, { timers, gateway: rules });
  let shown = { certificate: "", key: "" };
  let reads = 0;
  const server = await startServer(t, network, {
    timers,
    suffix: DOMAIN,
    front: async (name) => {
      const { cert: certificate, key } = await authority.certify({ dns: [name], validMs: -1_000 });
      shown = { certificate, key };
      return {
        gateways: new Set([hex(gateway.node)]),
        certificate: async () => {
          reads++;
          return shown;
        },
      };
    },
  });
  allow.add(hex(server.node));
  const scene: GatewayPlace = { network, authority, gateway, server, allow, rules };
  await t.rejects(say(scene, ""), { code: "CERT_HAS_EXPIRED" });
  const renewed = await authority.certify({ dns: [server.name] });
  shown = { certificate: renewed.cert, key: renewed.key };
  await t.rejects(say(scene, ""), { code: "CERT_HAS_EXPIRED" });
  timers.advance(CERTIFICATE_KEPT_MS);
  await mustServe(t, scene);
  shown = { certificate: "half of", key: "a file" };
  timers.advance(CERTIFICATE_KEPT_MS);
  await mustServe(t, scene);
  t.same([reads, server.federation.stats.certificateFailures], [3, 1]);
});

t.test("10 MB pass each way through a gateway", async (t) => {
  const scene = await gatewayPlace(t);
  const { server } = scene;
  const secured = connectTls({ socket: dial(scene), servername: server.name, ca: scene.authority.certificatePem });
  await once(secured, "secureConnect");
  const path = "/_matrix/federation/v1/send/1";
  server.homeserver.removeAllListeners("request").on("request", (request, response) => request.pipe(response));
  const x = formatXMatrix(
    CLASSIC.authorization({ method: "PUT", path, destination: server.name, content: {} }, KEY_ID),
  );
  const answer = readAll(secured);
  secured.write(
    `PUT ${path} HTTP/1.1\r\nHost: ${server.name}\r\nConnection: close\r\nContent-Length: 10000000\r\nAuthorization: ${x}\r\n\r\n`,
  );
  secured.write(Buffer.alloc(10_000_000, "x"));
  t.equal((await answer).split("\r\n\r\n")[1]!.replaceAll(/\r\n[0-9a-f]*\r\n/g, "").length >= 10_000_000, true);
});

t.test("TLS for a name that is none of the gateway's, for none, or that is no TLS, is cut and counted", async (t) => {
  const timers = new VirtualTimers();
  const scene = await gatewayPlace(t, timers);
  const { network, server, gateway } = scene;
  const { gatewayErrors } = gateway.federation.stats;
  const [label] = server.name.split(".");
  const stranger = network.join(DOMAIN);
  const names = [
    ...[
      "matrix.org",
      `${label}.pinyon.alt`,
      `${label}.other.gw.example`,
      `${label}.xgw.example`,
      DOMAIN,
      stranger.name,
    ],
    ...[undefined, gateway.name],
  ];
  for (const name of names) {
    const counted = gatewayErrors.PINYON_GATEWAY_NAME;
    const socket = dial(scene);
    socket.write(await clientHello(name === undefined ? {} : { servername: name }));
    t.equal(Buffer.from(await readAll(socket), "latin1").toString("hex"), "15030300020270", `${name}: told so in TLS`);
    t.equal(gatewayErrors.PINYON_GATEWAY_NAME, counted + 1);
    await mustServe(t, scene);
  }
  const hello = await clientHello({ servername: server.name });
  for (const bytes of [
    "EHLO mail.example\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "\x80\x80\x01\x03\x01",
    hello.subarray(0, 99),
    "",
  ]) {
    const counted = gatewayErrors.PINYON_GATEWAY_HELLO;
    const socket = dial(scene);
    const said = readAll(socket);
    if (bytes.length > 0) socket.write(bytes);
    await mustServe(t, scene);
    timers.advance(CLIENT_HELLO_TIMEOUT_MS);
    t.equal(await said, "");
    await until("it is counted", () => gatewayErrors.PINYON_GATEWAY_HELLO === counted + 1);
  }
  t.same(stranger.searches, 0);
});

/** A socket that sends the first bytes that are written in ten pieces. */
class InPieces extends Duplex {
  #isFirst = true;

  constructor(private readonly socket: Socket) {
    super();
    socket.setNoDelay().on("data", (chunk: Buffer) => this.push(chunk));
  }

  override async _write(chunk: Buffer, _encoding: string, done: () => void): Promise<void> {
    const sizeBytes = this.#isFirst ? Math.ceil(chunk.length / 10) : chunk.length;
    this.#isFirst = false;
    for (let at = 0; at < chunk.length; at += sizeBytes) {
      this.socket.write(chunk.subarray(at, at + sizeBytes));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    done();
  }

  override _read(): void {}

  override _destroy(_error: Error | null, done: () => void): void {
    this.socket.destroy();
    done();
  }
}

t.test("a hello in ten pieces passes, and slow ones hold nobody up", async (t) => {
  const timers = new VirtualTimers();
  const scene = await gatewayPlace(t, timers);
  const { server, authority, gateway } = scene;
  const slow = Array.from({ length: 100 }, () => dial(scene));
  await until("they are there", () => gateway.federation.stats.gatewayConnections === slow.length);
  for (const socket of slow) socket.write(Buffer.from([22]));
  await mustServe(t, scene);
  const secured = connectTls({
    socket: new InPieces(dial(scene)),
    servername: server.name,
    ca: authority.certificatePem,
  });
  await once(secured, "secureConnect");
  secured.destroy();
  const closed = slow.map((each) => readAll(each));
  timers.advance(CLIENT_HELLO_TIMEOUT_MS);
  await Promise.all(closed);
  t.equal(gateway.federation.stats.gatewayErrors.PINYON_GATEWAY_HELLO, slow.length);
});

t.test("a classic server that begins no request, or ends none, is cut", async (t) => {
  const timers = new VirtualTimers();
  const scene = await gatewayPlace(t, timers);
  const { server, authority } = scene;
  const open = async () => {
    const secured = connectTls({ socket: dial(scene), servername: server.name, ca: authority.certificatePem });
    await once(secured, "secureConnect");
    return secured;
  };
  const silent = await open();
  const slow = await open();
  const idle = await open();
  slow.write("GET / HTTP/1.1\r\nX: ");
  idle.write(get(scene, VERSION).replace("Connection: close\r\n", ""));
  const [answer] = (await once(idle, "data")) as [Buffer];
  t.match(answer.toString(), "HTTP/1.1 200 OK");
  const ended = [silent, slow, idle].map((socket) => readAll(socket));
  await mustServe(t, scene);
  timers.advance(REQUEST_HEAD_TIMEOUT_MS);
  await Promise.all(ended);
  t.equal(server.asked.length, 2);
});

t.test("an overlay origin, an odd head and what is no federation are refused behind a gateway", async (t) => {
  const scene = await gatewayPlace(t);
  const { network, server } = scene;
  const { inboundErrors } = server.federation.stats;
  const forger = network.join();
  const overlay = (name: string) => new Signer(forger.seed, name);
  const upper = server.name.toUpperCase();
  const attacks: [bytes: string, code: keyof typeof inboundErrors | undefined][] = [
    [get(scene, PROFILE, { signer: overlay(forger.name) }), "PINYON_ORIGIN"],
    [get(scene, PROFILE, { signer: overlay(server.name) }), "PINYON_ORIGIN"],
    [get(scene, PROFILE, { signer: overlay(upper) }), "PINYON_ORIGIN"],
    [get(scene, PROFILE, { signer: overlay("localhost") }), "PINYON_ORIGIN"],
    [get(scene, PROFILE).replace(`destination="${server.name}"`, 'destination="b.example"'), "PINYON_DESTINATION"],
    [get(scene, PROFILE, { host: "classic.example" }), "PINYON_DESTINATION"],
    [get(scene, PROFILE).replace(/Authorization.*\r\n/, ""), "PINYON_AUTHORIZATION"],
    [get(scene, "/_matrix/client/versions"), "PINYON_PATH"],
    [get(scene, "/_matrix/federation/v1/..%2fclient"), "PINYON_PATH"],
    [get(scene, "/_pinyon/v1/wake").replace("GET", "POST"), "PINYON_PATH"],
    [get(scene, PROFILE, { fields: `Host: ${server.name}\r\n` }), "PINYON_HEADERS"],
    [get(scene, PROFILE).replace("HTTP/1.1", "HTTP/1.0"), "PINYON_HEADERS"],
    [get(scene, PROFILE, { fields: "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n" }), undefined],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", undefined],
    [get(scene, PROFILE, { fields: "X: a\rb\r\n" }), undefined],
  ];
  server.asked.length = 0;
  for (const [bytes, code] of attacks) {
    const counted = code === undefined ? 0 : inboundErrors[code];
    const [said] = await Promise.all([say(scene, bytes), mustServe(t, scene)]);
    if (code === undefined) t.notMatch(said, "HTTP/1.1 200");
    else t.match(said, `"errcode":"${code}"`, bytes);
    if (code !== undefined) t.equal(inboundErrors[code], counted + 1);
  }
  t.same(new Set(server.asked.map(({ url }) => url)), new Set([VERSION]), "nothing reached the homeserver");
});

t.test("a node takes nobody from a gateway that it does not name, and one that is away is told as that", async (t) => {
  const scene = await gatewayPlace(t);
  const { network, gateway, allow } = scene;
  const { gatewayErrors } = gateway.federation.stats;
  const closed = await startServer(t, network, { suffix: DOMAIN });
  allow.add(hex(closed.node));
  const refused = async (name: string) => {
    const socket = dial(scene);
    socket.write(await clientHello({ servername: name }));
    return readAll(socket);
  };
  t.equal(await refused(closed.name), "");
  t.equal(gatewayErrors.PINYON_GATEWAY_FORBIDDEN, 1);
  t.equal(closed.federation.stats.inboundErrors.PINYON_GATEWAY_FORBIDDEN, 1);
  closed.node.leave();
  t.equal(await refused(closed.name), "");
  t.equal(gatewayErrors.PINYON_UNREACHABLE, 1);
  await mustServe(t, scene);
});

t.test("a node that names several gateways is reached by each, and by the other when one is gone", async (t) => {
  const network = new TestNetwork();
  const authority = await TestAuthority.make();
  const allow = new Set<string>();
  const rules = gatewayRules(allow);
  const gateways = [
    await startServer(t, network, { gateway: rules }),
    await startServer(t, network, { gateway: rules }),
  ];
  const [first, second] = gateways as [(typeof gateways)[0], (typeof gateways)[0]];
  let isHeld = false;
  const server = await startServer(t, network, {
    suffix: DOMAIN,
    front: async (name) => {
      const { cert: certificate, key } = await authority.certify({ dns: [name] });
      return {
        gateways: new Set(gateways.map(({ node }) => hex(node))),
        certificate: async () => ({ certificate, key }),
      };
    },
    answers: { "/_matrix/federation/v1/send/": (_request, response) => void (isHeld || response.end("{}")) },
  });
  allow.add(hex(server.node));
  const scene = { network, authority, server, allow, rules };
  for (const gateway of gateways) await mustServe(t, { ...scene, gateway });
  isHeld = true;
  const path = "/_matrix/federation/v1/send/1";
  const x = formatXMatrix(
    CLASSIC.authorization({ method: "PUT", path, destination: server.name, content: {} }, KEY_ID),
  );
  const head = `PUT ${path} HTTP/1.1\r\nHost: ${server.name}\r\nContent-Length: 2\r\nAuthorization: ${x}\r\n\r\n{}`;
  const held = say({ ...scene, gateway: first }, head);
  await until("the request is there", () => server.asked.some(({ url }) => url === path));
  await first.federation.stop();
  t.equal(await held, "", "what waited is cut, not answered");
  await mustServe(t, { ...scene, gateway: second });
  t.equal(server.asked.filter(({ url }) => url === path).length, 1, "and asked once");
});
