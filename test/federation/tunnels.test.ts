import { once } from "node:events";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import t, { type Test } from "tap";
import { REQUEST_HEAD_TIMEOUT_MS } from "../../src/federation/config.js";
import { LocalCa } from "../../src/federation/local-ca.js";
import type { LocalListenerOptions, OutboundRequest } from "../../src/federation/local-listener.js";
import { newFederationStats } from "../../src/federation/stats.js";
import { keyToName } from "../../src/wire/name.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { BASIC, BEARER, codeIn, type Listening, listening, memoryFiles, NAME, readAll } from "./listening.js";

interface Tunnelling extends Listening {
  readonly ca: LocalCa;
  /** Opens a tunnel to `NAME` and runs TLS in it. */
  readonly tunnel: (options?: ConnectionOptions) => Promise<TLSSocket>;
}

async function tunnelling(t: Test, options: Partial<LocalListenerOptions> = {}): Promise<Tunnelling> {
  const ca = await LocalCa.open(memoryFiles(), newFederationStats());
  const place = await listening(t, { certificateOf: (name) => ca.secureContext(name), ...options });
  const tunnel: Tunnelling["tunnel"] = async (options = {}) => {
    const socket = place.connect();
    socket.write(`CONNECT ${NAME}:8448 HTTP/1.0\r\n${BASIC}\r\n`);
    t.equal(await readHead(socket), "HTTP/1.0 200 Connection established\r\n\r\n");
    const secured = connectTls({ socket, servername: NAME, ca: ca.certificatePem, ...options });
    secured.on("error", () => {});
    t.teardown(() => socket.destroy());
    await new Promise((resolve) => secured.once("secureConnect", resolve).once("close", resolve));
    return secured;
  };
  return { ...place, ca, tunnel };
}

/** What comes first; the server says nothing more before the client does. */
async function readHead(socket: Socket): Promise<string> {
  const [head] = (await once(socket, "data")) as [Buffer];
  return head.toString("latin1");
}

/** A socket that sends CONNECT together with the first bytes that are written, and takes the head of the answer out. */
class EarlyWriter extends Duplex {
  #head: string;

