import fc from "fast-check";
import t from "tap";
import { HEAD_BYTES_MAX, HEAD_FIELDS_MAX } from "../../src/federation/config.js";
import { FederationError } from "../../src/federation/errors.js";
import { checkRawHeaders, passRequestHeaders, passResponseHeaders } from "../../src/federation/headers.js";
import { fuzzRuns } from "../fuzz/runs.js";

const refused = { name: "FederationError", code: "PINYON_HEADERS", status: 400 };
const tooLarge = { ...refused, status: 431 };
/** What Synapse sends, and what goes between nodes. */
const HTTP1 = ["Host", "b:80", "Connection", "close", "Content-Type", "application/json", "User-Agent", "Synapse"];
const HTTP2 = [":method", "PUT", ":path", "/", ":scheme", "http", ":authority", "b", "content-type", "a/b"];

t.test("honest heads pass the check", async (t) => {
  const heads = [
    HTTP1,
    [...HTTP1, "Content-Length", "12"],
    [...HTTP1, "Transfer-Encoding", "chunked"],
    [...HTTP1, "Authorization", "X-Matrix a=b", "Authorization", "X-Matrix a=c"],
    HTTP2,
    [...HTTP2, "host", "b", "content-length", "0", "x-matrix", "a", "x-matrix", "b"],
    [":status", "200", "content-disposition", "inline; filename=\xc3\x85"],
    [],
  ];
  for (const head of heads) t.doesNotThrow(() => checkRawHeaders(head));
});

t.test("heads that can be read in two ways are refused", async (t) => {
  const additions = {
    "two lengths that differ": ["Content-Length", "1", "content-length", "2"],
    "two lengths that do not": ["Content-Length", "1", "Content-Length", "1"],
    "a list of lengths": ["Content-Length", "1, 1"],
    "a length with a sign": ["Content-Length", "+1"],
    "a negative length": ["Content-Length", "-1"],
    "a hexadecimal length": ["Content-Length", "0x1"],
    "an empty length": ["Content-Length", ""],
    "a length with a space": ["Content-Length", "1 "],
    "a length beyond numbers": ["Content-Length", "9".repeat(16)],
    "a length beside chunks": ["Content-Length", "1", "Transfer-Encoding", "chunked"],
    "chunks beside a length": ["transfer-encoding", "chunked", "content-length", "0"],
    "two codings": ["Transfer-Encoding", "gzip, chunked"],
    "another coding": ["Transfer-Encoding", "identity"],
    "an unclear coding": ["Transfer-Encoding", "\tchunked"],
    "chunks twice": ["Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"],
    "two hosts": ["Host", "b"],
    "two types": ["content-TYPE", "application/json"],
    "a folded line": ["X-A", "a\r\n b"],
    "a line feed": ["X-A", "a\nb"],
    "a carriage return": ["X-A", "a\rb"],
    NUL: ["X-A", "a\0b"],
    "a control character": ["X-A", "\x1b"],
    "a space in a name": ["Content-Length ", "1"],
    "a colon in a name": ["a:b", "1"],
    "an empty name": ["", "1"],
    "a line in a name": ["a\r\nb", "1"],
  };
  for (const [why, fields] of Object.entries(additions)) {
    t.throws(() => checkRawHeaders([...HTTP1, ...fields]), refused, why);
    t.throws(() => checkRawHeaders([...fields, ...HTTP1]), refused, why);
  }
  t.doesNotThrow(() => checkRawHeaders(HTTP1), "and the honest one passes");
});

t.test("fields of a connection, or twice, have no place between nodes", async (t) => {
  const additions = [
    ["connection", "close"],
    ["transfer-encoding", "chunked"],
    ["keep-alive", "1"],
    ["proxy-connection", "close"],
    ["upgrade", "h2c"],
    ["host", "c"],
    [":path", "/other"],
    [":authority", "c"],
    ["content-length", "1", "content-length", "1"],
  ];
  for (const fields of additions) t.throws(() => checkRawHeaders([...HTTP2, ...fields]), refused, fields.join());
});

