import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import t, { type Test } from "tap";
import {
  CLASSIC_REQUESTS_MAX,
  TLS_TIMEOUT_MS,
  WELL_KNOWN_BYTES_MAX,
  WELL_KNOWN_REDIRECTS_MAX,
} from "../../src/federation/classic/config.js";
import { TUNNEL_IDLE_MS } from "../../src/federation/config.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { PROFILE } from "./attacking.js";
import { answers, type ClassicPlace, classicPlace } from "./classic-place.js";
import { delegates } from "./internet.js";
import { codeIn, readAll } from "./listening.js";
import { VERSION } from "./raw-node.js";
import { addressOf, ask, codeOf, SECRET, startServer } from "./server.js";

/*
 * Names whose owners mean ill: anybody may have DNS and well-known say anything of a name, and anybody may have a homeserver ask for it.
 */

const FORBIDDEN = [
  ...["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.20.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"],
  ...["::1", "::", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::"],
  ...["2001:0:1:2::3", "ff02::1", "255.255.255.255", "8.0.0.99"],
];

/** A place with an honest classic server, for `mustServe`; this node has the address 8.0.0.99. */
async function place(t: Test, timers?: VirtualTimers): Promise<ClassicPlace> {
  const scene = await classicPlace(t, timers);
  scene.internet.own = ["8.0.0.99"];
  scene.internet.host("honest.example", "8.0.0.1");
  scene.internet.service("_matrix-fed._tcp.honest.example", "honest.example", 8448);
  await scene.internet.server("8.0.0.1", 8448, { dns: ["honest.example"] }, answers);
  return scene;
}

async function mustServe(t: Test, { server }: ClassicPlace): Promise<void> {
  t.equal((await ask(server, "honest.example", { path: PROFILE })).status, 200, "an honest request succeeds meanwhile");
}

t.test(
  "no connection is made to an address that is no host of the Internet, by whatever way it is named",
  async (t) => {
    const scene = await place(t);
    const { internet, server } = scene;
    const { stats } = server.federation;
    let number = 0;
    for (const address of FORBIDDEN) {
      const named = `n${++number}.example`;
      const served = `s${number}.example`;
      const delegating = `d${number}.example`;
      const literal = address.includes(":") ? `[${address}]` : address;
      internet.host(named, address);
      internet.service(`_matrix-fed._tcp.${served}`, named, 8448);
      internet.host(delegating, `9.0.0.${number}`);
      await internet.server(`9.0.0.${number}`, 443, { dns: [delegating] }, delegates(`${literal}:8448`));
      for (const name of [literal, `${literal}:443`, named, `${named}:8448`, served, delegating]) {
        const counted = stats.classicAddressesRefused;
        const [answer] = await Promise.all([ask(server, name, { path: PROFILE }), mustServe(t, scene)]);
        t.same([answer.status, codeOf(answer)], [502, "PINYON_CLASSIC_ADDRESS"], `${name}: ${address}`);
        t.ok(stats.classicAddressesRefused > counted, "it is counted");
      }
    }
    t.equal(stats.outboundErrors.PINYON_CLASSIC_ADDRESS, 6 * FORBIDDEN.length);
    const touched = internet.connected.filter((each) => FORBIDDEN.includes(each.split(" ")[0]!));
    t.same(touched, [], "none was connected to");
  },
);

t.test(
  "a name that leads to a good address when it is judged and to another when it is connected to gains nothing",
  async (t) => {
    const scene = await place(t);
    const { internet, server } = scene;
    internet.service("_matrix-fed._tcp.rebound.example", "rebound.example", 8448);
    // The first question is that for well-known, where nothing listens.
    internet.hosts.set("rebound.example", [["8.0.0.7"], ["8.0.0.7"], ["127.0.0.1"]]);
    await internet.server("8.0.0.7", 8448, { dns: ["rebound.example"] }, answers);
    t.equal((await ask(server, "rebound.example", { path: PROFILE })).status, 200);
    t.same(internet.connected.slice(-2), ["8.0.0.7 443", "8.0.0.7 8448"], "one question for each connection");
    t.same(internet.asked.filter((name) => name === "rebound.example").length, 2);
    internet.host("mixed.example", "127.0.0.1", "8.0.0.7", "::1");
    await internet.server("8.0.0.7", 443, { dns: ["mixed.example"] }, delegates("mixed.example:8449"));
    await internet.server("8.0.0.7", 8449, { dns: ["mixed.example"] }, answers);
    t.equal((await ask(server, "mixed.example", { path: PROFILE })).status, 200);
    t.same(internet.connected.slice(-2), ["8.0.0.7 443", "8.0.0.7 8449"], "of several addresses the good ones alone");
    t.equal(server.federation.stats.classicAddressesRefused, 4);
    await mustServe(t, scene);
  },
);

t.test("redirects of well-known are followed within bounds, over TLS, and into no private network", async (t) => {
  const scene = await place(t);
  const { internet, server } = scene;
  const { stats } = server.federation;
  const redirect = (location: string) => (_request: unknown, response: ServerResponse) =>
    response.writeHead(302, { location }).end();
  internet.host("inside.example", "10.0.0.1");
  internet.host("far.example", "8.0.0.20");
  await internet.server("8.0.0.20", 443, { dns: ["far.example"] }, ({ url }, response) => {
    const left = Number(url!.slice(1));
    if (left > 0) redirect(`/${left - 1}`)(undefined, response);
    else delegates("far.example:8448")(undefined as never, response);
  });
  await internet.server("8.0.0.20", 8448, { dns: ["far.example"] }, answers);
  const far = `https://far.example/${WELL_KNOWN_REDIRECTS_MAX - 1}`;
  const ways: Record<string, boolean> = {
    [far]: true,
    [`https://far.example/${WELL_KNOWN_REDIRECTS_MAX}`]: false,
    "https://inside.example/": false,
    "https://10.0.0.1/": false,
    "https://[::ffff:10.0.0.1]/": false,
    "https://0x0a000001/": false,
    "https://localhost/": false,
    "http://far.example/0": false,
    "https://user@far.example/0": false,
    "file:///etc/passwd": false,
    "": false,
    "/.well-known/matrix/server": false,
  };
  let number = 30;
  for (const [location, isFollowed] of Object.entries(ways)) {
    const address = `8.0.0.${++number}`;
    const name = `r${number}.example`;
    internet.host(name, address);
    await internet.server(address, 443, { dns: [name] }, redirect(location));
    const own = await internet.server(address, 8448, { dns: [name] }, answers);
    const failures = stats.wellKnownFailures;
    const [answer] = await Promise.all([ask(server, name, { path: PROFILE }), mustServe(t, scene)]);
    t.equal(answer.status, 200, location);
    t.equal(own.length, isFollowed ? 0 : 1, "where it says nothing that may be believed, the name is asked itself");
    t.ok(isFollowed || stats.wellKnownFailures > failures, "it is counted");
  }
  const touched = internet.connected.filter((each) => each.startsWith("10."));
  t.same(touched, []);
});

t.test("a well-known answer that is too long, broken or late is none", async (t) => {
  const timers = new VirtualTimers();
  const scene = await place(t, timers);
  const { internet, server } = scene;
  const bodies: ((response: ServerResponse) => void)[] = [
    (response) => response.end(`{"m.server":"a.example","x":"${"x".repeat(WELL_KNOWN_BYTES_MAX)}"}`),
    (response) => response.end("{broken"),
    (response) => response.end("[]"),
    (response) => response.end('{"m.server":1}'),
    (response) => response.end('{"m.server":"localhost"}'),
    (response) => response.end('{"m.server":"a.example/../x"}'),
    (response) => response.end('{"m.server":"a.example\\r\\nX: y"}'),
    (response) => response.writeHead(404).end('{"m.server":"a.example"}'),
    (response) => response.writeHead(200, { "content-length": 99 }).write("{", () => response.destroy()),
    (response) => response.socket!.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"),
  ];
  for (const [i, give] of bodies.entries()) {
    const name = `w${i}.example`;
    internet.host(name, `8.0.1.${i}`);
    await internet.server(`8.0.1.${i}`, 443, { dns: [name] }, (_request, response) => give(response));
    const own = await internet.server(`8.0.1.${i}`, 8448, { dns: [name] }, answers);
    t.equal((await ask(server, name, { path: PROFILE })).status, 200, `answer ${i}`);
    t.equal(own.length, 1);
    t.equal(server.federation.stats.wellKnownFailures, i + 1);
  }
  await mustServe(t, scene);
  internet.host("slow.example", "8.0.2.1");
  let held = 0;
  await internet.tcpServer("8.0.2.1", 443, () => held++);
  await internet.server("8.0.2.1", 8448, { dns: ["slow.example"] }, answers);
  const slow = ask(server, "slow.example", { path: PROFILE });
  await until("it is asked", () => held === 1);
  await mustServe(t, scene);
  timers.advance(TLS_TIMEOUT_MS);
  t.equal((await slow).status, 200);
});

t.test("what a classic server answers is read by one strict parser, and leads nowhere else", async (t) => {
  const scene = await place(t);
  const { internet, server } = scene;
  internet.host("a.example", "8.0.0.2");
  let bytes = "";
  await internet.server("8.0.0.2", 8448, { dns: ["a.example"] }, (request) => request.socket.end(bytes));
  const told = async (answer: string) => {
    bytes = answer;
    return ask(server, "a.example", { path: PROFILE });
  };
  const broken = [
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab",
    "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nab",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "220 mail.example ESMTP\r\n",
    "",
  ];
  for (const answer of broken) {
    const { status, body } = await told(answer);
    t.same([status, (JSON.parse(body) as { errcode: string }).errcode], [502, "PINYON_HOMESERVER_ANSWER"], answer);
  }
  t.equal(server.federation.stats.outboundErrors.PINYON_HOMESERVER_ANSWER, broken.length);
  const moved = await told(
    "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
  );
  t.same([moved.status, moved.headers.location, moved.headers["set-cookie"]], [302, undefined, undefined]);
  await mustServe(t, scene);
});

t.test("classic servers that never answer leave room for those of the overlay", async (t) => {
  const scene = await place(t);
  const { internet, server } = scene;
  const other = await startServer(t, server.node.network);
  internet.host("silent.example", "8.0.0.2");
  const reached = await internet.server("8.0.0.2", 8448, { dns: ["silent.example"] }, () => {});
  const asking = Array.from({ length: CLASSIC_REQUESTS_MAX }, () =>
    ask(server, "silent.example:8448", { path: PROFILE }).catch(() => "cut"),
  );
  await until("all are under way", () => reached.length === CLASSIC_REQUESTS_MAX);
  t.equal(codeOf(await ask(server, "honest.example", { path: PROFILE })), "PINYON_BUSY");
  t.equal(server.federation.stats.outboundErrors.PINYON_BUSY, 1);
  t.equal((await ask(server, other.name, { path: VERSION })).status, 200, "the overlay is served");
  for (const { request } of reached) request.socket.destroy();
  await Promise.all(asking);
  await mustServe(t, scene);
});

async function tunnel(t: Test, { server }: ClassicPlace, target: string) {
  const socket = connect(addressOf(server));
  t.teardown(() => socket.destroy());
  const basic = Buffer.from(`pinyon:${SECRET}`).toString("base64");
  socket.on("error", () => {}).write(`CONNECT ${target} HTTP/1.1\r\nProxy-Authorization: Basic ${basic}\r\n\r\n`);
  return socket;
}

t.test(
  "a homeserver that finds classic servers itself reaches them by a tunnel, with TLS from end to end",
  async (t) => {
    const scene = await place(t);
    const { internet } = scene;
    const socket = await tunnel(t, scene, "honest.example:8448");
    const [head] = (await once(socket, "data")) as [Buffer];
    t.equal(head.toString(), "HTTP/1.1 200 Connection established\r\n\r\n");
    const secured = connectTls({ socket, servername: "honest.example", ca: internet.authority.certificatePem });
    await once(secured, "secureConnect");
    secured.write(`GET ${VERSION} HTTP/1.1\r\nHost: honest.example\r\nConnection: close\r\n\r\n`);
    t.match(await readAll(secured), /^HTTP\/1\.1 200 OK\r\n.*\{"ok":true\}/s);
  },
);

t.test("a tunnel leads to no private network, and to no port where no Matrix server is", async (t) => {
  const scene = await place(t);
  const { internet, server } = scene;
  const { outboundErrors } = server.federation.stats;
  internet.host("inside.example", "10.0.0.1");
  const refusalOf = async (target: string) => codeIn(await readAll(await tunnel(t, scene, target)));
  t.equal(await refusalOf("inside.example:8448"), "PINYON_CLASSIC_ADDRESS");
  t.equal(await refusalOf("none.example:8448"), "PINYON_CLASSIC_LOOKUP");
  t.equal(await refusalOf("honest.example:9999"), "PINYON_CLASSIC_CONNECT");
  for (const target of ["honest.example:25", "honest.example:22", "127.0.0.1:8448", "[::1]:443", "8.0.0.1:80"]) {
    t.equal(await refusalOf(target), "PINYON_CONNECT_TARGET", target);
  }
  t.same([outboundErrors.PINYON_CLASSIC_ADDRESS, outboundErrors.PINYON_CONNECT_TARGET], [1, 5]);
  t.same(internet.connected, ["8.0.0.1 9999"]);
  await mustServe(t, scene);
});

t.test("a tunnel ends with either of its ends, and when nothing has passed for long", async (t) => {
  const timers = new VirtualTimers();
  const scene = await place(t, timers);
  scene.internet.host("tcp.example", "8.0.0.2");
  const far: Socket[] = [];
  await scene.internet.tcpServer("8.0.0.2", 8448, (socket) => far.push(socket));
  const open = async () => {
    const socket = await tunnel(t, scene, "tcp.example:8448");
    await once(socket, "data");
    await until("the far end is there", () => far.length > 0);
    return { near: socket, far: far.pop()! };
  };
  const one = await open();
  one.far.end("last words");
  t.equal(await readAll(one.near), "last words");
  const two = await open();
  const cut = once(two.far.resume(), "close");
  two.near.destroy();
  await cut;
  const three = await open();
  timers.advance(TUNNEL_IDLE_MS / 2);
  three.near.write("x");
  await once(three.far, "data");
  timers.advance(TUNNEL_IDLE_MS / 2);
  t.notOk(three.near.destroyed || three.near.readableEnded);
  const ended = readAll(three.near);
  timers.advance(TUNNEL_IDLE_MS / 2);
  t.equal(await ended, "");
  await until("no timer runs", () => timers.pendingCount === 0);
});
