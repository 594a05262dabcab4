import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import t, { type Test } from "tap";
import { KEY_BODY_BYTES_MAX, KEY_RESPONSE_BYTES_MAX, KEY_VALIDITY_MAX_MS } from "../../src/federation/config.js";
import { FederationError } from "../../src/federation/errors.js";
import { parseJsonObject } from "../../src/federation/json.js";
import { KeyFolder } from "../../src/federation/key-folder.js";
import { KeyResponses, namesOfQuery } from "../../src/federation/key-responses.js";
import { unpaddedBase64 } from "../../src/federation/signing.js";
import { newFederationStats } from "../../src/federation/stats.js";
import { tempFolder } from "../daemon/temp-folder.js";
import { fuzzRuns } from "../fuzz/runs.js";
import { bytesOf, DAY_MS, KEY_ID, keyResponseOf, NOW_MS, type SigningServer, signingServer } from "./signing-server.js";

const A = signingServer(1);
const B = signingServer(2);
const A_ELSEWHERE = signingServer(1, "gateway.example");
const refused = { name: "FederationError", code: "PINYON_KEY_RESPONSE", status: 502 };

async function keyResponses(t: Test, filesMax?: number) {
  const folder = join(tempFolder(t), "keys");
  const stats = newFederationStats();
  const files = await KeyFolder.open(folder, stats, filesMax);
  const keys = new KeyResponses({ files, stats, wallMs: () => NOW_MS });
  return { folder, stats, files, keys };
}

const stored = async (keys: KeyResponses, { name }: SigningServer) => {
  const bytes = await keys.storedServer(name);
  return bytes === undefined ? undefined : parseJsonObject(bytes);
};

t.test("a key response signed by its name's key is kept, and serves by either call", async (t) => {
  const { folder, stats, keys } = await keyResponses(t);
  const response = keyResponseOf(A);
  await keys.checkServer(A.name, bytesOf(response));
  t.equal(stats.keyResponsesKept, 1);
  t.same(await stored(keys, A), response);
  t.same(parseJsonObject(await keys.storedQuery([A.name, B.name, A.name])), { server_keys: [response] });
  t.equal(await keys.storedServer(B.name), undefined);
  t.same(readdirSync(folder), [A.name]);
  t.equal(statSync(join(folder, A.name)).mode & 0o777, 0o600);
  const later = new KeyResponses({ files: await KeyFolder.open(folder, stats), stats, wallMs: () => NOW_MS });
  t.same(await stored(later, A), response, "after a restart too");
});

t.test("the key may stand under any version, beside others and under two at once", async (t) => {
  const { keys } = await keyResponses(t);
  const verifyKeys = {
    "ed25519:1": { key: unpaddedBase64(B.key) },
    "ed25519:old": { key: unpaddedBase64(A.key) },
    "ed25519:new": { key: unpaddedBase64(A.key) },
  };
  await keys.checkServer(A.name, bytesOf(keyResponseOf(A, { verify_keys: verifyKeys }, "ed25519:new")));
  t.ok(await keys.storedServer(A.name));
});

