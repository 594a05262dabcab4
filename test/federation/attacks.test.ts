import type { OutgoingHttpHeaders } from "node:http2";
import t, { type Test } from "tap";
import { HEAD_BYTES_MAX, HEAD_FIELDS_MAX } from "../../src/federation/config.js";
import type { FederationCode } from "../../src/federation/errors.js";
import { formatXMatrix } from "../../src/federation/x-matrix.js";
import { TestNetwork } from "./network.js";
import { askRaw, VERSION } from "./raw-node.js";
import { ask, codeOf, KEY_ID, startServer, type TestServer } from "./server.js";
import { signingServer } from "./signing-server.js";

const PROFILE = "/_matrix/federation/v1/query/profile";

async function pair(t: Test) {
  const network = new TestNetwork();
  return { a: await startServer(t, network), b: await startServer(t, network), network };
}

/** Another node tries: it is told `code`, that is counted, the homeserver hears nothing, and an honest request is served. */
async function refuses(
  t: Test,
  a: TestServer,
  b: TestServer,
  code: FederationCode,
  headers: OutgoingHttpHeaders,
  why: string,
) {
  const { inboundErrors } = b.federation.stats;
  const [counted, asked] = [inboundErrors[code], b.asked.length];
  t.equal((await askRaw(a, b, headers)).code, code, why);
  t.equal(inboundErrors[code], counted + 1, why);
  t.equal(b.asked.length, asked, why);
  t.equal((await askRaw(a, b)).status, 200, why);
}

t.test("an origin that is not the session's name is refused", async (t) => {
  const { a, b } = await pair(t);
  const request = { method: "GET", path: PROFILE, destination: b.name };
  const own = a.signer.authorization(request, KEY_ID);
  const other = signingServer(1);
  const forged = {
    "another server's signature": other.signer.authorization(request, KEY_ID),
    "another server's name": { ...own, origin: other.name },
    "the receiver's own name": { ...own, origin: b.name },
    "a classic name": { ...own, origin: "matrix.org" },
    "the same key under another suffix": { ...own, origin: a.name.replace("pinyon.alt", "gateway.example") },
    "the same key with a port": { ...own, origin: `${a.name}:8448` },
    "the same key in upper case": { ...own, origin: a.name.toUpperCase() },
    "the bare label": { ...own, origin: a.name.split(".")[0]! },
  };
  for (const [why, signature] of Object.entries(forged)) {
    for (const path of [PROFILE, VERSION]) {
      await refuses(t, a, b, "PINYON_ORIGIN", { ":path": path, "x-matrix": formatXMatrix(signature) }, why);
    }
  }
});

t.test("a destination that is not the receiver's name is refused", async (t) => {
  const { a, b } = await pair(t);
  const elsewhere = b.name.replace("pinyon.alt", "gateway.example");
  for (const destination of [a.name, elsewhere, "matrix.org", `${b.name}:8448`, b.name.toUpperCase()]) {
    const signature = formatXMatrix(a.signer.authorization({ method: "GET", path: PROFILE, destination }, KEY_ID));
    await refuses(t, a, b, "PINYON_DESTINATION", { ":path": PROFILE, "x-matrix": signature }, destination);
    await refuses(t, a, b, "PINYON_DESTINATION", { ":path": VERSION, ":authority": destination }, destination);
  }
});

t.test("authorizations that are missing, malformed or differ are refused", async (t) => {
  const { a, b } = await pair(t);
  const good = formatXMatrix(a.signer.authorization({ method: "GET", path: PROFILE, destination: b.name }, KEY_ID));
  const second = good.replace(KEY_ID, "ed25519:2");
  const forms: (string | string[])[] = [
    [],
    "",
    "Bearer x",
    good.replace("X-Matrix", "Basic"),
    good.replace(/,destination=.*/, ""),
    `${good},origin="${b.name}"`,
    [good, second.replace(a.name, b.name)],
    [second.replace(b.name, a.name), good],
    [good, good],
    [good, "Bearer x"],
    Array.from({ length: 5 }, (_, i) => good.replace(KEY_ID, `ed25519:${i}`)),
  ];
  for (const form of forms) {
    await refuses(t, a, b, "PINYON_AUTHORIZATION", { ":path": PROFILE, "x-matrix": form }, JSON.stringify(form));
  }
  await askRaw(a, b, { ":path": PROFILE, "x-matrix": [good, second], authorization: "Bearer syt_admin" });
  const { rawHeaders } = b.asked.at(-1)!;
  const passed = rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === "authorization");
  t.same(passed, [good, second], "every signature that was verified passes, and nothing else");
});

