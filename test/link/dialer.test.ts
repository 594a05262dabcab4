import { createServer, type Server, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import t from "tap";
import { selfSignedCertificate } from "../../src/link/certificate.js";
import { Dialer, type DialerOptions, type DialledLink } from "../../src/link/dialer.js";
import type { Link } from "../../src/link/link.js";
import { Listener } from "../../src/link/listener.js";
import { parsePeerUri } from "../../src/link/peer-uri.js";
import { CLOSE_TEXT, CloseCode } from "../../src/wire/codes.js";
import { collect, collectClose } from "./contract.js";
import { LISTENER_CERTIFICATE, LISTENER_KEY, startListener } from "./listening.js";
import { realTimers, VirtualTimers } from "./timers.js";
import { until } from "./until.js";

const LISTENER_HEX = Buffer.from(LISTENER_KEY).toString("hex");
const OTHER_HEX = "ab".repeat(32);

interface Dialling {
  readonly dialer: Dialer;
  readonly dialled: DialledLink[];
}

function dial(uri: string, options: Partial<DialerOptions> = {}): Dialling {
  const dialled: DialledLink[] = [];
  const dialer = new Dialer({
    uri: parsePeerUri(uri),
    timers: realTimers,
    random: () => 0,
    onLink: (link) => {
      collect(link.link);
      dialled.push(link);
    },
    ...options,
  });
  dialer.start();
  return { dialer, dialled };
}

async function opened({ dialer, dialled }: Dialling): Promise<DialledLink> {
  await until(`the link opens: ${dialer.status().lastError}`, () => dialled.length > 0);
  return dialled[0]!;
}

async function failed({ dialer }: Dialling): Promise<string> {
  await until("the dial fails", () => dialer.status().state === "waiting");
  return dialer.status().lastError ?? "";
}

/** A TCP server of any manners. */
async function startServer(onSocket: (socket: Socket) => void): Promise<{ port: number; stop: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

t.test(
  "a pinned key that the certificate shows opens the link, and goes on to the hello with the secret",
  async (t) => {
    const { listener, port } = await startListener({ onLink: (link) => collect(link) });
    const dialling = dial(`wss://127.0.0.1:${port}?key=${OTHER_HEX}&key=${LISTENER_HEX}&password=hidden`);
    const { link, keys, secret } = await opened(dialling);
    t.equal(link.dialled, true);
    t.equal(link.remote, `wss://127.0.0.1:${port}/`);
    t.same(keys, [new Uint8Array(32).fill(0xab), LISTENER_KEY]);
    t.equal(secret, "hidden");
    t.same(dialling.dialer.status(), { state: "connected", lastError: undefined, nextTryMs: undefined });
    dialling.dialer.stop();
    await listener.close();
  },
);

t.test("another key than the pinned one is refused, said and counted, and gets no request", async (t) => {
  const { listener, port } = await startListener({ onLink: (link) => collect(link) });
  const dialling = dial(`wss://127.0.0.1:${port}?key=${OTHER_HEX}`);
  const error = await failed(dialling);
  t.match(error, CLOSE_TEXT[CloseCode.KEY_MISMATCH]);
  t.match(error, /shows the key of [a-z2-7]{52}\.pinyon\.alt/);
  t.equal(dialling.dialer.stats.keyMismatches, 1);
  t.equal(dialling.dialled.length, 0);
  dialling.dialer.stop();

  const honest = dial(`wss://127.0.0.1:${port}?key=${LISTENER_HEX}`);
  await opened(honest);
  t.equal(listener.stats.links, 1);
  t.equal(listener.stats.plainRequests + listener.stats.badRequests, 0);
  honest.dialer.stop();
  await listener.close();
});

t.test(
  "behind a reverse proxy a certificate of an authority stands in for the key, for its own host only",
  async (t) => {
    const certificate = await selfSignedCertificate(new Uint8Array(32).fill(9), "localhost");
    const { listener, port } = await startListener({ certificate, onLink: (link) => collect(link) });
    const authorities = certificate.certificatePem;
    const dialling = dial(`wss://localhost:${port}?key=${OTHER_HEX}`, { authorities });
    const { keys } = await opened(dialling);
    t.same(keys, [new Uint8Array(32).fill(0xab)], "the hello has still to prove it");
    dialling.dialer.stop();

    const otherHost = dial(`wss://127.0.0.1:${port}?key=${OTHER_HEX}`, { authorities });
    t.match(await failed(otherHost), CLOSE_TEXT[CloseCode.KEY_MISMATCH]);
    otherHost.dialer.stop();
    await listener.close();
  },
);

t.test("without a pinned key any certificate will do", async (t) => {
  const { listener, port } = await startListener({ onLink: (link) => collect(link) });
  const dialling = dial(`wss://127.0.0.1:${port}`);
  t.same((await opened(dialling)).keys, []);
  dialling.dialer.stop();
  await listener.close();
});

const hasIpv6 = Object.values(networkInterfaces()).some((infos) => infos?.some(({ address }) => address === "::1"));

t.test("an address with a zone is dialled", { skip: hasIpv6 ? false : "no IPv6 loopback here" }, async () => {
  const listener = new Listener({
    certificate: LISTENER_CERTIFICATE,
    timers: realTimers,
    onLink: (link) => collect(link),
  });
  await listener.listen(0, "::1");
  const uri = { ...parsePeerUri("wss://[::1]:1"), host: "::1%lo", port: listener.address()!.port };
  const dialling = dial("wss://[::1]:1", { uri });
  await opened(dialling);
  dialling.dialer.stop();
  await listener.close();
});

t.test("each failure doubles the wait up to its limit, half of it by chance", async (t) => {
  const { port, stop } = await startServer(() => {});
  await stop();
  for (const [random, shares] of [
    [0, 0.5],
    [0.5, 0.75],
  ] as const) {
    const timers = new VirtualTimers();
    const dialling = dial(`ws://127.0.0.1:${port}?maxbackoff=10s`, { timers, random: () => random });
    for (const backoffMs of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
      t.equal(await failed(dialling), "nothing listens at that address and port");
      const { nextTryMs } = dialling.dialer.status();
      t.equal(nextTryMs, backoffMs * shares);
      timers.advance(backoffMs * shares - 1);
      t.equal(dialling.dialer.status().state, "waiting");
      t.equal(dialling.dialer.status().nextTryMs, 1);
      timers.advance(1);
      t.equal(dialling.dialer.status().state, "dialling");
    }
    t.equal(dialling.dialer.stats.dials, 7);
    t.equal(dialling.dialer.stats.failures, 6);
    dialling.dialer.stop();
    t.equal(timers.pendingCount, 0);
  }
});

t.test("a link that lived begins the backoff anew, one that died young does not", async (t) => {
  const links: Link[] = [];
  const { listener, port } = await startListener({
    onLink: (link) => {
      collect(link);
      links.push(link);
    },
  });
  const timers = new VirtualTimers();
  const dialling = dial(`ws://127.0.0.1:${port}`, { timers });
  const waits: (number | undefined)[] = [];
  for (const [index, livedMs] of [100, 100, 29_999, 30_000, 100].entries()) {
    await until("a link", () => links.length === index + 1 && dialling.dialled.length === index + 1);
    t.equal(dialling.dialer.status().state, "connected");
    timers.advance(livedMs);
    links[index]!.close(CloseCode.BUSY, CLOSE_TEXT[CloseCode.BUSY]);
    t.equal(await failed(dialling), CLOSE_TEXT[CloseCode.BUSY]);
    waits.push(dialling.dialer.status().nextTryMs);
    timers.advance(waits[index] ?? 0);
  }
  t.same(waits, [500, 1_000, 2_000, 500, 1_000]);
  dialling.dialer.stop();
  await listener.close();
});

t.test("a server that is silent, drips bytes, or answers something else is given up and said", async (t) => {
  const silent = await startServer(() => {});
  const dripping = await startServer((socket) => {
    const timer = setInterval(() => socket.write("HTTP/1.1 101 Switching Protocols\r\nX: "), 5);
    socket.once("close", () => clearInterval(timer));
  });
  const endless = await startServer((socket) => socket.write(`HTTP/1.1 101 X\r\nX: ${"x".repeat(100_000)}`));
  const otherSite = await startServer((socket) => socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
  const rude = await startServer((socket) => socket.resetAndDestroy());

  for (const { port } of [silent, dripping]) {
    const timers = new VirtualTimers();
    const dialling = dial(`ws://127.0.0.1:${port}`, { timers, limits: { headerBytesMax: 1_000_000 } });
    await new Promise((resolve) => setTimeout(resolve, 30));
    t.equal(dialling.dialer.status().state, "dialling");
    timers.advance(10_000);
    t.equal(await failed(dialling), "no link within 10 s");
    dialling.dialer.stop();
  }
  const errors: [number, RegExp][] = [
    [endless.port, /too long headers/],
    [otherSite.port, /answered HTTP 404, not a WebSocket: is the path right\?/],
    [rude.port, /cut the connection/],
  ];
  for (const [port, error] of errors) {
    const dialling = dial(`ws://127.0.0.1:${port}`);
    t.match(await failed(dialling), error);
    t.equal(dialling.dialled.length, 0);
    dialling.dialer.stop();
  }
  for (const { stop } of [silent, dripping, endless, otherSite, rude]) await stop();
});

t.test("stop ends a wait and a dial, and leaves a link to who has it", async (t) => {
  const silent = await startServer(() => {});
  const timers = new VirtualTimers();
  const dialling = dial(`ws://127.0.0.1:${silent.port}`, { timers });
  dialling.dialer.stop();
  t.same(dialling.dialer.status(), { state: "idle", lastError: undefined, nextTryMs: undefined });
  t.equal(timers.pendingCount, 0);
  await silent.stop();

  dialling.dialer.start();
  await failed(dialling);
  dialling.dialer.stop();
  t.equal(timers.pendingCount, 0);
  timers.advance(1_000_000);
  t.equal(dialling.dialer.stats.dials, 2);

  const { listener, port } = await startListener({ onLink: (link) => collect(link) });
  const linked = dial(`ws://127.0.0.1:${port}`);
  const { link } = await opened(linked);
  collect(link);
  const closed = collectClose(link);
  linked.dialer.stop();
  t.equal(link.send(Uint8Array.of(1)), true);
  t.equal(closed.length, 0);
  link.close(CloseCode.SHUTDOWN, "");
  await until("it closes", () => closed.length === 1);
  t.equal(linked.dialer.status().state, "idle");
  await listener.close();
});

t.test("start during a wait dials at once, with the backoff at its beginning", async (t) => {
  const { port, stop } = await startServer(() => {});
  await stop();
  const timers = new VirtualTimers();
  const dialling = dial(`ws://127.0.0.1:${port}`, { timers });
  await failed(dialling);
  timers.advance(500);
  await failed(dialling);
  t.equal(dialling.dialer.status().nextTryMs, 1_000);
  dialling.dialer.start();
  t.equal(dialling.dialer.status().state, "dialling");
  await failed(dialling);
  t.equal(dialling.dialer.status().nextTryMs, 500);
  dialling.dialer.stop();
});