t.test("a key response that its name's key did not sign is refused, from its origin and from a cache", async (t) => {
  const { folder, stats, keys } = await keyResponses(t);
  const good = keyResponseOf(A);
  const ofB = keyResponseOf(B);
  const keyOfB = { [KEY_ID]: { key: unpaddedBase64(B.key) } };
  const signedByB = B.signer.signJson({ ...good, verify_keys: keyOfB }, KEY_ID);
  const tampered = {
    "another server's": ofB,
    "the same key under another suffix": keyResponseOf(A_ELSEWHERE),
    "its signature under another suffix": { ...good, signatures: keyResponseOf(A_ELSEWHERE)["signatures"] },
    "another name written in": { ...ofB, server_name: A.name },
    "another key written in": { ...good, verify_keys: keyOfB },
    "another key, signed by that": {
      ...signedByB,
      signatures: { [A.name]: (signedByB.signatures as Record<string, unknown>)[B.name] },
    },
    "without the name's key": keyResponseOf(A, { verify_keys: {} }),
    "with another key under its id": keyResponseOf(A, { verify_keys: keyOfB }),
    "valid for longer": { ...good, valid_until_ts: NOW_MS + 2 * DAY_MS },
    "with an old key added": {
      ...good,
      old_verify_keys: { "ed25519:x": { key: unpaddedBase64(B.key), expired_ts: 1 } },
    },
    "with a member added": { ...good, x: 1 },
    "without a signature": { ...good, signatures: {} },
    "without any signatures": { ...good, signatures: undefined },
    "signed under an id that is no key's": keyResponseOf(A, { verify_keys: good["verify_keys"] }, "ed25519:other"),
    "without a time": keyResponseOf(A, { valid_until_ts: undefined }),
    "with a time that is a text": keyResponseOf(A, { valid_until_ts: "1" }),
    "with a name that only Go reads": keyResponseOf(A, { SERVER_NAME: B.name }),
    "with a name that only Go reads, in letters that fold": keyResponseOf(A, { "\u017ferver_name": B.name }),
    "that is a list": [good],
    "that is nothing": null,
  };
  for (const [why, response] of Object.entries(tampered)) {
    const before = stats.keyResponsesRefused;
    await t.rejects(keys.checkServer(A.name, bytesOf(response)), refused, why);
    t.equal(stats.keyResponsesRefused, before + 1, why);
    const foreign = why === "another server's" || why.startsWith("the same key");
    if (foreign) continue;
    const answer = parseJsonObject(await keys.checkQuery(bytesOf({ server_keys: [response, good] })));
    t.same(answer, { server_keys: [good] }, why);
    t.equal(stats.keyResponsesRefused, before + 2, why);
  }
  const raw = JSON.stringify(good);
  for (const body of [
    "",
    "{",
    "<html>",
    raw.replace(/\d{13}/, "1e12"),
    `${raw}{}`,
    `\ufeff${raw}`,
    "[".repeat(100_000),
  ]) {
    await t.rejects(keys.checkServer(A.name, Buffer.from(body)), refused);
    await t.rejects(keys.checkQuery(Buffer.from(body)), refused);
  }
  t.same(readdirSync(folder), [A.name], "nothing of it is kept");
  t.same(await stored(keys, A), good, "and the honest one serves");
});

t.test("of a member that comes twice the last counts, and it alone is passed on and kept", async (t) => {
  const { keys } = await keyResponses(t);
  const good = keyResponseOf(A);
  const twice = JSON.stringify(good).replace("{", `{"server_name":"${B.name}",`);
  t.same(parseJsonObject(await keys.checkQuery(Buffer.from(`{"server_keys":[${twice}]}`))), { server_keys: [good] });
  t.same(await stored(keys, A), good);
  const last = `${JSON.stringify(good).slice(0, -1)},"server_name":"${B.name}"}`;
  await t.rejects(keys.checkServer(A.name, Buffer.from(last)), refused);
});

t.test("only a server name of the overlay has a key response of its own", async (t) => {
  const { folder, stats, files, keys } = await keyResponses(t);
  const label = A.name.split(".")[0]!;
  const names = [
    A.name.toUpperCase(),
    `${A.name}:8448`,
    `${A.name}.`,
    label,
    "../../x",
    `${A.name}/../x`,
    "matrix.org",
    "",
  ];
  for (const name of names) {
    const response = A.signer.signJson({ ...keyResponseOf(A), server_name: name }, KEY_ID);
    const signatures = response.signatures as Record<string, unknown>;
    const body = bytesOf({ ...response, signatures: { [name]: signatures[A.name] } });
    await t.rejects(keys.checkServer(name, body), refused, name);
    t.equal(await keys.storedServer(name), undefined, name);
    t.equal(await files.read(name), undefined, name);
    await t.rejects(files.write(name, "x"), TypeError, name);
  }
  for (const name of [A.name.toUpperCase(), `${A.name}:8448`]) {
    const before = stats.keyResponsesRefused;
    const answer = await keys.checkQuery(bytesOf({ server_keys: [{ ...keyResponseOf(A), server_name: name }] }));
    t.same(parseJsonObject(answer), { server_keys: [] }, "nor is one that looks like it passed on");
    t.equal(stats.keyResponsesRefused, before + 1);
  }
  t.same(readdirSync(folder), []);
});