  constructor(
    private readonly socket: Socket,
    version: string,
  ) {
    super();
    this.#head = `CONNECT ${NAME}:8448 HTTP/${version}\r\n${BASIC}\r\n`;
    let awaited = `HTTP/${version} 200 Connection established\r\n\r\n`;
    socket.on("data", (chunk: Buffer) => {
      const head = chunk.toString("latin1", 0, awaited.length);
      if (!awaited.startsWith(head)) this.destroy(new Error(head));
      awaited = awaited.slice(head.length);
      if (head.length < chunk.length) this.push(chunk.subarray(head.length));
    });
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.socket.write(Buffer.concat([Buffer.from(this.#head), chunk]), callback);
    this.#head = "";
  }

  override _read(): void {}
}

/** Sends a request and gives the whole answer, of a connection that stays open. */
async function ask(secured: TLSSocket, request: string): Promise<string> {
  secured.write(request);
  let answer = "";
  for (;;) {
    const [chunk] = (await once(secured, "data")) as [Buffer];
    answer += chunk.toString("latin1");
    const [head, body] = answer.split("\r\n\r\n");
    const length = /^content-length: (\d+)$/im.exec(head!)?.[1];
    if (length === undefined ? answer.endsWith("\r\n0\r\n\r\n") : body?.length === Number(length)) return answer;
  }
}

const get = (path: string, host = NAME) => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

t.test("many requests go through one tunnel, with TLS that a client validates", async (t) => {
  const { tunnel, handed, stats } = await tunnelling(t);
  const secured = await tunnel({ ALPNProtocols: ["h2", "http/1.1"] });
  t.ok(secured.authorized);
  t.equal(secured.alpnProtocol, "http/1.1");
  for (const host of [NAME, `${NAME}:8448`, `${NAME}:443`]) {
    const answer = await ask(secured, get("/_matrix/key/v2/server?a=%2F", host));
    t.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    t.match(answer, `{"destination":"${NAME}","path":"/_matrix/key/v2/server?a=%2F"`);
  }
  t.equal(handed.length, 3);
  t.equal(stats.tlsFailures, 0);
});

t.test("CONNECT is answered in the client's version of HTTP, and bytes sent ahead of the answer count", async (t) => {
  const { connect, ca } = await tunnelling(t);
  for (const version of ["1.0", "1.1"]) {
    const socket = connect();
    const secured = connectTls({ socket: new EarlyWriter(socket, version), servername: NAME, ca: ca.certificatePem });
    await once(secured, "secureConnect");
    t.match(await ask(secured, get("/a")), '"path":"/a"');
    socket.destroy();
  }
});

t.test("well-known is answered here, in a tunnel and outside", async (t) => {
  const { tunnel, say, handed } = await tunnelling(t);
  const path = "/.well-known/matrix/server";
  const answers = [
    await ask(await tunnel(), get(path)),
    await say(`GET https://${NAME}${path} HTTP/1.1\r\n${BEARER}Connection: close\r\n\r\n`),
  ];
  for (const answer of answers) {
    t.match(answer, /^HTTP\/1\.1 200 OK\r\ncontent-type: application\/json\r\n/i);
    t.match(answer, `{"m.server":"${NAME}:8448"}`);
  }
  t.equal(handed.length, 0);
  await say(`GET https://matrix.org${path} HTTP/1.1\r\n${BEARER}Connection: close\r\n\r\n`);
  t.equal(handed.length, 1);
});

t.test("a tunnel leads to servers of the overlay alone", async (t) => {
  const { say, stats, handed, assertServes } = await tunnelling(t);
  const forbidden = [
    ...["127.0.0.1:8448", "localhost:8448", "10.0.0.1:443", "192.168.1.1:8448", "[::1]:8448", "0.0.0.0:443"],
    ...["2130706433:443", "127.1:443", "0x7f.0x1:443", "a.localhost:443", "printer.local:8448", "x:8448"],
    ...[`${NAME}:80`, `${NAME}:22`, `${NAME}:0`, `${NAME}:65535`, "matrix.org:25", `.${NAME}:8448`, "a..b:443"],
    ...[`${NAME.toUpperCase()}:8448`, `${NAME.split(".")[0]}:8448`, "a.pinyon.alt:8448", `${NAME}.:8448`],
  ];
  for (const target of forbidden) {
    const answer = await say(`CONNECT ${target} HTTP/1.0\r\n${BASIC}\r\n`);
    t.match(answer, /^HTTP\/1\.1 403 /, target);
    t.equal(codeIn(answer), "PINYON_CONNECT_TARGET", target);
  }
  t.equal(stats.outboundErrors.PINYON_CONNECT_TARGET, forbidden.length);
  for (const target of ["matrix.org:8448", "a.b-c.example:443"]) {
    const answer = await say(`CONNECT ${target} HTTP/1.0\r\n${BASIC}\r\n`);
    t.match(answer, /^HTTP\/1\.1 502 /, target);
    t.equal(codeIn(answer), "PINYON_CLASSIC_NAME", target);
  }
  t.equal(stats.outboundErrors.PINYON_CLASSIC_NAME, 2);
  t.equal(handed.length, 0);
  await assertServes();
});

t.test("what is no target of CONNECT is refused", async (t) => {
  const { say, stats, assertServes } = await tunnelling(t);
  const targets = [NAME, `user@${NAME}:8448`, `https://${NAME}:8448/`, `${NAME}:8448/`, `${NAME}:65536`, "*", ""];
  for (const target of targets) {
    const answer = await say(`CONNECT ${target} HTTP/1.1\r\n${BASIC}\r\n`);
    t.match(answer, /^HTTP\/1\.1 40[03] /, target);
  }
  t.equal(stats.outboundErrors.PINYON_CONNECT_TARGET + stats.outboundErrors.PINYON_HEADERS, targets.length);
  await assertServes();
});

t.test("a tunnel is not opened without the right credential", async (t) => {
  const { say, stats, assertServes } = await tunnelling(t);
  for (const fields of ["", "Proxy-Authorization: Basic cGlueW9uOng=\r\n", BASIC + BASIC]) {
    const answer = await say(`CONNECT ${NAME}:8448 HTTP/1.0\r\n${fields}\r\n`);
    t.match(answer, /^HTTP\/1\.1 407 /);
    t.equal(codeIn(answer), "PINYON_CREDENTIAL");
  }
  t.equal(stats.outboundErrors.PINYON_CREDENTIAL, 3);
  await assertServes();
});

t.test("a fault of the local authority is told to the client", async (t) => {
  const { say, stats } = await listening(t);
  t.equal(codeIn(await say(`CONNECT ${NAME}:8448 HTTP/1.0\r\n${BASIC}\r\n`)), "PINYON_INTERNAL");
  t.equal(stats.outboundErrors.PINYON_INTERNAL, 1);
});

t.test("TLS that fails ends the tunnel and is counted", async (t) => {
  const { tunnel, connect, stats, assertServes } = await tunnelling(t);
  const other = await LocalCa.open(memoryFiles(), newFederationStats());
  const failing = [await tunnel({ ca: other.certificatePem }), await tunnel({ ALPNProtocols: ["h2"] })];
  for (const secured of failing) t.notOk(secured.authorized);
  const misled = connect();
  misled.write(`CONNECT ${NAME}:8448 HTTP/1.1\r\n${BASIC}\r\nGET / HTTP/1.1\r\n\r\n`);
  await readAll(misled);
  await until("they are counted", () => stats.tlsFailures === 3);
  await assertServes();
});

t.test("a client that names another server in TLS than to the proxy is cut", async (t) => {
  const { tunnel, stats, handed } = await tunnelling(t);
  const servername = keyToName(new Uint8Array(32).fill(9));
  const secured = await tunnel({ servername, checkServerIdentity: () => undefined });
  secured.write(get("/a", servername));
  await until("it is counted", () => stats.tlsFailures === 1);
  t.equal(handed.length, 0);
});

t.test("a request in a tunnel that names another server, or none, is refused, and the tunnel goes on", async (t) => {
  const { tunnel, stats, handed } = await tunnelling(t);
  const secured = await tunnel();
  const refused = [
    get("/a", "matrix.org"),
    get("/a", `${NAME}:80`),
    "GET /a HTTP/1.1\r\n\r\n",
    `GET /a HTTP/1.1\r\nX-Host: ${NAME}\r\n\r\n`,
  ];
  for (const request of refused) {
    const answer = await ask(secured, request);
    t.match(answer, /^HTTP\/1\.1 400 /);
    t.equal(codeIn(answer), "PINYON_DESTINATION");
  }
  t.equal(stats.outboundErrors.PINYON_DESTINATION, refused.length);
  const malformed = [get("/a", `${NAME}\r\nHost: ${NAME}`), get(`https://${NAME}/a`), get("/a#b"), get("*")];
  for (const request of malformed) t.equal(codeIn(await ask(secured, request)), "PINYON_HEADERS", request);
  t.equal(stats.outboundErrors.PINYON_HEADERS, malformed.length);
  t.equal(handed.length, 0);
  t.match(await ask(secured, get("/a")), '"path":"/a"');
});

t.test("a tunnel in a tunnel is refused", async (t) => {
  const { tunnel, stats } = await tunnelling(t);
  const secured = await tunnel();
  const answer = readAll(secured);
  secured.write(`CONNECT ${NAME}:8448 HTTP/1.1\r\n${BASIC}\r\n`);
  t.equal(codeIn(await answer), "PINYON_CONNECT_TARGET");
  t.equal(stats.outboundErrors.PINYON_CONNECT_TARGET, 1);
});

t.test("bytes in a tunnel that are no HTTP end it, after the answer to what came before", async (t) => {
  const { tunnel, stats, handed, assertServes } = await tunnelling(t);
  const malformed = `GET /b HTTP/1.1\r\nHost: ${NAME}\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const first = await tunnel();
  const refusal = readAll(first);
  first.write(malformed);
  t.equal(codeIn(await refusal), "PINYON_HEADERS");
  t.equal(stats.outboundErrors.PINYON_HEADERS, 1);

  const second = await tunnel();
  const answers = readAll(second);
  second.write(get("/a") + malformed);
  t.match(await answers, /^HTTP\/1\.1 200 .*"path":"\/a"/s);
  t.equal((await answers).match(/HTTP\/1\.1/g)!.length, 1);
  t.same(
    handed.map(({ path }) => path),
    ["/a"],
  );
  await assertServes();
});

t.test("a tunnel in which no TLS or no request comes in time is closed, and one that waits is not", async (t) => {
  const timers = new VirtualTimers();
  const held: OutboundRequest[] = [];
  const { tunnel, connect } = await tunnelling(t, { timers, handler: (outbound) => held.push(outbound) });
  const silent = connect();
  silent.write(`CONNECT ${NAME}:8448 HTTP/1.1\r\n${BASIC}\r\n`);
  await readHead(silent);
  const idle = await tunnel();
  const busy = await tunnel();
  busy.write(get("/a"));
  await until("it is handed on", () => held.length === 1);
  const ended = [silent, idle].map((socket) => readAll(socket));
  timers.advance(REQUEST_HEAD_TIMEOUT_MS);
  await Promise.all(ended);

  held[0]!.response.end("late");
  await once(busy, "data");
  await until("the next request is awaited", () => held[0]!.response.closed);
  const busyEnded = readAll(busy);
  timers.advance(REQUEST_HEAD_TIMEOUT_MS);
  await busyEnded;
  t.equal(timers.pendingCount, 0);
});

t.test("a client that closes its tunnel ends the exchange", async (t) => {
  const { tunnel, handed, assertServes } = await tunnelling(t, {
    handler: ({ path, response }) => path.startsWith("/_matrix") && response.end(),
  });
  const secured = await tunnel();
  secured.write(get("/a"));
  await until("it is handed on", () => handed.length === 1);
  const { response } = handed[0]!;
  const closed = once(response, "close");
  secured.destroy();
  await closed;
  t.notOk(response.writableFinished);
  await assertServes();
});

t.test("20 MB go through a tunnel both ways", async (t) => {
  const { tunnel } = await tunnelling(t, {
    handler: ({ request, response }) => {
      response.setHeader("content-length", 20_000_000);
      request.pipe(response);
    },
  });
  const secured = await tunnel();
  secured.write(`PUT /a HTTP/1.1\r\nHost: ${NAME}\r\nConnection: close\r\nContent-Length: 20000000\r\n\r\n`);
  const answer = readAll(secured);
  for (let index = 0; index < 20; index++) {
    if (!secured.write(Buffer.alloc(1_000_000, index))) await once(secured, "drain");
  }
  const body = (await answer).split("\r\n\r\n")[1]!;
  t.equal(body.length, 20_000_000);
  t.equal(body.charCodeAt(body.length - 1), 19);
});
