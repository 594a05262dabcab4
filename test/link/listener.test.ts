import { createServer } from "node:net";
import { connect as connectTls } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import t from "tap";
import { Dialer } from "../../src/link/dialer.js";
import type { Link } from "../../src/link/link.js";
import { Listener, type ListenerOptions } from "../../src/link/listener.js";
import { parsePeerUri } from "../../src/link/peer-uri.js";
import { CloseCode } from "../../src/wire/codes.js";
import { FRAME_BYTES_MAX } from "../../src/wire/limits.js";
import { collect, collectClose, equal, pattern } from "./contract.js";
import { LISTENER_CERTIFICATE, startListener } from "./listening.js";
import { frame, RawClient, upgradeRequest } from "./raw-client.js";
import { realTimers } from "./timers.js";
import { until } from "./until.js";

const BINARY = 0x82;
const BINARY_BEGIN = 0x02;
const CONTINUATION = 0x00;
const TEXT = 0x81;
const PING = 0x89;
const PONG = 0x8a;

/** A listener whose links send back what they get. */
async function startEcho(
  options: Partial<ListenerOptions> = {},
): Promise<{ listener: Listener; port: number; links: Link[] }> {
  const links: Link[] = [];
  const started = await startListener({
    onLink: (link) => {
      links.push(link);
      link.onMessage = (message) => link.send(message);
    },
    ...options,
  });
  return { ...started, links };
}

/** Links as an honest peer and gets a message back, or rejects. */
async function served(port: number, scheme: "ws" | "wss" = "wss", path = "/"): Promise<void> {
  let link: Link | undefined;
  const dialer = new Dialer({
    uri: parsePeerUri(`${scheme}://127.0.0.1:${port}${path}`),
    timers: realTimers,
    random: () => 0,
    onLink: (dialled) => {
      link = dialled.link;
    },
  });
  dialer.start();
  try {
    await until("an honest peer has its link", () => link !== undefined);
    const received = collect(link!);
    link!.send(pattern(1_400, 1));
    await until("an honest peer has its answer", () => received.length === 1);
    if (!equal(pattern(1_400, 1), received[0])) throw new Error("another message came back");
  } finally {
    dialer.stop();
    link?.close(CloseCode.SHUTDOWN, "");
  }
}

t.test("one port serves ws and wss on any path", async (t) => {
  const { listener, port } = await startEcho();
  await served(port, "ws");
  await served(port, "wss");
  await served(port, "ws", "/some/path");
  await served(port, "wss", "/some/path");
  t.equal(listener.stats.links, 4);
  await listener.close();
  t.equal(listener.linkCount, 0);
  t.equal(listener.address(), undefined);
});

t.test("a link says where it comes from, IPv4 in its own form", async (t) => {
  const links: Link[] = [];
  const onAll = new Listener({
    certificate: LISTENER_CERTIFICATE,
    timers: realTimers,
    onLink: (link) => {
      links.push(link);
      link.onMessage = (message) => link.send(message);
    },
  });
  await onAll.listen(0);
  await served(onAll.address()!.port);
  t.match(links[0]?.remote, /^127\.0\.0\.1:\d+$/);
  t.equal(links[0]?.dialled, false);
  await onAll.close();
});

t.test("a few pings are answered", async (t) => {
  const { listener, port } = await startEcho();
  const client = new RawClient(port);
  await client.upgrade();
  for (let index = 0; index < 5; index++) client.socket.write(frame(PING, Uint8Array.of(index)));
  await until("the pongs", () => client.received.length === 15);
  t.same(
    [...client.received],
    [0, 1, 2, 3, 4].flatMap((index) => [PONG, 1, index]),
  );
  client.socket.destroy();
  await listener.close();
});

t.test("a taken port is the system's error", async (t) => {
  const { listener, port } = await startEcho();
  const other = new Listener({ certificate: LISTENER_CERTIFICATE, timers: realTimers, onLink: () => {} });
  await t.rejects(other.listen(port, "127.0.0.1"), { code: "EADDRINUSE" });
  await listener.close();
});