t.test("an answer about classic servers passes as it is, signatures of notaries too", async (t) => {
  const { stats, keys } = await keyResponses(t);
  const classic = { server_name: "matrix.org", verify_keys: {}, signatures: { "matrix.org": { "ed25519:a": "x" } } };
  const good = B.signer.signJson(keyResponseOf(A), KEY_ID);
  const answer = { server_keys: [classic, good, 1, null, [], {}, { server_name: 1 }], next: "x" };
  t.same(parseJsonObject(await keys.checkQuery(bytesOf(answer))), { server_keys: [classic, good], next: "x" });
  t.equal(stats.keyResponsesRefused, 5);
  t.same(await stored(keys, A), keyResponseOf(A), "what is kept has its own server's signature alone");
  for (const other of [{}, { server_keys: {} }, [], null, 1]) await t.rejects(keys.checkQuery(bytesOf(other)), refused);
});

t.test("the response that is valid longer is kept, up to a week", async (t) => {
  const { stats, keys } = await keyResponses(t);
  const until = (ms: number, more = {}) => keyResponseOf(A, { valid_until_ts: NOW_MS + ms, ...more });
  const give = (response: unknown) => keys.checkServer(A.name, bytesOf(response));
  await give(until(DAY_MS));
  await give(until(2 * DAY_MS));
  await give(until(DAY_MS));
  t.same(await stored(keys, A), until(2 * DAY_MS));
  await give(until(2 * DAY_MS));
  t.equal(stats.keyResponsesKept, 2, "the same one is not written again");
  await give(until(1_000 * DAY_MS));
  await give(until(KEY_VALIDITY_MAX_MS));
  t.same(await stored(keys, A), until(KEY_VALIDITY_MAX_MS), "no wrong clock keeps one for ever");
});

t.test("what is damaged or tampered with on the disk is refused, counted and replaced", async (t) => {
  const { folder, stats, keys } = await keyResponses(t);
  const good = keyResponseOf(A);
  const body = bytesOf(good);
  const damages = ["", "{", JSON.stringify(good).replace(/\d{13}/, "9999999999999"), JSON.stringify(keyResponseOf(B))];
  damages.push(JSON.stringify({ ...good, server_name: B.name }));
  for (const damage of damages) {
    await keys.checkServer(A.name, body);
    writeFileSync(join(folder, A.name), damage);
    const before = stats.keyResponsesRefused;
    t.equal(await keys.storedServer(A.name), undefined);
    t.same(parseJsonObject(await keys.storedQuery([A.name])), { server_keys: [] });
    t.equal(stats.keyResponsesRefused, before + 2);
    await keys.checkServer(A.name, body);
    t.same(await stored(keys, A), good);
  }
  writeFileSync(join(folder, A.name), " ".repeat(KEY_RESPONSE_BYTES_MAX) + JSON.stringify(good));
  t.equal(await keys.storedServer(A.name), undefined, "nor is a file read that is too long");
  t.equal(stats.keyFileErrors, 1);
});

t.test("responses that are too large are refused, and long answers cut", async (t) => {
  const { stats, keys } = await keyResponses(t);
  const large = keyResponseOf(A, { x: "x".repeat(KEY_RESPONSE_BYTES_MAX) });
  await t.rejects(keys.checkServer(A.name, bytesOf(large)), refused);
  const spaces = " ".repeat(KEY_BODY_BYTES_MAX);
  await t.rejects(keys.checkServer(A.name, Buffer.from(JSON.stringify(keyResponseOf(A)) + spaces)), refused);
  t.equal(stats.keyResponsesRefused, 2);
  const servers = Array.from({ length: 20 }, (_, i) => signingServer(i));
  for (const server of servers) {
    const response = keyResponseOf(server, { x: "x".repeat(KEY_RESPONSE_BYTES_MAX - 600) });
    await keys.checkServer(server.name, bytesOf(response));
  }
  const answer = await keys.storedQuery(servers.map(({ name }) => name));
  t.ok(answer.length <= KEY_BODY_BYTES_MAX + 100);
  t.ok((parseJsonObject(answer)!["server_keys"] as unknown[]).length >= 15);
  t.equal(stats.keyAnswersCut, 1);
});

