import fc from "fast-check";
import t from "tap";
import { FederationError } from "../../src/federation/errors.js";
import { parseTarget, withoutHyphen } from "../../src/federation/request-line.js";
import { parseTunnelTarget } from "../../src/federation/tls-front.js";
import { isServerName, keyToName } from "../../src/wire/name.js";

const NAME = keyToName(new Uint8Array(32).fill(7));
const bytes = (text: string) => Buffer.from(text, "latin1");

t.test("the hyphen is taken out of the scheme and out of nothing else", async (t) => {
  const changed = [
    ["GET matrix-federation://a-b/c-d HTTP/1.1\r\n", "GET matrixfederation://a-b/c-d HTTP/1.1\r\n"],
    ["PUT Matrix-Federation://a", "PUT MatrixFederation://a"],
    [" matrix-federation://", " matrixfederation://"],
  ];
  for (const [before, after] of changed) t.equal(withoutHyphen(bytes(before!))!.toString("latin1"), after);
  const kept = [
    "GET /matrix-federation://a HTTP/1.1",
    "GET  matrix-federation://a HTTP/1.1",
    "GET https://matrix-federation://a HTTP/1.1",
    "GET matrix-federation:/a HTTP/1.1",
    "CONNECT a:8448 HTTP/1.0",
    "\x16\x03\x01\x02\x00 hello",
    "A-METHOD-THAT-IS-TOO-LONG-TO-BE-ONE",
  ];
  for (const line of kept) t.same(withoutHyphen(bytes(line)), bytes(line), line);
});

t.test("however the first bytes are cut, what comes out is the same", async () => {
  const method = fc.constantFrom("GET ", "PUT ", "", " ", "LONG-BUT-NOT-TOO-LONG ", "G\0T ");
  const scheme = fc.constantFrom("matrix-federation://", "matrix-federation:/", "MATRIX-federation://", "https://", "");
  const line = fc
    .tuple(method, scheme, fc.string({ unit: "binary-ascii", maxLength: 60 }))
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(line, (line) => {
      const whole = withoutHyphen(bytes(line));
      for (let cut = 0; cut < line.length; cut++) {
        const start = withoutHyphen(bytes(line.slice(0, cut)));
        if (start === undefined) continue;
        const both = Buffer.concat([start, bytes(line.slice(cut))]);
        if (whole === undefined || !both.equals(whole)) return false;
      }
      return whole === undefined || whole.length === line.length || whole.length === line.length - 1;
    }),
  );
});

t.test("a target gives a name and a path, or an error of this node, whatever it is", async () => {
  const piece = fc.constantFrom(
    "matrixfederation",
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
      const target = outcome(() => parseTunnelTarget(authority));
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
