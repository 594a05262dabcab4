import { once } from "node:events";
import { lstatSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import t from "tap";
import {
  HEAD_BYTES_MAX,
  HEAD_FIELDS_MAX,
  OUTBOUND_REQUESTS_MAX,
  REQUEST_HEAD_TIMEOUT_MS,
} from "../../src/federation/config.js";
import type { OutboundRequest } from "../../src/federation/local-listener.js";
import { tempFolder } from "../daemon/temp-folder.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { BASIC, BEARER, codeIn, listening, NAME, readAll, SECRET, synapseRequest } from "./listening.js";

const PATH = "/_matrix/federation/v1/event/%24a%2Fb?x=1&y=%20";

for (const kind of ["a TCP port", "a Unix socket"]) {
  t.test(
    `a request of Synapse comes through ${kind} with its path byte for byte, without its credential`,
    async (t) => {
      const listen = kind === "a TCP port" ? undefined : { listen: { path: join(tempFolder(t), "federation.sock") } };
      const { say, handed } = await listening(t, listen);
      const answer = await say(synapseRequest(PATH));
      t.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
      t.match(answer, /\r\nConnection: close\r\n/);
      t.match(JSON.parse(answer.slice(answer.indexOf("{"))), { destination: NAME, path: PATH, method: "GET" });
      t.notMatch(answer, /proxy-auth/i);
      t.notMatch(answer, SECRET);
      t.equal(handed[0]!.request.headers["proxy-authorization"], undefined);
    },
  );

  t.test(`50 MB go through ${kind}, by length and in chunks`, async (t) => {
    const listen = kind === "a TCP port" ? undefined : { listen: { path: join(tempFolder(t), "federation.sock") } };
    const { connect } = await listening(t, listen);
    const piece = Buffer.alloc(1_000_000, 97);
    for (const isChunked of [false, true]) {
      const socket = connect();
      const answer = readAll(socket);
      const length = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: 50000000";
      socket.write(`PUT matrix-federation://${NAME}/x HTTP/1.1\r\n${BEARER}Connection: close\r\n${length}\r\n\r\n`);
      for (let index = 0; index < 50; index++) {
        if (isChunked) socket.write(`${piece.length.toString(16)}\r\n`);
        const isTaken = socket.write(piece);
        if (isChunked) socket.write("\r\n");
        if (!isTaken) await once(socket, "drain");
      }
      if (isChunked) socket.write("0\r\n\r\n");
      t.match(await answer, '"bodyBytes":50000000');
    }
  });
}

t.test("a request in pieces of one byte is the same request", async (t) => {
  const { say } = await listening(t);
  t.match(await say(...synapseRequest(PATH)), `"path":"${PATH}"`);
});

t.test("a request in two pieces is the same request wherever it is cut", async (t) => {
  const { say, handed } = await listening(t);
  const request = synapseRequest("/a");
  for (let cut = 1; cut < 60; cut++) await say(request.slice(0, cut), request.slice(cut));
  t.equal(handed.length, 59);
  t.ok(handed.every(({ destination, path }) => destination === NAME && path === "/a"));
});

t.test("https targets are taken too, with the ports of Matrix", async (t) => {
  const { say } = await listening(t);
  for (const authority of [NAME, `${NAME}:8448`, `${NAME}:443`]) {
    const answer = await say(`GET https://${authority}/a HTTP/1.1\r\n${BASIC}Connection: close\r\nHost: x\r\n\r\n`);
    t.match(answer, `{"destination":"${NAME}","path":"/a"`);
  }
  t.equal(codeIn(await say(`GET https://${NAME}:22/a HTTP/1.1\r\n${BASIC}Host: x\r\n\r\n`)), "PINYON_DESTINATION");
});

t.test("names that are no servers of the overlay are left to the handler", async (t) => {
  const { say, handed } = await listening(t);
  for (const authority of ["matrix.org", "matrix.org:443", "127.0.0.1:80", "[::1]:8448", NAME.toUpperCase()]) {
    await say(synapseRequest("/", BEARER, authority));
  }
  const names = handed.map(({ destination }) => destination);
  t.same(names, ["matrix.org", "matrix.org:443", "127.0.0.1:80", "[::1]:8448", NAME.toUpperCase()]);
});

t.test("a homeserver that ends its side once it has asked is answered", async (t) => {
  const { connect, handed } = await listening(t, { handler: () => {} });
  const socket = connect();
  const answer = readAll(socket);
  socket.end(synapseRequest("/a"));
  await until("it is handed on", () => handed.length === 1);
  const { response } = handed[0]!;
  await until("its end has come", () => response.socket?.readableEnded === true);
  response.end("late");
  t.match(await answer, /\r\n\r\n.*late/s);
});

t.test("a homeserver that goes away ends the exchange", async (t) => {
  const { connect, handed, assertServes } = await listening(t, {
    handler: ({ path, response }) => path !== "/a" && response.end(),
  });
  const socket = connect();
  socket.write(synapseRequest("/a"));
  await until("it is handed on", () => handed.length === 1);
  const { response } = handed[0]!;
  const closed = once(response, "close");
  socket.resetAndDestroy();
  await closed;
  t.notOk(response.writableFinished);
  await assertServes();
});

t.test("a homeserver that goes away in the middle of a body ends the exchange", async (t) => {
  const { connect, handed, stats, assertServes } = await listening(t);
  const socket = connect();
  const answer = readAll(socket);
  socket.end(`PUT matrix-federation://${NAME}/x HTTP/1.1\r\n${BEARER}Content-Length: 10\r\n\r\n12345`);
  t.equal(codeIn(await answer), "PINYON_BODY_BROKEN");
  t.equal(stats.outboundErrors.PINYON_BODY_BROKEN, 1);
  const { request, response } = handed[0]!;
  t.ok(request.destroyed && !request.complete);
  t.ok(response.destroyed);
  await assertServes();
});

t.test("without the right credential nothing is handed on", async (t) => {
  const { say, stats, handed, assertServes } = await listening(t);
  const basic = (text: string) => `Proxy-Authorization: Basic ${Buffer.from(text).toString("base64")}\r\n`;
  const wrong = [
    "",
    "Proxy-Authorization: Bearer wrong\r\n",
    "Proxy-Authorization: Bearer\r\n",
    `Proxy-Authorization: Bearer ${SECRET}x\r\n`,
    `Proxy-Authorization: Bearer ${SECRET} x\r\n`,
    `Proxy-Authorization: ${SECRET}\r\n`,
    `Proxy-Authorization: Digest ${SECRET}\r\n`,
    `Authorization: Bearer ${SECRET}\r\n`,
    basic(SECRET),
    basic(`other:${SECRET}`),
    basic("pinyon:wrong"),
    `${BEARER}${BEARER}`,
    `${BEARER}Proxy-Authorization: Bearer wrong\r\n`,
  ];
  for (const fields of wrong) {
    const answer = await say(synapseRequest("/a", fields));
    t.match(answer, /^HTTP\/1\.1 407 /, JSON.stringify(fields));
    t.match(answer, /proxy-authenticate: Basic realm="pinyon", Bearer realm="pinyon"/);
    t.equal(codeIn(answer), "PINYON_CREDENTIAL");
  }
  t.equal(stats.outboundErrors.PINYON_CREDENTIAL, wrong.length);
  t.equal(handed.length, 0);
  await assertServes();
});

t.test("whoever has a large body to send sees why it is refused", async (t) => {
  const { connect, stats } = await listening(t);
  const socket = connect();
  const answer = readAll(socket);
  socket.write(`PUT matrix-federation://${NAME}/x HTTP/1.1\r\nContent-Length: 5000000\r\n\r\n`);
  socket.write(Buffer.alloc(5_000_000));
  t.equal(codeIn(await answer), "PINYON_CREDENTIAL");
  t.equal(stats.outboundErrors.PINYON_CREDENTIAL, 1);
});

const target = (text: string) => `GET ${text} HTTP/1.1\r\n${BEARER}Host: x\r\n\r\n`;
const fields = (text: string) => `PUT matrix-federation://${NAME}/x HTTP/1.1\r\n${BEARER}${text}\r\n0\r\n\r\n`;
const REFUSED: Record<string, [request: string, code: string, status: number]> = {
  "a path without a server": [target("/_matrix/key/v2/server"), "PINYON_HEADERS", 400],
  "plain http": [target(`http://${NAME}/`), "PINYON_HEADERS", 400],
  "a user": [target(`matrix-federation://user@${NAME}/`), "PINYON_HEADERS", 400],
  "a user and a password": [target(`https://user:password@${NAME}/`), "PINYON_HEADERS", 400],
  "a fragment": [target(`matrix-federation://${NAME}/a#b`), "PINYON_HEADERS", 400],
  "no path": [target(`matrix-federation://${NAME}`), "PINYON_HEADERS", 400],
  "a query alone": [target(`matrix-federation://${NAME}?a=/b`), "PINYON_HEADERS", 400],
  "no name": [target("matrix-federation:///a"), "PINYON_HEADERS", 400],
  "a port on a name of the overlay": [target(`matrix-federation://${NAME}:8448/`), "PINYON_DESTINATION", 400],
  "a port that is no number": [target(`matrix-federation://${NAME}:x/`), "PINYON_HEADERS", 400],
  "a path beyond ASCII": [target(`matrix-federation://${NAME}/é`), "PINYON_HEADERS", 400],
  "a NUL in the path": [target(`matrix-federation://${NAME}/\0`), "PINYON_HEADERS", 400],
  "another version of HTTP": [`GET matrix-federation://${NAME}/ HTTP/2.0\r\n${BEARER}\r\n`, "PINYON_HEADERS", 400],
  "no version of HTTP": [`GET matrix-federation://${NAME}/\r\n${BEARER}\r\n`, "PINYON_HEADERS", 400],
  "no HTTP": ["\x16\x03\x01 hello this is TLS", "PINYON_HEADERS", 400],
  "a request of HTTP/1.0": [`GET matrix-federation://${NAME}/ HTTP/1.0\r\n${BEARER}\r\n`, "PINYON_HEADERS", 400],
  "a line that ends with LF": [`GET matrix-federation://${NAME}/ HTTP/1.1\n${BEARER}\r\n`, "PINYON_HEADERS", 400],
  "a field that ends with LF": [fields("X: a\nTransfer-Encoding: chunked\r\n"), "PINYON_HEADERS", 400],
  "a field that ends with CR": [fields("X: a\rTransfer-Encoding: chunked\r\n"), "PINYON_HEADERS", 400],
  "a folded field": [fields("X: a\r\n b\r\nTransfer-Encoding: chunked\r\n"), "PINYON_HEADERS", 400],
  "a NUL in a field": [fields("X: a\0b\r\nTransfer-Encoding: chunked\r\n"), "PINYON_HEADERS", 400],
  "a space before a colon": [fields("Transfer-Encoding : chunked\r\n"), "PINYON_HEADERS", 400],
  "a length and chunks": [fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "PINYON_HEADERS", 400],
  "chunks and a length": [fields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "PINYON_HEADERS", 400],
  "chunks twice": [fields("Transfer-Encoding: chunked, chunked\r\n"), "PINYON_HEADERS", 400],
  "another coding": [fields("Transfer-Encoding: gzip\r\n"), "PINYON_HEADERS", 400],
  "two lengths": [fields("Content-Length: 5\r\nContent-Length: 5\r\n"), "PINYON_HEADERS", 400],
  "a length with a sign": [fields("Content-Length: +5\r\n"), "PINYON_HEADERS", 400],
  "a head that is too long": [fields(`X: ${"a".repeat(HEAD_BYTES_MAX)}\r\n`), "PINYON_HEADERS", 431],
  "a target that is too long": [
    target(`matrix-federation://${NAME}/${"a".repeat(HEAD_BYTES_MAX)}`),
    "PINYON_HEADERS",
    431,
  ],
  "a line without an end": ["x".repeat(3 * HEAD_BYTES_MAX), "PINYON_HEADERS", 400],
  "too many fields": [
    target("https://x/").replace("Host", `${"X: y\r\n".repeat(HEAD_FIELDS_MAX)}Host`),
    "PINYON_HEADERS",
    431,
  ],
};

t.test("a head that is ambiguous or malformed is refused, by its code", async (t) => {
  const { say, stats, handed, assertServes } = await listening(t);
  let errors = 0;
  for (const [what, [request, code, status]] of Object.entries(REFUSED)) {
    const answer = await say(request);
    t.equal(handed.length, 0, what);
    t.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), what);
    t.equal(codeIn(answer), code, what);
    errors = stats.outboundErrors.PINYON_HEADERS + stats.outboundErrors.PINYON_DESTINATION;
  }
  t.equal(errors, Object.keys(REFUSED).length);
  await assertServes();
});

