import { once } from "node:events";
import type { Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import t, { type Test } from "tap";
import { CLIENT_HELLO_TIMEOUT_MS } from "../../src/federation/config.js";
import { plainAddress } from "../../src/federation/gateway/source.js";
import type { Timers } from "../../src/federation/overlay.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { DOMAIN, dial, type GatewayPlace, gatewayPlace, gatewayRules, get, hex } from "./gateway-place.js";
import { clientHello } from "./hellos.js";
import { readAll } from "./listening.js";
import { binaryHeader, headerFrom, V4 } from "./proxy-headers.js";
import { VERSION } from "./raw-node.js";
import type { TestServer } from "./server.js";
import { startServer } from "./server.js";

/*
 * What one node, one address, or all that nothing names may use of a gateway. The gateway's front is this machine, which says in the PROXY
 * protocol whom each connection is for.
 */

const LOOPBACK = plainAddress("127.0.0.1")!;
const QUOTA = { streams: 4, connectsPerMinute: 60, bytesPerDay: 50_000 };
const AMPLE = { streams: 1_000, connectsPerMinute: 10_000, bytesPerDay: 1e9 };

function fronted(t: Test, changes: object = {}, timers?: Timers): Promise<GatewayPlace> {
  return gatewayPlace(t, timers, { fronts: new Set([LOOPBACK]), ...changes });
}

/** A connection from an address, by the front. */
function dialFrom(scene: GatewayPlace, address: string): Socket {
  const socket = dial(scene);
  socket.write(headerFrom(address));
  return socket;
}

async function secureFrom(scene: GatewayPlace, address: string, to: TestServer = scene.server) {
  const socket = dialFrom(scene, address);
  const secured = connectTls({ socket, servername: to.name, ca: scene.authority.certificatePem });
  secured.on("error", () => {});
  await once(secured, "secureConnect");
  return secured;
}

async function mustServe(t: Test, scene: GatewayPlace): Promise<void> {
  const secured = await secureFrom(scene, "8.8.8.8");
  secured.write(get(scene, VERSION));
  t.match(await readAll(secured), /^HTTP\/1\.1 200 /, "an honest request succeeds meanwhile");
}

t.test("a front says whom a connection is for, in either version, and nobody else does", async (t) => {
  const timers = new VirtualTimers();
  const scene = await fronted(t, {}, timers);
  const { gateway, server } = scene;
  const { gatewayErrors } = gateway.federation.stats;
  await mustServe(t, scene);
  await until("it is over", () => gateway.used.length === 1);
  const [use] = gateway.used;
  t.match(use, { way: "gateway", key: hex(server.node), host: "8.8.8.8" });
  t.ok(use!.sizeBytes > 1_000);
  t.equal(gateway.federation.stats.gatewayBytes, use!.sizeBytes);
  const hello = await clientHello({ servername: server.name });
  for (const header of [binaryHeader(0x20, 0), Buffer.from("PROXY TCP4 8.0.0.9 8.0.0.1 1 443\r\n")]) {
    const socket = dial(scene);
    for (const byte of header) socket.write(Buffer.from([byte]));
    socket.write(hello);
    await once(socket, "data");
    socket.destroy();
  }
  await until("they are over", () => gateway.used.length === 3);
  t.same(
    gateway.used.map(({ host }) => host),
    ["8.8.8.8", LOOPBACK, "8.0.0.9"],
  );
  const refused = [hello, Buffer.from("PROXY TCP4 8.0.0.9\r\n"), binaryHeader(0x21, 0x12, V4), Buffer.from("PROXY")];
  for (const [i, bytes] of refused.entries()) {
    const socket = dial(scene);
    const said = readAll(socket);
    socket.write(bytes);
    await mustServe(t, scene);
    if (bytes.length === 5) timers.advance(CLIENT_HELLO_TIMEOUT_MS);
    t.equal(await said, "");
    t.equal(gatewayErrors.PINYON_GATEWAY_PROXY, i + 1);
  }
  dial(scene).end();
  dial(scene).end(binaryHeader(0x20, 0));
  await until("a front may look whether it is alive", () => gateway.federation.stats.gatewayChecks === 2);
  const open = await gatewayPlace(t);
  const socket = dialFrom(open, "8.8.8.8");
  t.equal(await readAll(socket), "", "this one names no front");
  t.equal(open.gateway.federation.stats.gatewayErrors.PINYON_GATEWAY_PROXY, 1);
});

t.test("thousands of idle connections from one address hold up nobody else", async (t) => {
  const timers = new VirtualTimers();
  const scene = await fronted(t, { sourceQuota: { ...AMPLE, streams: 50 } }, timers);
  const { gatewayErrors } = scene.gateway.federation.stats;
  const sockets: Socket[] = [];
  for (let i = 0; i < 3_000; i++) {
    sockets.push(dialFrom(scene, "8.0.0.66"));
    if (i % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await until("all but so many are refused", () => gatewayErrors.PINYON_GATEWAY_QUOTA === 2_950);
  await mustServe(t, scene);
  const [...accounts] = scene.gateway.federation.gatewayAccounts().sources;
  t.match(accounts.find(([source]) => source === "8.0.0.66")?.[1], { streams: 50, connects: 50, refusals: 2_950 });
  timers.advance(CLIENT_HELLO_TIMEOUT_MS);
  await until("those are cut that say nothing", () => gatewayErrors.PINYON_GATEWAY_HELLO === 50);
  for (const socket of sockets) socket.destroy();
  (await secureFrom(scene, "8.0.0.66")).destroy();
});

t.test("one address uses no more than its quota, a network of IPv6 as one, and others are served", async (t) => {
  const timers = new VirtualTimers();
  const scene = await fronted(t, { sourceQuota: { ...AMPLE, connectsPerMinute: 60 } }, timers);
  const { gatewayErrors } = scene.gateway.federation.stats;
  const six = (last: number) => Buffer.from(`PROXY TCP6 2600::${last.toString(16)} 2600:1::1 1 443\r\n`);
  const refused = async (header: Buffer) => {
    const counted = gatewayErrors.PINYON_GATEWAY_QUOTA;
    const socket = dial(scene);
    socket.write(Buffer.concat([header, Buffer.from("x")]));
    t.equal(await readAll(socket), "");
    return gatewayErrors.PINYON_GATEWAY_QUOTA > counted;
  };
  for (let i = 0; i < 60; i++) t.notOk(await refused(six(i)));
  t.ok(await refused(six(60)), "connections of a minute");
  await mustServe(t, scene);
  t.notOk(await refused(Buffer.from("PROXY TCP6 2600:0:0:1::1 2600:1::1 1 443\r\n")), "another network is");
  timers.advance(1_000);
  t.notOk(await refused(six(61)), "one more after a second");
  t.ok(await refused(six(62)));
});

t.test("one node uses no more than its quota, and another is served meanwhile", async (t) => {
  const timers = new VirtualTimers();
  const scene = await fronted(t, { quota: QUOTA }, timers);
  const { network, authority, allow, gateway, server } = scene;
  const { gatewayErrors } = gateway.federation.stats;
  const greedy = await startServer(t, network, {
    timers,
    suffix: DOMAIN,
    front: async (name) => {
      const { cert: certificate, key } = await authority.certify({ dns: [name] });
      return { gateways: new Set([hex(gateway.node)]), certificate: async () => ({ certificate, key }) };
    },
  });
  allow.add(hex(greedy.node));
  const open = [];
  for (let i = 0; i < QUOTA.streams; i++) open.push(await secureFrom(scene, `8.0.0.${i}`, greedy));
  const hello = await clientHello({ servername: greedy.name });
  const fifth = dialFrom(scene, "8.0.0.9");
  fifth.write(hello);
  t.same([await readAll(fifth), gatewayErrors.PINYON_GATEWAY_QUOTA], ["", 1], "streams");
  await mustServe(t, scene);
  const [first] = open as [(typeof open)[0]];
  const cut = readAll(first);
  first.write(Buffer.alloc(100_000));
  await cut;
  await until("the stream is cut when the day's bytes are used up", () => gatewayErrors.PINYON_GATEWAY_QUOTA >= 2);
  for (const each of open) each.destroy();
  await until("they are over", () => gateway.used.filter(({ key }) => key === hex(greedy.node)).length === 4);
  const counted = gatewayErrors.PINYON_GATEWAY_QUOTA;
  const last = dialFrom(scene, "8.0.0.9");
  last.write(hello);
  t.same([await readAll(last), gatewayErrors.PINYON_GATEWAY_QUOTA], ["", counted + 1], "and in a new one");
  await mustServe(t, scene);
  t.ok(server.asked.length > 0);
});

t.test("sources that hold all that they can of a node leave room for others", async (t) => {
  const timers = new VirtualTimers();
  const scene = await fronted(t, { quota: { ...AMPLE, streams: 24 } }, timers);
  const { gateway } = scene;
  const { gatewayErrors } = gateway.federation.stats;
  const held: TLSSocket[] = [];
  const hold = async (address: string) => {
    for (let counted = gatewayErrors.PINYON_GATEWAY_QUOTA; ; ) {
      const secured = connectTls({
        socket: dialFrom(scene, address),
        servername: scene.server.name,
        rejectUnauthorized: false,
      });
      const isOpen = await new Promise((resolve) => {
        secured
          .once("secureConnect", () => resolve(true))
          .once("close", () => resolve(false))
          .on("error", () => {});
      });
      if (isOpen) held.push(secured);
      else return t.equal(gatewayErrors.PINYON_GATEWAY_QUOTA, ++counted);
    }
  };
  await hold("8.0.0.66");
  t.equal(held.length, 8, "a third");
  for (let i = 0; i < 5; i++) await hold(`8.0.1.${i}`);
  t.ok(held.length < 24);
  await mustServe(t, scene);
  for (const secured of held.splice(0)) secured.destroy();
  await until("they are over", () => gateway.federation.openUses().length === 0);
  await hold("8.0.0.66");
  t.equal(held.length, 8);
});

t.test("an open gateway gives all nodes that nothing names one share, and new keys no more", async (t) => {
  const timers = new VirtualTimers();
  const quota = { ...QUOTA, connectsPerMinute: 10, bytesPerDay: 1e9 };
  const scene = await fronted(t, { quota, open: 2 }, timers);
  const { network, gateway } = scene;
  const { stats } = gateway.federation;
  const strangers = Array.from({ length: 30 }, () => network.join(DOMAIN));
  for (const stranger of strangers) {
    const socket = dialFrom(scene, "8.0.0.66");
    socket.write(await clientHello({ servername: stranger.name }));
    t.equal(await readAll(socket), "");
  }
  t.equal(stats.gatewayErrors.PINYON_GATEWAY_QUOTA, 10, "two nodes' share of connections");
  t.equal(gateway.node.searches, 20, "the mesh is not asked for the rest");
  await mustServe(t, scene);
  const closed = gatewayRules(scene.allow, { ...scene.rules, open: 0 });
  gateway.federation.setGatewayRules(closed);
  const socket = dialFrom(scene, "8.0.0.66");
  socket.write(await clientHello({ servername: strangers[0]!.name }));
  t.not(await readAll(socket), "");
  t.equal(stats.gatewayErrors.PINYON_GATEWAY_NAME, 1);
});

t.test("an open gateway serves a node that nothing names", async (t) => {
  const scene = await fronted(t, { open: 1 });
  const { gateway, server, allow } = scene;
  const node = hex(server.node);
  t.equal(gateway.federation.gatewayStanding(node), "allowed");
  allow.clear();
  t.equal(gateway.federation.gatewayStanding(node), "unknown");
  await mustServe(t, scene);
});

t.test("a node that is taken off the list is cut at once, and one that is denied is not served", async (t) => {
  const scene = await fronted(t);
  const { gateway, server, rules, allow } = scene;
  const secured = await secureFrom(scene, "8.0.0.5");
  const ended = readAll(secured);
  gateway.federation.setGatewayRules({ ...rules, deny: new Set([hex(server.node)]) });
  await ended;
  const socket = dialFrom(scene, "8.0.0.5");
  socket.write(await clientHello({ servername: server.name }));
  t.equal(Buffer.from(await readAll(socket), "latin1").toString("hex"), "15030300020270");
  gateway.federation.setGatewayRules({ ...rules, allow });
  await mustServe(t, scene);
});
