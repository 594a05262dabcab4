import fc from "fast-check";
import t from "tap";
import { OverlayError } from "../../src/driver/errors.js";
import { decodeNameRecord, encodeNameRecord } from "../../src/driver/name-record.js";
import { KEY_BYTES } from "../../src/wire/limits.js";
import { isServerName, keyToName, SERVER_NAME_CHARS_MAX } from "../../src/wire/name.js";

const KEY = new Uint8Array(KEY_BYTES).map((_, i) => 7 * i + 1);
const NAME = keyToName(KEY);
const RECORD = encodeNameRecord(NAME);

/** The code of a refusal, or what was decoded. */
function verdict(bytes: Uint8Array, key = KEY): unknown {
  const decoded = decodeNameRecord(bytes, key);
  return decoded instanceof OverlayError ? decoded.code : decoded;
}

t.test("a record says the name and where the next bytes begin", async (t) => {
  t.strictSame(verdict(Buffer.concat([RECORD, Buffer.from("PRI * HTTP/2.0")])), {
    name: NAME,
    sizeBytes: RECORD.length,
  });
  const gateway = keyToName(KEY, "gw.example.org");
  t.strictSame(verdict(encodeNameRecord(gateway)), { name: gateway, sizeBytes: 4 + gateway.length });
});

t.test("the record's bytes are these", async (t) => {
  const hex = Buffer.from(encodeNameRecord(keyToName(new Uint8Array(KEY_BYTES)))).toString("hex");
  t.equal(hex, `9201d93f${"61".repeat(52)}${Buffer.from(".pinyon.alt").toString("hex")}`);
});

t.test("a name that holds no key is stated in a version of its own, in its shortest form", async (t) => {
  const hex = (name: string) => Buffer.from(encodeNameRecord(name)).toString("hex");
  t.equal(hex("example.org"), `9202ab${Buffer.from("example.org").toString("hex")}`);
  t.match(hex(`${"a".repeat(28)}.org`), /^9202d920/);
  for (const name of ["a.example", "example.org:8448", "8.0.0.1", "[2606:4700::1]:443", "a".repeat(230)]) {
    const record = encodeNameRecord(name);
    t.strictSame(verdict(Buffer.concat([record, Buffer.from("PRI")])), { name, sizeBytes: record.length }, name);
    for (let length = 0; length < record.length; length++) t.equal(verdict(record.subarray(0, length)), undefined);
  }
  const said = (version: number, head: number[], name: string) =>
    verdict(Buffer.concat([Uint8Array.of(0x92, version, ...head), Buffer.from(name)]));
  const refused: [string, unknown][] = [
    ["no name", said(2, [0xa0], "")],
    ["longer head than needed", said(2, [0xd9, 11], "example.org")],
    ["too long", said(2, [0xd9, 231], "")],
    ["of the version of keys", said(1, [0xab], "example.org")],
    ["in capitals", said(2, [0xab], "Example.org")],
    ["with a space", said(2, [0xab], "example org")],
    ["a key's name", said(2, [0xd9, NAME.length], NAME)],
    ["another form of a key's name", said(2, [0xd9, NAME.length + 5], `${NAME}:8448`)],
  ];
  for (const [what, code] of refused) t.equal(code, "PINYON_NAME_RECORD", what);
  for (const name of ["a b", "a/b", "", "a".repeat(231), "ä.example"])
    t.throws(() => encodeNameRecord(name), TypeError);
});

t.test("every beginning of a record asks for more", async (t) => {
  for (let length = 0; length < RECORD.length; length++) t.equal(verdict(RECORD.subarray(0, length)), undefined);
});

t.test("another node's name, another version and another form are refused, each with its code", async (t) => {
  const otherKey = KEY.map((byte) => byte ^ 1);
  t.equal(verdict(RECORD, otherKey), "PINYON_NAME_MISMATCH");
  t.equal(verdict(Uint8Array.of(0x92, 3)), "PINYON_NAME_VERSION");
  t.equal(verdict(Uint8Array.of(0x93)), "PINYON_NAME_RECORD", "array of three");
  t.equal(verdict(Uint8Array.of(0x92, 1, 0xda, 0, 63)), "PINYON_NAME_RECORD", "longer head than needed");
  t.equal(verdict(Uint8Array.of(0x92, 1, 0xd9, 53)), "PINYON_NAME_RECORD", "too short for a name");
  t.equal(verdict(Uint8Array.of(0x92, 1, 0xd9, 231)), "PINYON_NAME_RECORD", "too long for a name");
  t.equal(verdict(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")), "PINYON_NAME_RECORD", "HTTP/2 without a record");
  t.equal(verdict(Buffer.from(Buffer.from(RECORD).toString("latin1").toUpperCase(), "latin1")), "PINYON_NAME_RECORD");
});

t.test("names that are not a server name of the overlay are not stated", async (t) => {
  const label = NAME.slice(0, 52);
  for (const name of ["", label, `${label}.`, `${label}..alt`, `${label}.A`, `${label}.alt:8448`, ` ${NAME}`]) {
    t.equal(isServerName(name), false, name);
    t.throws(() => encodeNameRecord(name), TypeError);
  }
  const longest = `${label}.${"a".repeat(SERVER_NAME_CHARS_MAX - 53)}`;
  t.equal(isServerName(longest), true);
  t.equal(isServerName(`${longest}a`), false);
});

t.test("no bytes throw, and none but a record pass", async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const decoded = decodeNameRecord(bytes, KEY);
      return decoded === undefined || decoded instanceof OverlayError;
    }),
  );
  fc.assert(
    fc.property(fc.nat(RECORD.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bytes = RECORD.slice();
      bytes[at] = bytes[at]! ^ flip;
      const decoded = decodeNameRecord(bytes, KEY);
      // Another domain is another valid name of the same key; a shorter length leaves bytes over.
      return decoded === undefined || decoded instanceof OverlayError || at === 3 || at > 4 + 52;
    }),
  );
  t.pass();
});
