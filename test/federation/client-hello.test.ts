import { PassThrough } from "node:stream";
import fc from "fast-check";
import t from "tap";
import { awaitClientHello, readClientHello } from "../../src/federation/client-hello.js";
import { CLIENT_HELLO_BYTES_MAX, CLIENT_HELLO_TIMEOUT_MS } from "../../src/federation/config.js";
import { VirtualTimers } from "../link/timers.js";
import { clientHello } from "./hellos.js";

const u16 = (value: number) => Buffer.from([value >> 8, value & 0xff]);
const block = (lengthBytes: number, content: Buffer) => {
  const head = Buffer.alloc(lengthBytes);
  head.writeUIntBE(content.length, 0, lengthBytes);
  return Buffer.concat([head, content]);
};
const serverName = (name: string, kind = 0) =>
  block(2, Buffer.concat([Buffer.from([kind]), block(2, Buffer.from(name))]));
const extension = (kind: number, content: Buffer) => Buffer.concat([u16(kind), block(2, content)]);
const body = (...extensions: Buffer[]) =>
  Buffer.concat([
    ...[u16(0x0303), Buffer.alloc(32), block(1, Buffer.alloc(0)), block(2, u16(0x1301)), block(1, Buffer.alloc(1))],
    block(2, Buffer.concat(extensions)),
  ]);
const message = (content: Buffer) => Buffer.concat([Buffer.from([1]), block(3, content)]);
const record = (content: Buffer, kind = 22) => Buffer.concat([Buffer.from([kind, 3, 1]), block(2, content)]);

t.test("the server's name is read from what real clients send, whole, in ten pieces or one by one", async (t) => {
  for (const options of [{}, { maxVersion: "TLSv1.2" }, { ALPNProtocols: ["h2", "http/1.1"] }] as const) {
    const bytes = await clientHello({ servername: "Matrix.example", ...options });
    const protocols = "ALPNProtocols" in options ? options.ALPNProtocols : [];
    t.same(readClientHello(bytes), { serverName: "matrix.example", protocols });
    for (const pieces of [10, bytes.length]) {
      const stream = new PassThrough();
      const awaited = awaitClientHello(stream, new VirtualTimers());
      const sizeBytes = Math.ceil(bytes.length / pieces);
      for (let at = 0; at < bytes.length; at += sizeBytes) {
        if (at > 0) t.equal(readClientHello(bytes.subarray(0, at)), "more");
        stream.write(bytes.subarray(at, at + sizeBytes));
        await new Promise((resolve) => setImmediate(resolve));
      }
      t.same(await awaited, { serverName: "matrix.example", protocols });
      t.same(stream.read(), bytes, "nothing is lost");
    }
  }
  t.same(readClientHello(await clientHello({})), { serverName: undefined, protocols: [] });
});

t.test("a message in several records is one", async (t) => {
  const whole = message(body(extension(0, serverName("a.example"))));
  const records = Array.from({ length: Math.ceil(whole.length / 7) }, (_, i) =>
    record(whole.subarray(i * 7, i * 7 + 7)),
  );
  t.same(readClientHello(Buffer.concat(records)), { serverName: "a.example", protocols: [] });
  t.equal(readClientHello(Buffer.concat(records.slice(0, -1))), "more");
});

t.test("what is no such message, or one that can be read in two ways, is none", async (t) => {
  const good = extension(0, serverName("a.example"));
  const twoNames = block(2, Buffer.concat([serverName("a.example").subarray(2), serverName("b.example").subarray(2)]));
  const none: Record<string, Buffer> = {
    SMTP: Buffer.from("EHLO a.example\r\n"),
    HTTP: Buffer.from("GET / HTTP/1.1\r\n"),
    "another kind of record": record(message(body(good)), 23),
    "TLS 4": Buffer.concat([Buffer.from([22, 4]), record(message(body(good))).subarray(2)]),
    "another message": record(Buffer.concat([Buffer.from([2]), message(body(good)).subarray(1)])),
    "an empty record": record(Buffer.alloc(0)),
    "a record too long": Buffer.concat([Buffer.from([22, 3, 1]), u16(16_385)]),
    "a message too long": record(Buffer.from([1, 0, 0x40, 1])),
    "two names": record(message(body(extension(0, twoNames)))),
    "the extension twice": record(message(body(good, good))),
    "a name of another kind": record(message(body(extension(0, serverName("a.example", 1))))),
    "no name": record(message(body(extension(0, serverName(""))))),
    "a name with a NUL": record(message(body(extension(0, serverName("a.example\0.b"))))),
    "a name with a dot at its end": record(message(body(extension(0, serverName("a.example."))))),
    "no protocol": record(message(body(extension(16, block(2, Buffer.alloc(0)))))),
    "a protocol without a name": record(message(body(extension(16, block(2, block(1, Buffer.alloc(0))))))),
    "protocols cut short": record(message(body(extension(16, block(2, Buffer.from([3, 104])))))),
    "bytes behind the protocols": record(message(body(extension(16, Buffer.from([0, 2, 1, 104, 0]))))),
    "an extension cut short": record(message(body(good).subarray(0, -1))),
    "bytes behind it": record(message(Buffer.concat([body(good), Buffer.alloc(1)]))),
  };
  for (const [what, bytes] of Object.entries(none)) t.equal(readClientHello(bytes), undefined, what);
  t.same(readClientHello(record(message(body()))), { serverName: undefined, protocols: [] });
});

t.test("any bytes are read without a throw, and no more of them than the bound is waited for", async (t) => {
  const bytes = await clientHello({ servername: "a.example" });
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (at, value, cut) => {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        const read = readClientHello(changed.subarray(0, cut));
        return read === undefined || read === "more" || typeof read === "object";
      }),
      { numRuns: 2_000 },
    ),
  );
  fc.assert(fc.property(fc.uint8Array(), (any) => readClientHello(any) !== null));
  const drop = record(Buffer.from([1]));
  const long = Buffer.concat(Array.from({ length: CLIENT_HELLO_BYTES_MAX }, () => drop));
  t.equal(readClientHello(long), undefined);
});

t.test("a client that says nothing, or too little, is not waited for", async (t) => {
  const timers = new VirtualTimers();
  const silent = awaitClientHello(new PassThrough(), timers);
  timers.advance(CLIENT_HELLO_TIMEOUT_MS);
  t.equal(await silent, undefined);
  const slow = new PassThrough();
  const awaited = awaitClientHello(slow, timers);
  for (const byte of [22, 3, 1]) {
    slow.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
    timers.advance(CLIENT_HELLO_TIMEOUT_MS / 3);
  }
  t.equal(await awaited, undefined);
  const ended = new PassThrough();
  const gone = awaitClientHello(ended, timers);
  ended.end(Buffer.from([22]));
  t.equal(await gone, undefined);
  t.equal(timers.pendingCount, 0);
});
