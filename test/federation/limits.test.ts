import { once } from "node:events";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import t, { type Test } from "tap";
import { EXCHANGE_TIMEOUT_MS, HEAD_TIMEOUT_MS, IDLE_TIMEOUT_MS, KEY_TIMEOUT_MS } from "../../src/federation/config.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { PROFILE, SEND } from "./attacking.js";
import { TestNetwork } from "./network.js";
import { VERSION } from "./raw-node.js";
import { addressOf, ask, codeOf, headersOf, startServer, type TestServer } from "./server.js";
import { mustSettle } from "./settling.js";

/*
 * Homeservers that are down, slow or broken, and what becomes of those who ask.
 */

const PATH = "/_matrix/federation/v1/query/profile";
type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Scene {
  readonly network: TestNetwork;
  readonly timers: VirtualTimers;
  readonly a: TestServer;
  readonly b: TestServer;
}

/** A homeserver that asks, and one that answers `PROFILE` and transactions so. */
async function setScene(t: Test, answer: Answer = () => {}): Promise<Scene> {
  const network = new TestNetwork();
  const timers = new VirtualTimers();
  const a = await startServer(t, network, { timers });
  return {
    network,
    timers,
    a,
    b: await startServer(t, network, { timers, answers: { [PATH]: answer, [SEND]: answer } }),
  };
}

/** What the asking homeserver sees: a status and a body that it has whole, or neither. */
async function seen(asking: ReturnType<typeof ask>): Promise<[status: number | undefined, body: string]> {
  const answer = await asking.catch(() => undefined);
  return [answer?.status, answer?.body ?? ""];
}

/** Bytes as they stand, in place of the answer. */
function bytes(...texts: readonly string[]): Answer {
  return ({ socket }) => socket.end(texts.join(""), "latin1");
}

async function mustServe(t: Test, { a, b, network, timers }: Scene): Promise<void> {
  t.equal((await ask(a, b.name, { path: VERSION })).status, 200, "what is asked next is served");
  await mustSettle(network, [a, b], timers);
}

