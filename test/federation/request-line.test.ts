import fc from "fast-check";
import t from "tap";
import { FederationError } from "../../src/federation/errors.js";
import { parseTarget, SchemeHyphen } from "../../src/federation/request-line.js";
import { parseTunnelTarget } from "../../src/federation/tls-front.js";
import { isServerName, keyToName } from "../../src/wire/name.js";

const NAME = keyToName(new Uint8Array(32).fill(7));
const bytes = (text: string) => Buffer.from(text, "latin1");

/** What the parser sees of a connection that brings these pieces. */
function seen(...pieces: string[]): string {
  const hyphen = new SchemeHyphen();
  const chunks = pieces.map(bytes);
  for (const chunk of chunks) hyphen.replaceIn(chunk);
  return Buffer.concat(chunks).toString("latin1");
}

t.test("a letter takes the place of the hyphen of the scheme, and of nothing else", async (t) => {
  const changed = [
    ["GET matrix-federation://a-b/c-d HTTP/1.1\r\n", "GET matrixxfederation://a-b/c-d HTTP/1.1\r\n"],
    ["PUT Matrix-Federation://a", "PUT MatrixxFederation://a"],
    ["\r\n\r\nGET matrix-federation://a", "\r\n\r\nGET matrixxfederation://a"],
    [" matrix-federation://", " matrixxfederation://"],
  ];
  for (const [before, after] of changed) t.equal(seen(before!), after);
  const kept = [
    "GET /matrix-federation://a HTTP/1.1",
    "GET  matrix-federation://a HTTP/1.1",
    "GET https://matrix-federation://a HTTP/1.1",
    "GET matrixx-federation://a HTTP/1.1",
    "CONNECT a:8448 HTTP/1.0",
    "\x16\x03\x01\x02\x00 hello",
    "A-METHOD-THAT-IS-TOO-LONG-TO-BE-ONE matrix-federation://a",
  ];
  for (const line of kept) t.equal(seen(line), line, line);
});

t.test("however the bytes of a request are cut, the parser sees the same", async () => {
  const method = fc.constantFrom("GET ", "PUT ", "", " ", "\r\nGET ", "LONG-BUT-NOT-TOO-LONG ", "G\0T ");
  const scheme = fc.constantFrom("matrix-federation://", "matrix-", "MATRIX-federation://", "https://", "");
  const line = fc
    .tuple(method, scheme, fc.string({ unit: "binary-ascii", maxLength: 60 }))
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(line, (line) => {
      for (let cut = 0; cut < line.length; cut++) {
        if (seen(line.slice(0, cut), line.slice(cut)) !== seen(line)) return false;
      }
      return seen(...line) === seen(line);
    }),
  );
});

t.test("a second request is changed as the first was, once it may begin", async (t) => {
  const hyphen = new SchemeHyphen();
  const lines = Array.from({ length: 2 }, () => bytes("GET matrix-federation://a"));
  hyphen.replaceIn(lines[0]!);
  hyphen.replaceIn(lines[1]!);
  t.equal(lines[1]!.toString(), "GET matrix-federation://a");
  hyphen.restart();
  hyphen.replaceIn(lines[1]!);
  t.equal(lines[1]!.toString(), "GET matrixxfederation://a");
});

t.test("a target gives a name and a path, or an error of this node, whatever it is", async () => {
  const piece = fc.constantFrom(
    "matrixxfederation",
    "https",
    "http",
    "://",
    ":",
    "/",
    "@",
    "#",
    "?",
    "[",
    "]",
    NAME,
    "8448",
    "a.b",
  );
  const url = fc.array(fc.oneof(piece, fc.string({ maxLength: 5 })), { maxLength: 12 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(url, (url) => {
      const target = outcome(() => parseTarget(url));
      if (target === undefined) return true;
      const { destination, path } = target;
      return (
        url.endsWith(path) && /^\/[^#]*$/.test(path) && /^[^/@#?]+$/.test(destination) && url.includes(destination)
      );
    }),
  );
  const authority = fc
    .array(fc.oneof(piece, fc.string({ maxLength: 5 })), { maxLength: 6 })
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(authority, (authority) => {
      const target = outcome(() => parseTunnelTarget(authority, () => false));
      if (target === undefined) return true;
      if ("port" in target) return !isServerName(target.host) && authority.endsWith(`:${target.port}`);
      const { name } = target;
      return isServerName(name) && /^:(443|8448)$/.test(authority.slice(name.length));
    }),
  );
});

/** What `parse` gives; undefined where it refuses. */
function outcome<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof FederationError) return undefined;
    throw error;
  }
}
