import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import t from "tap";
import { SIGNATURES_MAX } from "../../src/federation/config.js";
import { FederationError } from "../../src/federation/errors.js";
import { formatXMatrix, readXMatrix, type XMatrix } from "../../src/federation/x-matrix.js";
import { fuzzRuns } from "../fuzz/runs.js";
import { signingServer } from "./signing-server.js";

const A = signingServer(1);
const B = signingServer(2);
const KEY = "ed25519:a_AbC1";
const X = A.signer.authorization({ method: "GET", path: "/", destination: B.name }, KEY);
const SIG = X.sig;

const refused = { name: "FederationError", code: "PINYON_AUTHORIZATION", status: 401 };

t.test("what real homeservers write is read", async (t) => {
  const synapse = `X-Matrix origin="${A.name}",key="${KEY}",sig="${SIG}",destination="${B.name}"`;
  t.same(readXMatrix([synapse]), [X]);
  t.equal(formatXMatrix(X), synapse, "and written in the same form");
  const forms = {
    "ruma: sorted, quoted where it must be": `X-Matrix destination=${B.name},key="${KEY}",origin=${A.name},sig="${SIG}"`,
    "older servers: no quotes round the key id": `X-Matrix origin=${A.name},destination=${B.name},key=${KEY},sig="${SIG}"`,
    "another case, spaces and tabs": `x-mAtRiX   ORIGIN="${A.name}" ,\t Key="${KEY}", sig="${SIG}"\t,destination="${B.name}"`,
    "escapes that say nothing": `X-Matrix origin="\\${A.name}",key="${KEY}",sig="${SIG}",destination="${B.name}"`,
    "a parameter of a later specification": `${synapse},nonce="1, 2"`,
  };
  for (const [why, value] of Object.entries(forms)) t.same(readXMatrix([value]), [X], why);
});

t.test("classic names, ports and address literals are read", async (t) => {
  for (const origin of ["matrix.org", "example.org:8448", "1.2.3.4:80", "[2001:db8::1]:8448", "localhost"]) {
    t.equal(readXMatrix([formatXMatrix({ ...X, origin })])[0]!.origin, origin);
  }
});

t.test("several signatures are all read where they name the same servers", async (t) => {
  const two = [X, { ...X, key: "ed25519:b" }];
  t.same(readXMatrix(two.map(formatXMatrix)), two);
});

t.test("two headers that differ in a server, or sign twice with one key, are refused", async (t) => {
  const pairs: XMatrix[] = [
    { ...X, key: "ed25519:b", origin: B.name },
    { ...X, key: "ed25519:b", origin: signingServer(1, "other.example").name },
    { ...X, key: "ed25519:b", destination: A.name },
    { ...X, sig: B.signer.authorization({ method: "GET", path: "/", destination: B.name }, KEY).sig },
    X,
  ];
  for (const other of pairs) {
    t.throws(() => readXMatrix([X, other].map(formatXMatrix)), refused);
    t.throws(() => readXMatrix([other, X].map(formatXMatrix)), refused);
  }
});

t.test("another scheme beside X-Matrix, none at all, and too many headers are refused", async (t) => {
  t.throws(() => readXMatrix([formatXMatrix(X), "Bearer syt_1"]), refused);
  t.throws(() => readXMatrix(["Bearer syt_1", formatXMatrix(X)]), refused);
  t.throws(() => readXMatrix([]), refused);
  const many = Array.from({ length: SIGNATURES_MAX + 1 }, (_, i) => formatXMatrix({ ...X, key: `ed25519:${i}` }));
  t.throws(() => readXMatrix(many), refused);
  t.equal(readXMatrix(many.slice(1)).length, SIGNATURES_MAX);
});