t.test("an answer that is no HTTP, or none, is told as a fault of the homeserver", async (t) => {
  let answer: Answer = () => {};
  const scene = await setScene(t, (request, response) => answer(request, response));
  const { a, b } = scene;
  const faults: Record<string, Answer> = {
    garbage: bytes("SSH-2.0-OpenSSH_9.6\r\n"),
    "the end of the connection": bytes(),
    "half a head": bytes("HTTP/1.1 200 OK\r\ncontent-le"),
    "a reset connection": ({ socket }) => socket.resetAndDestroy(),
    "no number for a status": bytes("HTTP/1.1 abc\r\n\r\n"),
    "a status of no class": bytes("HTTP/1.1 099 X\r\n\r\n"),
    "a status over 599": bytes("HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n"),
    "another protocol": bytes("HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
    "two lengths": bytes("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 4\r\n\r\nabcd"),
    "a length and chunks": bytes("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    "a head that is too long": bytes(`HTTP/1.1 200 OK\r\nx: ${"x".repeat(100_000)}\r\n\r\n`),
  };
  for (const [what, each] of Object.entries(faults)) {
    answer = each;
    await t.test(what, async (t) => {
      const { inboundErrors } = b.federation.stats;
      const counted = inboundErrors.PINYON_HOMESERVER_ANSWER;
      for (const asking of [
        { path: PROFILE },
        { method: "PUT", path: `${SEND}1`, body: { pdus: ["x".repeat(300_000)] } },
      ]) {
        const told = await ask(a, b.name, asking);
        t.same([told.status, codeOf(told)], [502, "PINYON_HOMESERVER_ANSWER"]);
      }
      t.equal(inboundErrors.PINYON_HOMESERVER_ANSWER, counted + 2);
      await mustServe(t, scene);
    });
  }
});

t.test("half an answer is never taken for a whole one", async (t) => {
  let answer: Answer = () => {};
  const scene = await setScene(t, (request, response) => answer(request, response));
  const { a, b } = scene;
  const faults: Record<string, Answer> = {
    "shorter than its length": bytes("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
    "without its last chunk": bytes("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
    "a chunk of no number": bytes(
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\nrest\r\n0\r\n\r\n",
    ),
    "a reset connection": (_, response) =>
      void response
        .writeHead(200, { "content-length": 9 })
        .write("half", () => later(() => response.socket?.resetAndDestroy())),
    "a reset connection whose end would be that of the body": ({ socket }) =>
      void socket.write("HTTP/1.1 200 OK\r\n\r\nhalf", () => later(() => socket.resetAndDestroy())),
  };
  for (const [what, each] of Object.entries(faults)) {
    answer = each;
    await t.test(what, async (t) => {
      const { inboundErrors } = b.federation.stats;
      const { outboundErrors } = a.federation.stats;
      const counted = [inboundErrors.PINYON_BODY_BROKEN, outboundErrors.PINYON_BODY_BROKEN];
      const [status] = await seen(ask(a, b.name, { path: PROFILE }));
      t.not(status, 200);
      await until("it is counted on both sides", () =>
        [inboundErrors.PINYON_BODY_BROKEN, outboundErrors.PINYON_BODY_BROKEN].every(
          (now, i) => now === counted[i]! + 1,
        ),
      );
      await mustServe(t, scene);
    });
  }
});

t.test("answers of every form pass as they are", async (t) => {
  let answer: Answer = () => {};
  const scene = await setScene(t, (request, response) => answer(request, response));
  const { a, b } = scene;
  const forms: [what: string, status: number, body: string, answer: Answer][] = [
    ["an error of its own", 500, "{}", (_, response) => response.writeHead(500).end("{}")],
    ["busy", 503, "{}", (_, response) => response.writeHead(503, { "retry-after": "9" }).end("{}")],
    ["a gateway's", 599, "{}", (_, response) => response.writeHead(599).end("{}")],
    ["too many", 429, "{}", (_, response) => response.writeHead(429).end("{}")],
    ["nothing", 204, "", (_, response) => response.writeHead(204).end()],
    ["not modified", 304, "", (_, response) => response.writeHead(304, { etag: '"1"' }).end()],
    ["not modified, with a length", 304, "", bytes('HTTP/1.1 304 X\r\ncontent-length: 9\r\netag: "1"\r\n\r\n')],
    [
      "hints first",
      200,
      "ok",
      bytes("HTTP/1.1 103 X\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    ],
    [
      "`continue` first",
      200,
      "ok",
      bytes("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    ],
    ["an empty body", 200, "", bytes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")],
    [
      "chunks",
      200,
      "ok",
      bytes("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n"),
    ],
    ["trailers", 200, "ok", bytes("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n")],
    ["until the connection ends", 200, "ok", bytes("HTTP/1.1 200 OK\r\n\r\n", "ok")],
    ["HTTP/1.0", 200, "ok", bytes("HTTP/1.0 200 OK\r\n\r\n", "ok")],
  ];
  for (const [what, status, body, each] of forms) {
    answer = each;
    await t.test(what, async (t) => {
      t.same(await seen(ask(a, b.name, { path: PROFILE })), [status, body]);
      await mustServe(t, scene);
    });
  }
  answer = (_, response) =>
    response
      .writeHead(200, { "content-disposition": 'inline; filename="\u00c3\u00a9"', "set-cookie": "a=b", location: "/x" })
      .end();
  const { headers } = await ask(a, b.name, { path: PROFILE });
  t.equal(headers["content-disposition"], 'inline; filename="\u00c3\u00a9"', "byte for byte");
  t.match(headers, { "set-cookie": undefined, location: undefined });
});

t.test("a homeserver that is down is told at once, also to who sends a large body", async (t) => {
  const scene = await setScene(t);
  const { a, b, network } = scene;
  b.homeserver.close().closeAllConnections();
  const body = { pdus: ["x".repeat(3_000_000)] };
  const told = await ask(a, b.name, { method: "PUT", path: `${SEND}1`, body });
  t.same([told.status, codeOf(told)], [502, "PINYON_HOMESERVER"]);
  t.notMatch(told.body, /127\.0\.0\.1/, "not where it listens");
  t.equal(b.federation.stats.inboundErrors.PINYON_HOMESERVER, 1);
  t.ok(b.federation.homeserver?.isDown);
  await mustSettle(network, [a, b]);
});

t.test("an answer that comes before the body was read passes, and the rest of the body is let go", async (t) => {
  const scene = await setScene(t, (request, response) => {
    response.writeHead(413).end("too much");
    request.resume();
  });
  const { a, b } = scene;
  const body = { pdus: ["x".repeat(3_000_000)] };
  t.same(await seen(ask(a, b.name, { method: "PUT", path: `${SEND}1`, body })), [413, "too much"]);
  await mustServe(t, scene);
});

t.test("a homeserver that says nothing is given up after its time, and others are served meanwhile", async (t) => {
  const scene = await setScene(t);
  const { a, b, timers } = scene;
  for (const asking of [{ path: PROFILE }, { method: "PUT", path: `${SEND}1`, body: {} }]) {
    const counted = b.federation.stats.inboundErrors.PINYON_TIMEOUT;
    const slow = ask(a, b.name, asking);
    b.asked.length = 0;
    await until("it is asked", () => b.asked.length === 1 && b.asked[0]!.complete);
    await pause();
    timers.advance(HEAD_TIMEOUT_MS - 1_000);
    t.equal((await ask(a, b.name, { path: VERSION })).status, 200);
    timers.advance(2_000);
    const told = await slow;
    t.same([told.status, codeOf(told)], [504, "PINYON_TIMEOUT"]);
    await until("the homeserver is let go", () => b.asked[0]!.socket.destroyed);
    const { inboundErrors } = b.federation.stats;
    t.equal(inboundErrors.PINYON_TIMEOUT + inboundErrors.PINYON_BODY_BROKEN, counted + 1);
    await mustServe(t, scene);
    inboundErrors.PINYON_BODY_BROKEN = 0;
  }
});

t.test("an answer that stops, or never ends, is broken off after its time", async (t) => {
  let response: ServerResponse | undefined;
  const scene = await setScene(t, (_request, answering) => {
    response = answering;
    answering.write("beginning");
  });
  const { a, b, timers } = scene;
  for (const drips of [false, true]) {
    await t.test(drips ? "never ends" : "stops", async (t) => {
      const told = seen(ask(a, b.name, { path: PROFILE }));
      await until("it has begun", () => response !== undefined);
      await pause();
      for (let passedMs = 0; drips && passedMs < EXCHANGE_TIMEOUT_MS; passedMs += IDLE_TIMEOUT_MS - 1_000) {
        t.notOk(response!.destroyed);
        response!.write("drip");
        await pause();
        timers.advance(IDLE_TIMEOUT_MS - 1_000);
      }
      timers.advance(IDLE_TIMEOUT_MS);
      t.same(await told, [undefined, ""]);
      await until("the homeserver is let go", () => response!.destroyed);
      t.ok(b.federation.stats.inboundErrors.PINYON_TIMEOUT + b.federation.stats.inboundErrors.PINYON_BODY_BROKEN > 0);
      response = undefined;
      await mustServe(t, scene);
    });
  }
});

t.test("half a request is never taken for a whole one, whoever dies in its middle", async (t) => {
  let body: { isEnded: boolean; isCut: boolean } | undefined;
  const scene = await setScene(t, (incoming) => {
    const reading = { isEnded: false, isCut: false };
    body = reading;
    incoming.on("data", () => {}).once("end", () => (reading.isEnded = true));
    incoming.once("error", () => {}).once("close", () => (reading.isCut = !reading.isEnded));
  });
  const { a, b, network, timers } = scene;
  const framings = {
    "with a length": { "content-length": "1000000" },
    "in chunks": { "transfer-encoding": "chunked" },
  };
  const deaths = { connection: (socket: Socket) => socket.destroy(), session: () => a.node.leave() };
  for (const [framing, headers] of Object.entries(framings)) {
    for (const [what, die] of Object.entries(deaths)) {
      await t.test(`${framing}, the ${what} ends`, async (t) => {
        const path = `${SEND}1`;
        const outgoing = request({
          ...addressOf(a),
          method: "PUT",
          path: `https://${b.name}${path}`,
          headers: { ...headersOf(a, b.name, "PUT", path), ...headers },
        });
        outgoing.on("error", () => {});
        outgoing.write("x".repeat(100_000));
        await until("its half is there", () => body !== undefined);
        await pause();
        die(outgoing.socket!);
        await until("the homeserver sees that", () => body!.isCut);
        t.notOk(body!.isEnded);
        body = undefined;
        a.node.isOnline = true;
        outgoing.destroy();
        t.ok(b.federation.stats.inboundErrors.PINYON_BODY_BROKEN > 0);
        timers.advance(60_000);
        await mustServe(t, scene);
      });
    }
  }
  await mustSettle(network, [a, b]);
});

t.test("who asks with `Expect: 100-continue` is told to go on", async (t) => {
  const scene = await setScene(t, (incoming, response) => incoming.pipe(response));
  const { a, b } = scene;
  const path = `${SEND}1`;
  const outgoing = request({
    ...addressOf(a),
    method: "PUT",
    path: `https://${b.name}${path}`,
    headers: { ...headersOf(a, b.name, "PUT", path), "content-length": "4", expect: "100-continue" },
  });
  outgoing.flushHeaders();
  await once(outgoing, "continue");
  outgoing.end("body");
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  t.equal((await incoming.setEncoding("utf8").toArray()).join(""), "body");
  await mustServe(t, scene);
});

t.test(
  "keys of which an answer is kept serve while the homeserver is down, slow or broken, by either call",
  async (t) => {
    let keys: Answer | undefined;
    const KEYS = "/_matrix/key/v2/server";
    const network = new TestNetwork();
    const timers = new VirtualTimers();
    const [a, b] = [await startServer(t, network, { timers }), await startServer(t, network, { timers })];
    const [answering] = b.homeserver.listeners("request") as [Answer];
    b.homeserver
      .removeAllListeners("request")
      .on("request", (incoming, response) => (keys ?? answering)(incoming, response));
    const fresh = await ask(a, b.name, { path: KEYS });
    t.equal(fresh.status, 200);
    const queried = { method: "POST", path: "/_matrix/key/v2/query", body: { server_keys: { [b.name]: {} } } };
    const faults: Record<string, Answer> = {
      broken: bytes("garbage"),
      "cut short": bytes("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
      "an error": (_, response) => response.writeHead(500).end(),
      slow: () => {},
      endless: (_, response) => void response.write("{"),
    };
    for (const [what, fault] of Object.entries(faults)) {
      keys = fault;
      for (const asking of [{ path: KEYS }, queried]) {
        const asked = b.federation.stats.inboundRequests;
        const telling = ask(a, b.name, asking);
        await until("it is asked", () => b.federation.stats.inboundRequests > asked);
        await pause();
        if (what === "slow" || what === "endless") timers.advance(KEY_TIMEOUT_MS);
        const told = await telling;
        t.equal(told.status, 200, what);
        const served = JSON.parse(told.body) as { server_keys?: unknown };
        t.same(asking === queried ? served.server_keys : [served], [JSON.parse(fresh.body)], what);
      }
    }
    await mustSettle(network, [a, b]);
  },
);

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

function later(act: () => unknown): void {
  setTimeout(act, 20);
}
