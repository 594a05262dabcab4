import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import t from "tap";
import { JSON_DEPTH_MAX } from "../../src/federation/config.js";
import { canonicalJson, parseJson } from "../../src/federation/json.js";
import { Signer, unpaddedBase64, verifyAuthorization, verifyJson } from "../../src/federation/signing.js";
import { fuzzRuns } from "../fuzz/runs.js";
import { publicKeyOf } from "./signing-server.js";

/** The key of the specification's vectors (appendices, "Cryptographic Test Vectors"). */
const SEED = Buffer.from("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1", "base64");
const PUBLIC_KEY = publicKeyOf(SEED);
const SIGNER = new Signer(SEED, "domain");
const KEY_ID = "ed25519:1";

const textOf = (text: string) => parseJson(Buffer.from(text));

t.test("the specification's vectors of signed JSON come out", async (t) => {
  t.equal(unpaddedBase64(PUBLIC_KEY), "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI");
  const ofEmpty = "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ";
  const ofTwo = "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw";
  const empty = SIGNER.signJson({}, KEY_ID);
  const two = SIGNER.signJson({ one: 1, two: "Two" }, KEY_ID);
  t.same(empty, { signatures: { domain: { [KEY_ID]: ofEmpty } } });
  t.same(two, { one: 1, signatures: { domain: { [KEY_ID]: ofTwo } }, two: "Two" });
  for (const object of [empty, two]) t.ok(verifyJson(object, "domain", KEY_ID, PUBLIC_KEY));
});

t.test("signatures are those of Synapse's own library", async (t) => {
  // signedjson 1.1.4 with canonicaljson 2.0.0
  const content = { pdus: [], edus: [{ b: 1, a: "é" }] };
  const put = { method: "PUT", path: "/_matrix/federation/v1/send/1?a=%2F", content };
  const get = { method: "GET", path: "/_matrix/federation/v1/version" };
  const destination = "example.org:8448";
  const signatures = [
    [put, "HkMu9feGNy3ZFTcwFNg1qAXMbJylvlz1dqqED0vuF3DCV+KmGgILMcqzYly/lYsgvdEFAYbmTFd2X9hhjJUHAA"],
    [get, "kIf1zYkHo2mjUujBqQsKKYl9FRzZKPnSWPEwXffx/9XxT5c/zrJudRZDKEf/REFkm1eDnQlgiAUPAXkgzuYeBg"],
  ] as const;
  for (const [request, sig] of signatures) {
    const x = SIGNER.authorization({ ...request, destination }, KEY_ID);
    t.same(x, { origin: "domain", destination, key: KEY_ID, sig });
    t.ok(verifyAuthorization(x, request, PUBLIC_KEY));
  }
  const kept = SIGNER.signJson({ a: "b", unsigned: { x: 1 }, signatures: { other: { "ed25519:x": "y" } } }, KEY_ID);
  t.same(kept.signatures, {
    other: { "ed25519:x": "y" },
    domain: { [KEY_ID]: "TQFYK690DJmeyGlPX764qqpYG4hRFrkpZ4+7AE7EiYe1oSVtpBpbaxe2bBgT/4WRwH31DGMrICRUo7QfAVylAg" },
  });
  t.same(kept["unsigned"], { x: 1 });
});

t.test("an authorization holds for its own request alone", async (t) => {
  const request = { method: "PUT", path: "/_matrix/federation/v1/send/1", content: { a: 1 } };
  const x = SIGNER.authorization({ ...request, destination: "b.example" }, KEY_ID);
  t.ok(verifyAuthorization(x, request, PUBLIC_KEY));
  t.notOk(verifyAuthorization(x, { ...request, method: "POST" }, PUBLIC_KEY));
  t.notOk(verifyAuthorization(x, { ...request, path: `${request.path}?` }, PUBLIC_KEY));
  t.notOk(verifyAuthorization(x, { ...request, content: { a: 2 } }, PUBLIC_KEY));
  t.notOk(verifyAuthorization(x, { method: "PUT", path: request.path }, PUBLIC_KEY));
  t.notOk(verifyAuthorization({ ...x, origin: "c.example" }, request, PUBLIC_KEY));
  t.notOk(verifyAuthorization({ ...x, destination: "c.example" }, request, PUBLIC_KEY));
  t.notOk(verifyAuthorization(x, request, publicKeyOf(Buffer.alloc(32, 9))));
});