t.test("forged and malformed forms are refused", async (t) => {
  const good = formatXMatrix(X);
  const forms = [
    "",
    "X-Matrix",
    "X-Matrix ",
    ` ${good}`,
    `${good} `,
    `${good},`,
    `${good},,a=b`,
    `${good} a=b`,
    `${good};a=b`,
    good.replace("X-Matrix ", "X-Matrix\t"),
    good.replace("X-Matrix ", "X-Matrix"),
    good.replace("X-Matrix", "X-Matrix-2"),
    good.replace("X-Matrix ", "X-Matrix ,"),
    good.replace("origin=", "origin ="),
    good.replace('origin="', 'origin= "'),
    good.replace('origin="', "origin='"),
    `${good},origin="${A.name}"`,
    `${good},Origin="${B.name}"`,
    `${good},x=1,X=2`,
    `${good}, X-Matrix origin="${B.name}"`,
    `${good}, ${good}`,
    `${good}\r\nX-Evil: 1`,
    `${good},a="\r\n b"`,
    `${good},a="\0"`,
    `${good},a="é"`,
    `${good},a="b`,
    `${good},a="b\\"`,
    `${good},a=`,
    "X-Matrix dG9rZW42OA==",
    good.replace(`,destination="${B.name}"`, ""),
    good.replace(`origin="${A.name}",`, ""),
    good.replace(A.name, ""),
    good.replace(A.name, `${A.name}/`),
    good.replace(A.name, `${A.name}\\"x`),
    good.replace(A.name, `${A.name} `),
    good.replace(A.name, `${A.name}:port`),
    good.replace(A.name, `@a:${A.name}`),
    good.replace(A.name, "a".repeat(256)),
    good.replace(KEY, "rsa:1"),
    good.replace(KEY, "ed25519:"),
    good.replace(KEY, "ed25519"),
    good.replace(KEY, "Ed25519:1"),
    good.replace(SIG, ""),
    good.replace(SIG, `${SIG}==`),
    good.replace(SIG, SIG.slice(1)),
    good.replace(SIG, `-${SIG.slice(1)}`),
    good.replace(SIG, `${SIG.slice(0, -1)}B`),
  ];
  for (const form of forms) t.throws(() => readXMatrix([form]), refused, JSON.stringify(form));
  t.same(readXMatrix([good]), [X], "and the honest one is read");
});

t.test("what is written is read back", async (t) => {
  const name = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,60}[a-z0-9])?(:[0-9]{1,5})?$/);
  const fields = {
    origin: name,
    destination: name,
    key: fc.stringMatching(/^ed25519:[A-Za-z0-9_]{1,20}$/),
    sig: fc
      .uint8Array({ minLength: 64, maxLength: 64 })
      .map((bytes) => Buffer.from(bytes).toString("base64").slice(0, 86)),
  };
  const x = fc.record(fields, { noNullPrototype: true });
  const property = fc.property(x, (written) => isDeepStrictEqual(readXMatrix([formatXMatrix(written)]), [written]));
  t.doesNotThrow(() => fc.assert(property));
});

t.test("whatever comes is read or refused with the code, and what is read is written anew", async (t) => {
  const part = fc.constantFrom(
    ...["X-Matrix ", "x-matrix", "origin", "=", '"', ",", " ", "\t", "\\", '\\"', ":", "key", "sig", "\0", "\n"],
    ...[A.name, KEY, SIG, `origin="${A.name}"`, `destination="${B.name}"`, `key="${KEY}"`, `sig="${SIG}"`],
  );
  const text = fc
    .array(fc.oneof(part, fc.string({ maxLength: 3 })), { maxLength: 16 })
    .map((parts) => `X-Matrix ${parts.join("")}`);
  const good = formatXMatrix(X);
  const mutated = fc
    .tuple(fc.nat({ max: good.length }), fc.nat({ max: 4 }), fc.string({ maxLength: 3 }))
    .map(([at, count, put]) => good.slice(0, at) + put + good.slice(at + count));
  const property = fc.property(fc.array(fc.oneof(text, mutated), { maxLength: 3 }), (values) => {
    try {
      const all = readXMatrix(values);
      return isDeepStrictEqual(readXMatrix(all.map(formatXMatrix)), all);
    } catch (error) {
      return error instanceof FederationError && error.code === "PINYON_AUTHORIZATION";
    }
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: fuzzRuns(3_000) }));
});

t.test("long values are refused as short ones are", async (t) => {
  t.throws(() => readXMatrix([`X-Matrix a="${"\\a".repeat(16_000)}"`]), refused);
  t.throws(() => readXMatrix([`X-Matrix ${"a=b,".repeat(8_000)}`]), refused);
  t.throws(() => readXMatrix([`X-Matrix${" ".repeat(32_000)}`]), refused);
});