t.test("client, admin, media-with-remote and path-traversal requests are refused", async (t) => {
  const { a, b } = await pair(t);
  const media = `/_matrix/media/v3/download/${b.name}/x`;
  const paths = ["/_matrix/client/v3/login", "/_synapse/admin/v1/users", "/_dendrite/admin/x", media, "/"];
  paths.push(
    `${media}?allow_remote=true`,
    `${media}?a;allow_remote=true&allow_remote=false`,
    "/.well-known/matrix/client",
  );
  paths.push("/_matrix/federation/v1/../../client/versions", "/_matrix/federation/v1/%2e%2e/%2e%2e/client/versions");
  paths.push(
    "/_matrix/federation/v1/x%2f..%2f..%2f..%2fclient",
    "/_matrix/federation/v1/..%5c..%5cclient",
    "//_matrix",
  );
  for (const path of paths) await refuses(t, a, b, "PINYON_PATH", { ":path": path }, path);
  for (const method of ["DELETE", "OPTIONS", "HEAD"]) {
    const before = b.federation.stats.inboundErrors.PINYON_PATH;
    await askRaw(a, b, { ":method": method, ":path": PROFILE });
    t.equal(b.federation.stats.inboundErrors.PINYON_PATH, before + 1, method);
  }
});

t.test("a head that is too long or ambiguous is refused", async (t) => {
  const { a, b } = await pair(t);
  const many = Object.fromEntries(Array.from({ length: HEAD_FIELDS_MAX + 1 }, (_, i) => [`x-${i}`, ""]));
  await refuses(t, a, b, "PINYON_HEADERS", { host: "other" }, "two hosts");
  for (const headers of [many, { "x-a": "a".repeat(HEAD_BYTES_MAX) }]) {
    t.same(await askRaw(a, b, headers), { status: undefined, code: undefined }, "HTTP/2 itself breaks it off");
    t.equal((await askRaw(a, b)).status, 200, "an honest request is served");
  }
  t.equal(codeOf(await ask(a, b.name, { path: VERSION, headers: many })), "PINYON_HEADERS", "from the homeserver");
  t.equal(a.federation.stats.outboundErrors.PINYON_HEADERS, 1);
  t.ok(b.asked.every(({ url }) => url === VERSION));
});

t.test("a homeserver can neither speak as another server nor reach other paths or names", async (t) => {
  const { a, b } = await pair(t);
  const { outboundErrors } = a.federation.stats;
  const as = (origin: string, destination: string) => ({
    authorization: formatXMatrix({
      ...a.signer.authorization({ method: "GET", path: PROFILE, destination }, KEY_ID),
      origin,
    }),
  });
  const tries: [FederationCode, string, string, Record<string, string | string[]>][] = [
    ["PINYON_ORIGIN", b.name, PROFILE, as("matrix.org", b.name)],
    ["PINYON_ORIGIN", b.name, PROFILE, as(a.name.replace("pinyon.alt", "gateway.example"), b.name)],
    ["PINYON_DESTINATION", b.name, PROFILE, as(a.name, "matrix.org")],
    ["PINYON_AUTHORIZATION", b.name, PROFILE, { authorization: "Bearer x" }],
    [
      "PINYON_AUTHORIZATION",
      b.name,
      PROFILE,
      { authorization: [as(a.name, b.name).authorization, as(b.name, b.name).authorization] },
    ],
    ["PINYON_CLASSIC_NAME", "matrix.org", PROFILE, {}],
    ["PINYON_DESTINATION", a.name, PROFILE, {}],
    ["PINYON_PATH", b.name, "/_matrix/client/versions", {}],
    ["PINYON_PATH", b.name, "/_pinyon/v1/wake", {}],
  ];
  for (const [code, to, path, headers] of tries) {
    const before = outboundErrors[code];
    t.equal(codeOf(await ask(a, to, { path, headers })), code, `${code} ${to} ${path}`);
    t.equal(outboundErrors[code], before + 1);
    t.equal((await ask(a, b.name, { path: VERSION })).status, 200, "an honest request is served");
  }
  t.ok(b.asked.every(({ url }) => url === VERSION));
});