t.test("what is no signature of the name is refused, whatever stands in its place", async (t) => {
  const signed = SIGNER.signJson({ a: 1 }, KEY_ID);
  t.notOk(verifyJson(signed, "other", KEY_ID, PUBLIC_KEY));
  t.notOk(verifyJson(signed, "domain", "ed25519:2", PUBLIC_KEY));
  t.notOk(verifyJson(signed, "__proto__", "constructor", PUBLIC_KEY));
  t.notOk(verifyJson({ ...signed, a: 2 }, "domain", KEY_ID, PUBLIC_KEY));
  t.notOk(verifyJson({ ...signed, b: 1.5 }, "domain", KEY_ID, PUBLIC_KEY), "no canonical form");
  t.notOk(verifyJson(signed, "domain", KEY_ID, new Uint8Array(31)), "no key");
  const others = [undefined, null, 1, "", [], {}, { domain: null }, { domain: [] }, { domain: { [KEY_ID]: 1 } }];
  for (const signatures of others) t.notOk(verifyJson({ a: 1, signatures }, "domain", KEY_ID, PUBLIC_KEY));
  const sig = (signed.signatures["domain"] as Record<string, string>)[KEY_ID]!;
  for (const other of [`${sig}==`, sig.slice(1), ` ${sig}`, ""]) {
    t.notOk(verifyJson({ a: 1, signatures: { domain: { [KEY_ID]: other } } }, "domain", KEY_ID, PUBLIC_KEY));
  }
});

t.test("canonical JSON is the specification's", async (t) => {
  const vectors: Record<string, string> = {
    "{}": "{}",
    '{ "one": 1, "two": "Two" }': '{"one":1,"two":"Two"}',
    '{"b":"2","a":"1"}': '{"a":"1","b":"2"}',
    '{"本":2,"日":1}': '{"日":1,"本":2}',
    '{"a":"\\u65E5"}': '{"a":"日"}',
    '{"a":null}': '{"a":null}',
    // canonicaljson 2.0.0
    '{"\\ud800\\udc00":1,"\\uffff":2}': '{"\uffff":2,"\u{10000}":1}',
    '{"s":"\\u0000\\u001F\\u007f\\u2028\\"\\\\\\/\\b\\f\\n\\r\\t"}':
      '{"s":"\\u0000\\u001f\u007f\u2028\\"\\\\/\\b\\f\\n\\r\\t"}',
    '{"a":[[]],"A":[],"":{}}': '{"":{},"A":[],"a":[[]]}',
    '{"constructor":2,"__proto__":1}': '{"__proto__":1,"constructor":2}',
    "[9007199254740991,-9007199254740991,0]": "[9007199254740991,-9007199254740991,0]",
  };
  for (const [text, canonical] of Object.entries(vectors)) t.equal(canonicalJson(textOf(text)), canonical);
});

t.test("of a name that comes twice the last is taken, as Synapse does", async (t) => {
  t.same(textOf('{"a":1,"b":2,"a":3}'), { a: 3, b: 2 });
});

t.test("JSON without a canonical form is refused", async (t) => {
  const none = [
    "",
    "{",
    "1.5",
    "1.0",
    "1e3",
    "1E3",
    "-0",
    "[0.1]",
    '{"a":-0}',
    "9007199254740992",
    "-9007199254740992",
  ];
  none.push(
    "Infinity",
    "NaN",
    "'a'",
    "\ufeff{}",
    '"\\ud800"',
    '{"\\udc00":1}',
    "{}{}",
    "01",
    '{"a":1,}',
    '"\t"',
    "nul",
  );
  for (const text of none) t.equal(textOf(text), undefined, text);
  t.equal(parseJson(Uint8Array.of(0x22, 0xff, 0x22)), undefined, "no UTF-8");
  t.equal(parseJson(Uint8Array.of(0x22, 0xc0, 0xae, 0x22)), undefined, "overlong UTF-8");
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  t.ok(textOf(nested(JSON_DEPTH_MAX)));
  t.equal(textOf(nested(JSON_DEPTH_MAX + 1)), undefined);
  t.equal(textOf(nested(100_000)), undefined);
  t.equal(textOf('{"a":'.repeat(50_000)), undefined);
  t.equal(textOf('"1.5 -0 1e3 [[["'), "1.5 -0 1e3 [[[", "strings are no numbers");
  t.equal(textOf(`"${"\\\\".repeat(100_000)}\\"1.5"`), `${"\\".repeat(100_000)}"1.5`);
  for (const value of [1.5, Number.NaN, undefined, 1n, "\ud800"]) {
    t.throws(() => canonicalJson({ a: [value] }), TypeError);
  }
});

t.test("canonical JSON says what was read, and is its own canonical form", async (t) => {
  const property = fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
    const read = textOf(JSON.stringify(value));
    if (read === undefined) return true;
    const text = canonicalJson(read);
    return isDeepStrictEqual(JSON.parse(text), read) && canonicalJson(textOf(text)) === text;
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: fuzzRuns(500) }));
});