t.test("heads that are too long are refused", async (t) => {
  const fields = (count: number) => Array.from({ length: count }, (_, i) => [`x-${i}`, ""]).flat();
  t.doesNotThrow(() => checkRawHeaders(fields(HEAD_FIELDS_MAX)));
  t.throws(() => checkRawHeaders(fields(HEAD_FIELDS_MAX + 1)), tooLarge);
  t.doesNotThrow(() => checkRawHeaders(["a", "b".repeat(HEAD_BYTES_MAX - 5)]));
  t.throws(() => checkRawHeaders(["a", "b".repeat(HEAD_BYTES_MAX - 4)]), tooLarge);
  t.throws(() => checkRawHeaders(["a".repeat(HEAD_BYTES_MAX), ""]), tooLarge);
});

t.test("of a request only what is listed passes", async (t) => {
  const passed = ["Content-Type", "a/b", "content-length", "2", "Accept", "a", "ACCEPT", "b", "User-Agent", "s"];
  const stopped = ["Host", "b", "Authorization", "X-Matrix a", "Proxy-Authorization", "Bearer s", "Cookie", "c=d"];
  stopped.push(
    "Connection",
    "close",
    "Transfer-Encoding",
    "chunked",
    "TE",
    "trailers",
    "Trailer",
    "x",
    "Upgrade",
    "h2c",
  );
  stopped.push("Expect", "100-continue", "X-Forwarded-For", "127.0.0.1", "X-Forwarded-Proto", "https");
  stopped.push(
    "Forwarded",
    "for=1",
    "X-Real-IP",
    "1",
    ":method",
    "GET",
    ":path",
    "/",
    "x-matrix",
    "a",
    "__proto__",
    "x",
  );
  t.same(passRequestHeaders([...stopped, ...passed]), {
    "content-type": "a/b",
    "content-length": "2",
    accept: "a, b",
    "user-agent": "s",
  });
});

t.test("of an answer only what is listed passes, and no redirection", async (t) => {
  const head = ["Content-Type", "multipart/mixed; boundary=a", "ETag", "1", "Cache-Control", "max-age=1", "Date", "d"];
  head.push("Location", "http://169.254.169.254/", "Set-Cookie", "a=b", "Server", "s", "Connection", "close");
  t.same(passResponseHeaders([":status", "307", ...head]), {
    "content-type": "multipart/mixed; boundary=a",
    etag: "1",
    "cache-control": "max-age=1",
    date: "d",
  });
});

t.test("what Connection names is of that connection", async (t) => {
  const head = [
    "Accept",
    "a",
    "User-Agent",
    "u",
    "Range",
    "r",
    "Connection",
    "close, User-Agent",
    "connection",
    "\trange ,x",
  ];
  t.same(passRequestHeaders(head), { accept: "a" });
  t.same(passResponseHeaders(["ETag", "1", "Connection", "etag", "Date", "d"]), { date: "d" });
});

t.test("any head is taken or refused with the code, and what passes passes again", async (t) => {
  const name = fc.oneof(
    fc.constantFrom("Host", "content-length", "Content-Type", "Transfer-Encoding", "Connection", ":path", "accept"),
    fc.string({ maxLength: 3 }),
  );
  const value = fc.oneof(
    fc.constantFrom("1", "chunked", "close, accept", ""),
    fc.string({ maxLength: 4, unit: "binary" }),
  );
  const head = fc.array(fc.tuple(name, value), { maxLength: 8 }).map((fields) => fields.flat());
  const property = fc.property(head, (raw) => {
    try {
      checkRawHeaders(raw);
    } catch (error) {
      return error instanceof FederationError && error.code === "PINYON_HEADERS";
    }
    const once = passRequestHeaders(raw);
    const again = Object.entries(once).flat() as string[];
    checkRawHeaders(again);
    return JSON.stringify(passRequestHeaders(again)) === JSON.stringify(once);
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: fuzzRuns(3_000) }));
});
