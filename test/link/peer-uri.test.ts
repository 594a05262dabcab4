import fc from "fast-check";
import t from "tap";
import { formatPeerUri, type PeerUri, PeerUriError, parsePeerUri, peerEndpoint } from "../../src/link/peer-uri.js";
import { base32Encode } from "../../src/wire/name.js";

const KEY = Uint8Array.from({ length: 32 }, (_, index) => index * 7);
const HEX = Buffer.from(KEY).toString("hex");
const BASE32 = base32Encode(KEY);

const PLAIN: PeerUri = {
  scheme: "wss",
  host: "relay.example",
  port: 18_100,
  path: "/",
  keys: [],
  priority: 0,
  backoffMaxMs: undefined,
  password: undefined,
};

t.test("every part of a peer URI is read", async (t) => {
  const read: [string, Partial<PeerUri>][] = [
    ["wss://relay.example:18100", {}],
    ["wss://relay.example:18100/", {}],
    ["WSS://Relay.Example:18100/", {}],
    ["ws://relay.example", { scheme: "ws", port: 80 }],
    ["wss://relay.example", { port: 443 }],
    ["wss://relay.example:18100/a/b", { path: "/a/b" }],
    ["wss://[2001:db8::1]:18100", { host: "2001:db8::1" }],
    ["wss://192.0.2.7:18100", { host: "192.0.2.7" }],
    [`wss://relay.example:18100?key=${HEX}`, { keys: [KEY] }],
    [`wss://relay.example:18100?key=${HEX.toUpperCase()}&key=${BASE32}`, { keys: [KEY, KEY] }],
    [`wss://${HEX}@relay.example:18100`, { keys: [KEY] }],
    [`wss://${BASE32}@relay.example:18100?key=${"0".repeat(64)}`, { keys: [KEY, new Uint8Array(32)] }],
    ["wss://relay.example:18100?priority=7", { priority: 7 }],
    ["wss://relay.example:18100?maxbackoff=90", { backoffMaxMs: 90_000 }],
    ["wss://relay.example:18100?maxbackoff=90s", { backoffMaxMs: 90_000 }],
    ["wss://relay.example:18100?maxbackoff=5m", { backoffMaxMs: 300_000 }],
    ["wss://relay.example:18100?maxbackoff=2h", { backoffMaxMs: 7_200_000 }],
    ["wss://relay.example:18100?password=a+b%20%23%26", { password: "a+b #&" }],
  ];
  for (const [text, parts] of read) t.same(parsePeerUri(text), { ...PLAIN, ...parts }, text);
});

t.test("what is no peer URI is refused, saying what was expected", async (t) => {
  const refused: [string, RegExp][] = [
    ["", /of the form wss:\/\/host:port/],
    ["relay.example:18100", /of the form/],
    ["https://relay.example", /of the form/],
    ["wss://", /of the form/],
    ["wss://relay.example:99999", /of the form/],
    ["wss://relay.example:0", /a port from 1 to 65535/],
    [`wss://${HEX}:secret@relay.example`, /a key alone before the @/],
    ["wss://relay.example#part", /no #/],
    ["wss://relay.example?key=12", /a key of 64 hex digits or 52 characters of base32, not "12"/],
    [`wss://relay.example?key=${BASE32.toUpperCase()}`, /a key of 64/],
    [`wss://relay.example?key=${BASE32.slice(0, -1)}7`, /a key of 64/],
    ["wss://nobody@relay.example", /a key of 64/],
    ["wss://relay.example?key", /a key of 64/],
    ["wss://relay.example?priority=256", /a priority from 0 to 255/],
    ["wss://relay.example?priority=1.5", /a priority from 0 to 255/],
    ["wss://relay.example?maxbackoff=0", /a maxbackoff from 1s to 168h/],
    ["wss://relay.example?maxbackoff=1d", /a maxbackoff from 1s to 168h/],
    ["wss://relay.example?maxbackoff=169h", /a maxbackoff from 1s to 168h/],
    ["wss://relay.example?priority=1&priority=2", /priority at most once/],
    ["wss://relay.example?pin=1", /there is no "pin"/],
    ["wss://relay.example?password=%zz", /two hex digits after each %/],
  ];
  for (const [text, message] of refused) {
    t.throws(() => parsePeerUri(text), { code: "PINYON_PEER_URI", message }, text);
  }
});

t.test("any text is read or refused as a peer URI, nothing else", async (t) => {
  const parts = fc.constantFrom(
    "wss://",
    "ws://",
    "@",
    ":",
    "?key=",
    "&",
    "password=",
    "%",
    "[",
    "]",
    "/",
    HEX,
    BASE32,
  );
  const text = fc.array(fc.oneof(parts, fc.string({ maxLength: 8 })), { maxLength: 8 });
  const property = fc.property(text, (pieces) => {
    try {
      parsePeerUri(pieces.join(""));
      return true;
    } catch (error) {
      return error instanceof PeerUriError;
    }
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 2_000 }));
});

t.test("a formatted peer URI is read back the same", async (t) => {
  const uris = fc.record<PeerUri>({
    scheme: fc.constantFrom("ws", "wss"),
    host: fc.oneof(fc.domain(), fc.ipV4(), fc.constant("2001:db8::7")),
    port: fc.integer({ min: 1, max: 65_535 }),
    path: fc.constantFrom("/", "/a", "/a/b%20c"),
    keys: fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 3 }),
    priority: fc.integer({ min: 0, max: 255 }),
    backoffMaxMs: fc.option(
      fc.integer({ min: 1, max: 600_000 }).map((seconds) => seconds * 1_000),
      { nil: undefined },
    ),
    password: fc.option(fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }), { nil: undefined }),
  });
  const property = fc.property(uris, (uri) => {
    const back = parsePeerUri(formatPeerUri(uri));
    return JSON.stringify(back) === JSON.stringify(uri);
  });
  t.doesNotThrow(() => fc.assert(property));
});

t.test("neither the endpoint nor an error shows a password", async (t) => {
  t.equal(peerEndpoint(parsePeerUri("wss://relay.example/x?password=hidden")), "wss://relay.example:443/x");
  t.throws(() => parsePeerUri("wss://relay.example?password=hidden&priority=x"), { message: /^(?!.*hidden)/ });
});