t.test("of many servers those written last are kept", async (t) => {
  const { folder, stats, keys } = await keyResponses(t, 3);
  const servers = [1, 2, 3, 4].map((seed) => signingServer(seed));
  const give = (server: SigningServer, ms = 0) =>
    keys.checkServer(server.name, bytesOf(keyResponseOf(server, { valid_until_ts: NOW_MS + ms })));
  for (const server of servers.slice(0, 3)) await give(server);
  await give(servers[0]!, 1);
  await give(servers[3]!);
  const left = [servers[0]!, servers[2]!, servers[3]!].map(({ name }) => name).sort();
  t.same(readdirSync(folder).sort(), left);
  t.equal(stats.keyResponseEvictions, 1);
  const smaller = await KeyFolder.open(folder, stats, 2);
  t.equal(readdirSync(folder).length, 2, "also where the limit has fallen");
  t.ok(await smaller.read(servers[3]!.name));
});

t.test("an answer passes also where nothing can be kept, and that is counted", async (t) => {
  const { folder, stats, files, keys } = await keyResponses(t);
  rmSync(folder, { recursive: true });
  await keys.checkServer(A.name, bytesOf(keyResponseOf(A)));
  t.equal(stats.keyResponsesKept, 0);
  t.equal(stats.keyFileErrors, 1);
  t.equal(await files.read(A.name), undefined);
});

t.test("many responses at once are all kept whole", async (t) => {
  const { keys, stats } = await keyResponses(t);
  const servers = Array.from({ length: 20 }, (_, i) => signingServer(i));
  await Promise.all([...servers, ...servers].map((each) => keys.checkServer(each.name, bytesOf(keyResponseOf(each)))));
  for (const server of servers) t.same(await stored(keys, server), keyResponseOf(server));
  t.equal(stats.keyFileErrors, 0);
});

t.test("the servers that a question names are found", async (t) => {
  const none = Buffer.alloc(0);
  t.same(namesOfQuery(`/_matrix/key/v2/query/${A.name}`, none), [A.name]);
  t.same(namesOfQuery("/_matrix/key/v2/query/a.example%3A8448/ed25519:1?minimum_valid_until_ts=1", none), [
    "a.example:8448",
  ]);
  const body = bytesOf({ server_keys: { [A.name]: { [KEY_ID]: { minimum_valid_until_ts: 1 } }, [B.name]: {} } });
  t.same(namesOfQuery("/_matrix/key/v2/query", body), [A.name, B.name]);
  for (const other of [
    none,
    bytesOf([]),
    bytesOf({}),
    bytesOf({ server_keys: [A.name] }),
    bytesOf({ server_keys: "a" }),
  ]) {
    t.same(namesOfQuery("/_matrix/key/v2/query", other), []);
  }
  t.same(namesOfQuery("/_matrix/key/v2/query/%ff", none), []);
});

t.test("whatever comes is passed or refused with the code", async (t) => {
  const { keys, stats, folder } = await keyResponses(t);
  const texts = [keyResponseOf(A), keyResponseOf(B)].map((response) => JSON.stringify(response));
  const change = fc.tuple(fc.nat({ max: 700 }), fc.nat({ max: 3 }), fc.string({ maxLength: 3, unit: "binary" }));
  const changed = fc
    .tuple(fc.constantFrom(...texts), fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([text, all]) => {
      let out = text;
      for (const [at, count, put] of all) out = out.slice(0, at) + put + out.slice(at + count);
      return out;
    });
  const property = fc.asyncProperty(fc.oneof(changed, fc.json()), async (text) => {
    for (const body of [text, `{"server_keys":[${text}]}`]) {
      for (const check of [
        () => keys.checkServer(A.name, Buffer.from(body)),
        () => keys.checkQuery(Buffer.from(body)),
      ]) {
        try {
          await check();
        } catch (error) {
          if (!(error instanceof FederationError) || error.code !== "PINYON_KEY_RESPONSE") throw error;
        }
      }
    }
  });
  await fc.assert(property, { numRuns: fuzzRuns(300) });
  t.ok(stats.keyResponsesRefused > 100);
  for (const name of readdirSync(folder)) t.ok(await keys.storedServer(name));
});
