import { readFile, writeFile } from "node:fs/promises";
import { constants } from "node:http2";
import { join } from "node:path";
import t, { type Test } from "tap";
import { HEAD_FIELDS_MAX, NAME_TIMEOUT_MS } from "../../src/federation/config.js";
import type { FederationCode } from "../../src/federation/errors.js";
import { unpaddedBase64 } from "../../src/federation/signing.js";
import { formatXMatrix } from "../../src/federation/x-matrix.js";
import { keyToName } from "../../src/wire/name.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { mustServe, PROFILE, type Scene, setScene } from "./attacking.js";
import { TestNetwork } from "./network.js";
import { answerRaw, dataOf, END_STREAM, goAwayOf, headersOf, resetOf } from "./raw-http2.js";
import { VERSION } from "./raw-node.js";
import { type Asking, ask, codeOf, giveJson, KEY_ID, startServer, type TestServer } from "./server.js";
import { mustSettle } from "./settling.js";

/*
 * What a homeserver asks of its own node, and what other nodes answer.
 */

const KEYS = "/_matrix/key/v2/server";
const QUERY = "/_matrix/key/v2/query";

t.test("a homeserver that does not ask as its node's server, or for no federation, is refused", async (t) => {
  const scene = await setScene(t);
  const { victim, honest, hostile } = scene;
  const signed = victim.signer.authorization({ method: "GET", path: PROFILE, destination: honest.name }, KEY_ID);
  const as = (changes: object) => ({
    path: PROFILE,
    headers: { authorization: formatXMatrix({ ...signed, ...changes }) },
  });
  const twice = (changes: object) => ({
    path: PROFILE,
    headers: { authorization: [formatXMatrix(signed), formatXMatrix({ ...signed, key: "ed25519:other", ...changes })] },
  });
  const many = Object.fromEntries(Array.from({ length: HEAD_FIELDS_MAX }, (_, i) => [`x-${i}`, ""]));
  const attacks: [what: string, code: FederationCode, status: number, asking: Asking][] = [
    ["another origin", "PINYON_ORIGIN", 403, as({ origin: hostile.name })],
    ["its key under another suffix", "PINYON_ORIGIN", 403, as({ origin: keyToName(victim.node.key, "other.example") })],
    ["another destination", "PINYON_DESTINATION", 400, as({ destination: hostile.name })],
    ["two origins", "PINYON_AUTHORIZATION", 401, twice({ origin: hostile.name })],
    ["two destinations", "PINYON_AUTHORIZATION", 401, twice({ destination: hostile.name })],
    ["no signature", "PINYON_AUTHORIZATION", 401, { path: PROFILE, headers: { authorization: [] } }],
    ["a client's path", "PINYON_PATH", 404, { path: "/_matrix/client/versions" }],
    ["an administrator's path", "PINYON_PATH", 404, { path: "/_synapse/admin/v1/server_version" }],
    ["media of a third server", "PINYON_PATH", 404, { path: "/_matrix/media/v3/download/x.org/a?allow_remote=true" }],
    ["a path that climbs", "PINYON_PATH", 404, { path: "/_matrix/federation/v1/%2e%2e/%2e%2e/client" }],
    [
      "a bearer in place of a signature",
      "PINYON_AUTHORIZATION",
      401,
      { path: PROFILE, headers: { authorization: "Bearer x" } },
    ],
    ["too many fields", "PINYON_HEADERS", 431, { path: PROFILE, headers: many }],
    ["what nodes ask each other", "PINYON_PATH", 404, { method: "POST", path: "/_pinyon/v1/wake" }],
  ];
  for (const [what, code, status, asking] of attacks) {
    await t.test(what, (t) => mustNotLeave(t, scene, code, status, asking));
  }
});

t.test("a homeserver that asks a server that is none of the overlay is refused", async (t) => {
  const scene = await setScene(t);
  const { victim } = scene;
  await mustNotLeave(t, scene, "PINYON_CLASSIC_NAME", 502, { path: PROFILE }, "matrix.example.org");
  await mustNotLeave(t, scene, "PINYON_CLASSIC_NAME", 502, { path: PROFILE }, "127.0.0.1");
  await mustNotLeave(t, scene, "PINYON_PATH", 404, { path: "/_matrix/client/versions" }, "matrix.example.org");
  await mustNotLeave(t, scene, "PINYON_DESTINATION", 400, { path: PROFILE }, victim.name);
});

t.test("a node is asked under the name alone that it states", async (t) => {
  const scene = await setScene(t);
  const { victim, hostile } = scene;
  let asked = 0;
  hostile.node.handler = (_remote, request) => {
    asked++;
    request.respond({ ":status": 200 }, { endStream: true });
  };
  const { outboundErrors } = victim.federation.stats;
  for (const name of [keyToName(hostile.node.key, "other.example"), keyToName(hostile.node.key, "a.b.example")]) {
    const told = await ask(victim, name, { path: "/_matrix/key/v2/server" });
    t.same([told.status, codeOf(told)], [400, "PINYON_DESTINATION"]);
  }
  t.equal(outboundErrors.PINYON_DESTINATION, 2);
  t.equal(asked, 0, "it was not asked");
  t.equal((await ask(victim, hostile.name, { path: PROFILE })).status, 200, "by its name it is");
  await mustServe(t, scene);
});

t.test("a node that does not state its name is taken for one that is away", async (t) => {
  const network = new TestNetwork();
  const timers = new VirtualTimers();
  const victim = await startServer(t, network, { timers });
  const honest = await startServer(t, network, { timers });
  const hostile = network.join();
  hostile.stated = new Promise(() => {});
  const told = ask(victim, hostile.name, { path: PROFILE });
  await until("it was looked for", () => victim.node.searches === 1);
  t.equal((await ask(victim, honest.name, { path: VERSION })).status, 200, "an honest request succeeds meanwhile");
  timers.advance(NAME_TIMEOUT_MS);
  t.equal(codeOf(await told), "PINYON_UNREACHABLE");
  t.equal(victim.federation.stats.outboundErrors.PINYON_UNREACHABLE, 1);
  await mustSettle(network, [victim, honest], timers);
});