t.test("a plain request is told what this is", async (t) => {
  const { listener, port } = await startEcho();
  const client = new RawClient(port);
  client.socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await client.closed();
  t.match(client.received.toString(), /^HTTP\/1.1 426 .*This is a Pinyon node\./s);

  const secured = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
  let text = "";
  secured.on("data", (chunk) => {
    text += chunk;
  });
  secured.write("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  await until("the answer", () => text.includes("This is a Pinyon node."));
  await until("it ends", () => secured.closed);
  t.equal(listener.stats.plainRequests, 2);
  await listener.close();
});

t.test("close tells the links, cuts who waits, and takes no more", async (t) => {
  const { listener, port, links } = await startEcho();
  const client = new RawClient(port);
  const waiting = new RawClient(port);
  await client.upgrade();
  const closed = collectClose(links[0]!);
  const ending = listener.close();
  await until("the close frame", () => client.closeCode() !== undefined);
  t.equal(client.closeCode(), 4000 + CloseCode.SHUTDOWN);
  client.socket.end();
  await ending;
  t.equal(closed.length, 1);
  await waiting.closed();
  const late = new RawClient(port);
  await late.closed();
});

t.test("silent and byte-by-byte clients are cut at the deadline, however busy they keep the line", async (t) => {
  const { listener, port } = await startEcho({ limits: { upgradeTimeoutMs: 400 } });
  const silent = new RawClient(port);
  const slow = [
    upgradeRequest(`X: ${"x".repeat(4_000)}\r\n`),
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(99),
  ];
  const slowClients = slow.map((text) => {
    const client = new RawClient(port);
    let index = 0;
    const timer = setInterval(() => client.socket.write(text[index++] ?? "x", "latin1"), 20);
    client.socket.once("close", () => clearInterval(timer));
    return client;
  });
  await served(port, "ws");
  await served(port, "wss");
  for (const client of [silent, ...slowClients]) {
    await client.closed();
    t.equal(client.received.length, 0);
  }
  t.ok(listener.stats.upgradeTimeouts >= 3);
  t.equal(listener.waitingCount, 0);
  await listener.close();
});

t.test("200 idle connections keep nobody out", async (t) => {
  const { listener, port } = await startEcho({ limits: { waitingMax: 50, waitingPerSourceMax: 40 } });
  const idle = Array.from({ length: 100 }, (_, index) => [
    new RawClient(port, "127.0.0.1"),
    new RawClient(port, `127.0.0.${2 + (index % 20)}`),
  ]).flat();
  await until("all have come", () => listener.stats.accepted === 200);
  t.ok(listener.waitingCount <= 50, `${listener.waitingCount} wait`);
  t.equal(listener.stats.waitingEvictions, 200 - listener.waitingCount);
  await Promise.all([served(port, "ws"), served(port, "wss"), served(port, "ws")]);
  t.equal(listener.stats.links, 3);
  await listener.close();
  for (const client of idle) await client.closed();
});

t.test("garbage instead of a request is refused and counted", async (t) => {
  const { listener, port } = await startEcho();
  const http = new RawClient(port);
  http.socket.write("\x00\xff\x80 garbage\r\n\r\n", "latin1");
  await http.closed();
  t.match(http.received.toString(), /^HTTP\/1.1 400 /);
  const tls = new RawClient(port);
  tls.socket.write("\x16 garbage that is no handshake at all", "latin1");
  await tls.closed();
  const badUpgrade = new RawClient(port);
  badUpgrade.socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  await badUpgrade.closed();
  t.match(badUpgrade.received.toString(), /^HTTP\/1.1 400 /);
  t.equal(listener.stats.badRequests, 2);
  t.equal(listener.stats.tlsFailures, 1);
  await served(port);
  await listener.close();
});

t.test("headers over their limit are refused and counted", async (t) => {
  const { listener, port } = await startEcho();
  const client = new RawClient(port);
  client.socket.write(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}`);
  await client.closed();
  t.match(client.received.toString(), /^HTTP\/1.1 431 /);
  t.equal(listener.stats.headerOverflows, 1);
  await served(port);
  await listener.close();
});

t.test("a web page is refused: it would come in under the address of its browser", async (t) => {
  const { listener, port } = await startEcho();
  const client = new RawClient(port);
  client.socket.write(upgradeRequest("Origin: https://page.example\r\n"));
  await client.closed();
  t.match(client.received.toString(), /^HTTP\/1.1 403 /);
  t.equal(listener.stats.originRefusals, 1);
  await served(port);
  await listener.close();
});

t.test("an address that is not admitted is told so a few times, then cut without a byte", async (t) => {
  const { listener, port } = await startEcho({
    admit: (address) => address === "127.0.0.1",
    limits: { refusalsToldPerSecond: 1 },
  });
  const told = new RawClient(port, "127.0.0.2");
  await told.upgrade();
  await until("the close frame", () => told.closeCode() !== undefined);
  t.equal(told.closeCode(), 4000 + CloseCode.ADDRESS);
  const cut = Array.from({ length: 20 }, () => new RawClient(port, "127.0.0.2"));
  for (const client of cut) {
    await client.closed();
    t.equal(client.received.length, 0);
  }
  t.equal(listener.stats.addressRefusals, 21);
  t.equal(listener.stats.refusalsTold, 1);
  t.equal(listener.stats.links, 0);
  await served(port);
  told.socket.destroy();
  await listener.close();
});

t.test("links have a bound in all and for each source", async (t) => {
  const { listener, port } = await startEcho({
    limits: { linksMax: 3, linksPerSourceMax: 2, refusalsToldPerSecond: 100 },
  });
  const refusedCode = async (source: string): Promise<number | undefined> => {
    const client = new RawClient(port, source);
    await client.upgrade();
    await until("a close frame, if any", () => client.closeCode() !== undefined || listener.linkCount > links.length);
    if (client.closeCode() === undefined) links.push(client);
    else client.socket.destroy();
    return client.closeCode();
  };
  const links: RawClient[] = [];
  t.equal(await refusedCode("127.0.0.1"), undefined);
  t.equal(await refusedCode("127.0.0.1"), undefined);
  t.equal(await refusedCode("127.0.0.1"), 4000 + CloseCode.BUSY, "no third from one source");
  t.equal(await refusedCode("127.0.0.2"), undefined);
  t.equal(await refusedCode("127.0.0.3"), 4000 + CloseCode.BUSY, "no fourth in all");
  t.equal(listener.stats.busyRefusals, 2);
  t.equal(listener.linkCount, 3);
  links[0]!.socket.destroy();
  await until("a link ends", () => listener.linkCount === 2);
  await served(port);
  for (const client of links) client.socket.destroy();
  await listener.close();
});

/** What a client that breaks the rules after its upgrade is told, and what moves. */
const BREACHES = {
  "a text message": { bytes: frame(TEXT, Buffer.from("hello")), code: CloseCode.MALFORMED, counter: "textMessages" },
  "a message one byte too long": {
    bytes: frame(BINARY, new Uint8Array(0), FRAME_BYTES_MAX + 1),
    code: CloseCode.OVERSIZE,
    counter: "oversizeMessages",
  },
  "a length of 2^53": {
    bytes: frame(BINARY, new Uint8Array(0), 2 ** 53),
    code: CloseCode.OVERSIZE,
    counter: "oversizeMessages",
  },
  "fragments that are too long together": {
    bytes: Buffer.concat([
      frame(BINARY_BEGIN, new Uint8Array(40_000)),
      frame(CONTINUATION, new Uint8Array(0), FRAME_BYTES_MAX),
    ]),
    code: CloseCode.OVERSIZE,
    counter: "oversizeMessages",
  },
  "a bomb of fragments": {
    bytes: Buffer.concat([
      frame(BINARY_BEGIN, new Uint8Array(1)),
      ...Array.from({ length: 5_000 }, () => frame(CONTINUATION, new Uint8Array(0))),
    ]),
    code: CloseCode.FLOOD,
    counter: "fragmentBombs",
  },
  "a flood of pings": {
    bytes: Buffer.concat(Array.from({ length: 10_000 }, () => frame(PING, new Uint8Array(125)))),
    code: CloseCode.FLOOD,
    counter: "pingFloods",
  },
  "a flood of pongs": {
    bytes: Buffer.concat(Array.from({ length: 10_000 }, () => frame(PONG, new Uint8Array(0)))),
    code: CloseCode.FLOOD,
    counter: "pingFloods",
  },
  "a frame with reserved bits": {
    bytes: frame(0xf2, new Uint8Array(3)),
    code: CloseCode.MALFORMED,
    counter: "malformedMessages",
  },
  "a text message that is no UTF-8": {
    bytes: frame(TEXT, Uint8Array.of(0xff, 0xfe)),
    code: CloseCode.MALFORMED,
    counter: "malformedMessages",
  },
} as const;

for (const [name, { bytes, code, counter }] of Object.entries(BREACHES)) {
  t.test(`${name} closes the link and is counted once`, async (t) => {
    const { listener, port, links } = await startEcho();
    const client = new RawClient(port);
    await client.upgrade();
    const closed = collectClose(links[0]!);
    client.socket.write(bytes);
    await Promise.all([served(port, "wss"), until("the close frame", () => client.closeCode() === 4000 + code)]);
    client.socket.end();
    await until("the link ends", () => closed.length === 1);
    t.equal(closed[0]?.code, code);
    const moved = Object.entries(listener.linkStats).filter(([, count]) => count > 0);
    t.same(moved, [[counter, 1]]);
    await listener.close();
  });
}

t.test("a message in too many chunks is refused before it is whole", async (t) => {
  const { listener, port } = await startEcho();
  const client = new RawClient(port);
  await client.upgrade();
  client.socket.setNoDelay(true);
  client.socket.write(frame(BINARY, new Uint8Array(0), FRAME_BYTES_MAX));
  for (let index = 0; index < 4_000 && client.closeCode() === undefined; index++) {
    client.socket.write("x");
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until("the close frame", () => client.closeCode() !== undefined);
  t.equal(client.closeCode(), 4000 + CloseCode.FLOOD);
  client.socket.destroy();
  await until("it is counted", () => listener.linkStats.fragmentBombs === 1);
  await served(port);
  await listener.close();
});

t.test("a peer that never reads is closed as slow, holds a bounded buffer, and disturbs nobody", async (t) => {
  const { listener, port, links } = await startEcho({ linkLimits: { stallTimeoutMs: 300 } });
  const client = new RawClient(port);
  await client.upgrade();
  client.socket.pause();
  const link = links[0]!;
  const closed = collectClose(link);
  let sentBytes = 0;
  while (link.send(new Uint8Array(FRAME_BYTES_MAX))) {
    sentBytes += FRAME_BYTES_MAX;
    if (sentBytes > 64 * 1024 * 1024) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(sentBytes < 64 * 1024 * 1024, `full after ${sentBytes} bytes`);
  await served(port);
  await until("it counts as slow", () => listener.linkStats.stalls === 1);
  t.equal(link.send(new Uint8Array(1)), false);
  client.socket.resume();
  await until("the peer is told", () => client.closeCode() === 4000 + CloseCode.SLOW);
  client.socket.end();
  await until("the link ends", () => closed.length === 1);
  t.equal(closed[0]?.code, CloseCode.SLOW);
  await listener.close();
});

t.test("small messages that wait for a peer do not hold the large chunks that they came in", async (t) => {
  const { listener, port, links } = await startEcho();
  const client = new RawClient(port);
  await client.upgrade();
  client.socket.pause();
  const link = links[0]!;
  while (link.send(new Uint8Array(FRAME_BYTES_MAX))) await new Promise((resolve) => setImmediate(resolve));
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const heldBytes = async () => {
    collectGarbage();
    // What is garbage is given back by another thread.
    await new Promise((resolve) => setTimeout(resolve, 50));
    collectGarbage();
    return process.memoryUsage().arrayBuffers;
  };
  const beforeBytes = await heldBytes();
  for (let i = 0; i < 4_000; i++) link.send(new Uint8Array(65_536).subarray(0, 64));
  const grownBytes = (await heldBytes()) - beforeBytes;
  t.ok(grownBytes < 16 * 1024 * 1024, `${grownBytes} bytes`);
  t.equal(client.closeCode(), undefined);
  await served(port);
  client.socket.destroy();
  await listener.close();
});

t.test("whatever bytes come, before or after the upgrade, others are served", async (t) => {
  const { listener, port } = await startEcho({ limits: { upgradeTimeoutMs: 300 } });
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 400 });
  const opening = fc.constantFrom("", "\x16", "\x16\x03\x01", "GET / HTTP/1.1\r\n", "upgrade");
  const property = fc.asyncProperty(
    fc.array(fc.tuple(opening, bytes), { minLength: 8, maxLength: 8 }),
    async (openings) => {
      const clients = openings.map(([text, garbage]) => {
        const client = new RawClient(port);
        client.socket.write(text === "upgrade" ? upgradeRequest() : text, "latin1");
        client.socket.end(garbage);
        return client;
      });
      await served(port, "ws");
      for (const client of clients) await client.closed();
    },
  );
  await fc.assert(property, { numRuns: 25 });
  await until("nobody is left", () => listener.waitingCount === 0 && listener.linkCount === 0);
  t.ok(listener.stats.accepted >= 200);
  await listener.close();
});

t.test("a client that vanishes half-way leaves nothing behind", async (t) => {
  const { listener, port } = await startEcho();
  for (const text of ["", "G", "\x16\x03\x01", upgradeRequest()]) {
    const client = new RawClient(port);
    await until("it is connected", () => !client.socket.connecting);
    client.socket.write(text, "latin1", () => client.socket.resetAndDestroy());
    await client.closed();
  }
  await until("nobody is left", () => listener.waitingCount === 0 && listener.linkCount === 0);
  await served(port);
  await listener.close();
  t.pass();
});

t.test("a listener in use stands on the port that it was given", async (t) => {
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
  const address = free.address();
  await new Promise((resolve) => free.close(resolve));
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const listener = new Listener({ certificate: LISTENER_CERTIFICATE, timers: realTimers, onLink: () => {} });
  await listener.listen(port, "127.0.0.1");
  t.equal(listener.address()?.port, port);
  await listener.close();
});