t.test("a second request on one connection is not looked at, and the first is answered", async (t) => {
  const { say, handed } = await listening(t);
  const first = synapseRequest("/a").replace("Connection: close\r\n", "");
  const seconds = [synapseRequest("/b"), `GET https://${NAME}/b HTTP/1.1\r\n${BEARER}Host: x\r\n\r\n`];
  for (const second of seconds) {
    const answer = await say(first + second);
    t.equal(answer.match(/HTTP\/1\.1/g)?.length, 1, second.slice(0, 20));
    t.match(answer, '"path":"/a"');
    t.match(await say(first, second), '"path":"/a"');
  }
  t.ok(handed.every(({ path }) => path === "/a"));
});

t.test(
  "a connection that the homeserver keeps serves one request after the other, and bodies hold no first lines",
  async (t) => {
    const { connect, handed } = await listening(t);
    const socket = connect().setNoDelay();
    const body = `GET matrix-federation://${NAME}/hidden HTTP/1.1\r\n`;
    const get = synapseRequest("/get").replace("Connection: close\r\n", "");
    const put = `PUT matrix-federation://${NAME}/put HTTP/1.1\r\n${BEARER}Content-Length: ${body.length}\r\n\r\n${body}`;
    for (const [index, request] of [get, put, get, put].entries()) {
      const answered = once(socket, "data");
      for (const piece of [request.slice(0, 20 + index), request.slice(20 + index)]) {
        socket.write(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
      const [answer] = await answered;
      t.match(String(answer), /^HTTP\/1\.1 200 OK\r\n.*Connection: keep-alive\r\n/s);
      t.match(String(answer), `"bodyBytes":${request === put ? body.length : 0}`);
    }
    t.same(
      handed.map(({ path }) => path),
      ["/get", "/put", "/get", "/put"],
    );
    socket.destroy();
  },
);

t.test("each request of a kept connection shows the credential", async (t) => {
  const { connect, handed, stats, assertServes } = await listening(t);
  const socket = connect();
  socket.write(synapseRequest("/a").replace("Connection: close\r\n", ""));
  await once(socket, "data");
  const answer = readAll(socket);
  socket.write(synapseRequest("/b", "Proxy-Authorization: Bearer wrong\r\n").replace("Connection: close\r\n", ""));
  t.equal(codeIn(await answer), "PINYON_CREDENTIAL");
  t.equal(stats.outboundErrors.PINYON_CREDENTIAL, 1);
  t.equal(handed.length, 1);
  await assertServes();
});

t.test("an answer that comes before the body is whole ends the connection: its rest is no request", async (t) => {
  const { connect, handed, assertServes } = await listening(t, { handler: ({ response }) => response.end("early") });
  const socket = connect();
  const answer = readAll(socket);
  socket.write(`PUT matrix-federation://${NAME}/a HTTP/1.1\r\n${BEARER}Content-Length: 1000\r\n\r\n`);
  await until("it is handed on", () => handed.length === 1);
  socket.write(synapseRequest("/b"));
  t.match(await answer, /^HTTP\/1\.1 200 .*early/s);
  t.equal(handed.length, 1);
  await assertServes();
});

t.test("a tunnel asked for behind a request ends the connection: nothing is taken for the answer", async (t) => {
  const { say, stats, assertServes } = await listening(t);
  const request = synapseRequest("/a").replace("Connection: close\r\n", "");
  t.equal(await say(`${request}CONNECT ${NAME}:8448 HTTP/1.1\r\n${BASIC}\r\n`), "");
  t.equal(stats.outboundErrors.PINYON_HEADERS, 1);
  await assertServes();
});

t.test("a body that loses its form is refused, and ends the exchange", async (t) => {
  const { connect, handed, stats, assertServes } = await listening(t);
  const socket = connect();
  const answer = readAll(socket);
  socket.write(`PUT matrix-federation://${NAME}/x HTTP/1.1\r\n${BEARER}Transfer-Encoding: chunked\r\n\r\n`);
  await until("it is handed on", () => handed.length === 1);
  const closed = once(handed[0]!.response, "close");
  socket.write("3\r\nabc\r\nno chunk\r\n");
  t.equal(codeIn(await answer), "PINYON_HEADERS");
  await closed;
  t.equal(stats.outboundErrors.PINYON_HEADERS, 1);
  await assertServes();
});

t.test("a connection that sends no head in time is closed, and one that waits for its answer is not", async (t) => {
  const timers = new VirtualTimers();
  const held: OutboundRequest[] = [];
  const { connect, stats } = await listening(t, { timers, handler: (outbound) => held.push(outbound) });
  const silent = connect();
  const slow = connect();
  const asking = connect();
  const answers = [silent, slow, asking].map(readAll);
  slow.write(`GET matrix-federation://${NAME}/ HTTP/1.1\r\nX: `);
  asking.write(synapseRequest("/a"));
  await until("it is handed on", () => held.length === 1 && timers.pendingCount === 3);
  timers.advance(REQUEST_HEAD_TIMEOUT_MS - 1);
  slow.write("y");
  timers.advance(1);
  for (const answer of await Promise.all(answers.slice(0, 2))) {
    t.match(answer, /^HTTP\/1\.1 408 /);
    t.equal(codeIn(answer), "PINYON_TIMEOUT");
  }
  t.equal(stats.outboundErrors.PINYON_TIMEOUT, 2);
  timers.advance(REQUEST_HEAD_TIMEOUT_MS * 10);
  held[0]!.response.end("late");
  t.match(await answers[2], "late");
});

t.test("a kept connection on which nothing more comes is closed without a word", async (t) => {
  const timers = new VirtualTimers();
  const { connect, handed, stats } = await listening(t, { timers });
  const socket = connect();
  socket.write(synapseRequest("/a").replace("Connection: close\r\n", ""));
  await once(socket, "data");
  const rest = readAll(socket);
  await until("the exchange is over", () => handed[0]!.response.closed);
  timers.advance(REQUEST_HEAD_TIMEOUT_MS);
  t.equal(await rest, "");
  t.equal(stats.outboundErrors.PINYON_TIMEOUT, 0);
  t.equal(timers.pendingCount, 0);
});

t.test("where there is no room, a kept connection that waits makes some", async (t) => {
  const { connect, handed, stats, assertServes } = await listening(t);
  const sockets: Socket[] = [];
  while (sockets.length < OUTBOUND_REQUESTS_MAX) {
    const some = Array.from({ length: Math.min(100, OUTBOUND_REQUESTS_MAX - sockets.length) }, connect);
    sockets.push(...some);
    await Promise.all(
      some.map((socket) => {
        socket.write(synapseRequest("/a").replace("Connection: close\r\n", ""));
        return once(socket, "data");
      }),
    );
  }
  await until("all are kept", () => handed.every(({ response }) => response.closed));
  const first = once(sockets[0]!, "end");
  await assertServes();
  await first;
  t.equal(stats.connectionsRefused, 0);
  for (const socket of sockets) socket.destroy();
});

t.test("connections over the bound are told that there is no room, and those before them are served", async (t) => {
  const { connect, say, stats, assertServes } = await listening(t);
  const first = connect();
  const idle: Socket[] = [];
  while (idle.length < OUTBOUND_REQUESTS_MAX - 1) {
    // Few at once: the system's queue of connections that are not taken yet is shorter than the bound.
    const some = Array.from({ length: Math.min(111, OUTBOUND_REQUESTS_MAX - 1 - idle.length) }, connect);
    idle.push(...some);
    await Promise.all(some.map((socket) => once(socket, "connect")));
    if (idle.length < OUTBOUND_REQUESTS_MAX - 1) await assertServes();
  }
  let answer = "";
  await until(
    "there is no room",
    () => answer.startsWith("HTTP/1.1 503 "),
    async () => {
      answer = await say(synapseRequest("/a"));
    },
  );
  t.equal(codeIn(answer), "PINYON_BUSY");
  t.equal(stats.connectionsRefused, 1);
  t.equal(stats.outboundErrors.PINYON_BUSY, 1);
  const firstAnswer = readAll(first);
  first.write(synapseRequest("/a"));
  t.match(await firstAnswer, /^HTTP\/1\.1 200 /);
  for (const socket of idle) socket.destroy();
  await until(
    "there is room",
    () => answer.startsWith("HTTP/1.1 200 "),
    async () => {
      answer = await say(synapseRequest("/a"));
    },
  );
});

t.test("a Unix socket is for the daemon's user and group, and goes with the listener", async (t) => {
  const path = join(tempFolder(t), "federation.sock");
  const { listener } = await listening(t, { listen: { path } });
  t.equal(lstatSync(path).mode & 0o777, 0o660);
  t.same(listener.address(), { path });
  await listener.close();
  t.throws(() => lstatSync(path));
});

t.test("a Unix socket of a dead process is replaced; one in use and another kind of file are refused", async (t) => {
  const folder = tempFolder(t);
  const path = join(folder, "federation.sock");
  const { assertServes } = await listening(t, { listen: { path } });
  await t.rejects(listening(t, { listen: { path } }), { code: "EADDRINUSE" });
  await assertServes();

  const file = join(folder, "file");
  writeFileSync(file, "kept");
  await t.rejects(listening(t, { listen: { path: file } }), { code: "EADDRINUSE" });
  t.ok(lstatSync(file).isFile());

  // What a process that was killed leaves: a socket with no listener.
  const dead = join(folder, "dead.sock");
  const server = createServer().listen(join(folder, "moved.sock"));
  await once(server, "listening");
  renameSync(join(folder, "moved.sock"), dead);
  await new Promise((resolve) => server.close(resolve));
  t.ok(lstatSync(dead).isSocket());
  const replaced = await listening(t, { listen: { path: dead } });
  await replaced.assertServes();
});

t.test("a port in use is refused with the system's error", async (t) => {
  const { listener } = await listening(t);
  await t.rejects(listening(t, { listen: listener.address() }), { code: "EADDRINUSE" });
});

t.test("closing cuts what is open", async (t) => {
  const { listener, connect, handed } = await listening(t, { handler: () => {} });
  const socket = connect();
  const answer = readAll(socket);
  socket.write(synapseRequest("/a"));
  await until("it is handed on", () => handed.length === 1);
  await listener.close();
  t.equal(await answer, "");
});