async function mustNotLeave(
  t: Test,
  { victim, honest, hostile }: Scene,
  code: FederationCode,
  status: number,
  asking: Asking,
  to = honest.name,
): Promise<void> {
  const { outboundErrors } = victim.federation.stats;
  const counted = outboundErrors[code];
  honest.asked.length = 0;
  const [answer, meanwhile] = await Promise.all([
    ask(victim, to, asking),
    ask(victim, hostile.name, { path: VERSION }),
  ]);
  t.same([answer.status, codeOf(answer)], [status, code]);
  t.equal(outboundErrors[code], counted + 1, "it is counted");
  t.equal(meanwhile.status, 200, "an honest request succeeds meanwhile");
  t.same(honest.asked, [], "nothing reached the other");
}

function verifyKeysOf({ node }: TestServer): object {
  return { [KEY_ID]: { key: unpaddedBase64(node.key) } };
}

t.test("a kept key response that was tampered with is not served", async (t) => {
  const { victim, honest, hostile } = await setScene(t);
  const { stats } = victim.federation;
  for (const { name } of [honest, hostile]) t.equal((await ask(victim, name, { path: KEYS })).status, 200);
  t.equal(stats.keyResponsesKept, 2);
  const file = join(victim.keyFolder, honest.name);
  const kept = await readFile(file, "utf8");
  honest.node.leave();
  t.equal((await ask(victim, honest.name, { path: KEYS })).status, 200, "as it was it serves while its server is away");
  t.equal(stats.keyResponsesServed, 1);
  const others = await readFile(join(victim.keyFolder, hostile.name), "utf8");
  const texts = [
    kept.replace(KEY_ID, "ed25519:forged"),
    others,
    kept.slice(0, -9),
    "",
    "\0".repeat(100),
    "x".repeat(300_000),
  ];
  for (const text of texts) {
    await writeFile(file, text);
    const { keyResponsesServed } = stats;
    t.equal(codeOf(await ask(victim, honest.name, { path: KEYS })), "PINYON_UNREACHABLE");
    t.equal(stats.keyResponsesServed, keyResponsesServed);
    const asked = { method: "POST", path: QUERY, body: { server_keys: { [honest.name]: {} } } };
    t.same(JSON.parse((await ask(victim, honest.name, asked)).body), { server_keys: [] });
  }
  t.equal((await ask(victim, hostile.name, { path: KEYS })).status, 200, "others are served");
});

t.test("a key response that is too long is refused; for one that breaks off what is kept serves", async (t) => {
  let answers: "right" | "long" | "broken" = "right";
  const scene = await setScene(t);
  const { victim, network } = scene;
  let keys: unknown;
  const hostile: TestServer = await startServer(t, network, {
    answers: {
      [KEYS]: (_request, response) => {
        if (answers === "long") response.end("x".repeat(300_000));
        else if (answers === "broken")
          response.writeHead(200, { "content-length": 9 }).write("half", () => response.destroy());
        else giveJson(response, keys);
      },
    },
  });
  const right = {
    server_name: hostile.name,
    verify_keys: verifyKeysOf(hostile),
    valid_until_ts: Date.now() + 86_400_000,
  };
  keys = hostile.signer.signJson(right, KEY_ID);
  t.equal((await ask(victim, hostile.name, { path: KEYS })).status, 200);
  answers = "broken";
  t.equal((await ask(victim, hostile.name, { path: KEYS })).status, 200, "what is kept serves");
  answers = "long";
  t.equal(codeOf(await ask(victim, hostile.name, { path: KEYS })), "PINYON_TOO_LONG");
  await mustServe(t, scene);
});

t.test("an answer that is none is told as one that broke off", async (t) => {
  const scene = await setScene(t);
  const { hostile, victim } = scene;
  const { stats } = victim.federation;
  const answers: Record<string, (stream: number) => Buffer> = {
    "a status of no class": (stream) => headersOf(stream, [[":status", "042"]], END_STREAM),
    "a status over 599": (stream) => headersOf(stream, [[":status", "999"]]),
    "cancelled right after its head": (stream) =>
      Buffer.concat([headersOf(stream, [[":status", "200"]]), resetOf(stream, 8)]),
    "shorter than it says": (stream) =>
      Buffer.concat([
        headersOf(stream, [
          [":status", "200"],
          ["content-length", "9"],
        ]),
        dataOf(stream, "short", END_STREAM),
      ]),
    "longer than it says": (stream) =>
      Buffer.concat([
        headersOf(stream, [
          [":status", "200"],
          ["content-length", "2"],
        ]),
        dataOf(stream, "long", END_STREAM),
      ]),
    "the end of the connection": () => goAwayOf(constants.NGHTTP2_ENHANCE_YOUR_CALM),
  };
  for (const [what, answer] of Object.entries(answers)) {
    await t.test(what, async (t) => {
      const counted = stats.outboundErrors.PINYON_BODY_BROKEN;
      hostile.node.wireHandler = (wire) => answerRaw(wire, answer);
      const told = await ask(victim, hostile.name, { path: PROFILE }).then(codeOf, () => "broken off");
      t.match(told, /^(?:PINYON_BODY_BROKEN|broken off)$/);
      await until("it is counted", () => stats.outboundErrors.PINYON_BODY_BROKEN === counted + 1);
      victim.node.leave();
      victim.node.isOnline = true;
    });
  }
  await mustServe(t, scene);
});
