import { once } from "node:events";
import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import t from "tap";
import { keyToName } from "../../src/wire/name.js";
import { until } from "../link/until.js";
import { fieldsOf, headOf, mustRefuse, mustServe, PROFILE, SEND, setScene } from "./attacking.js";
import { dataOf, END_STREAM, type Fields, headersOf, RawClient, resetOf } from "./raw-http2.js";
import { askRaw, VERSION } from "./raw-node.js";

t.test("an origin that is not the session's name is refused", async (t) => {
  const scene = await setScene(t);
  const { hostile, victim, honest } = scene;
  const code = "PINYON_ORIGIN";
  const forged = {
    "another server's": honest.name,
    "the victim's own": victim.name,
    "the same key under another suffix": keyToName(hostile.node.key, "other.example"),
    "in capitals": hostile.name.toUpperCase(),
    "with a port": `${hostile.name}:8448`,
    "a classic name": "matrix.example.org",
  };
  for (const [what, origin] of Object.entries(forged)) {
    await t.test(what, (t) =>
      mustRefuse(t, scene, { code, status: 403 }, () =>
        askRaw(hostile, victim, headOf(hostile, victim, {}, { origin })),
      ),
    );
  }
  await t.test("on a request that needs no signature", (t) =>
    mustRefuse(t, scene, { code, status: 403 }, () =>
      askRaw(hostile, victim, headOf(hostile, victim, { ":path": VERSION }, { origin: honest.name })),
    ),
  );
  await t.test("with the other server's true signature, taken from one of its requests", (t) =>
    mustRefuse(t, scene, { code, status: 403 }, () => askRaw(hostile, victim, headOf(honest, victim))),
  );
});

t.test("a destination that is not the node's own name is refused, wherever it stands", async (t) => {
  const scene = await setScene(t);
  const { hostile, victim, honest } = scene;
  const expected = { code: "PINYON_DESTINATION", status: 400 } as const;
  const sibling = keyToName(victim.node.key, "other.example");
  for (const name of [honest.name, sibling, victim.name.toUpperCase(), `${victim.name}:8448`, "localhost"]) {
    await t.test(`:authority ${name}`, (t) =>
      mustRefuse(t, scene, expected, () => askRaw(hostile, victim, headOf(hostile, victim, { ":authority": name }))),
    );
  }
  for (const destination of [honest.name, sibling, victim.name.toUpperCase(), hostile.name]) {
    await t.test(`signed for ${destination}`, (t) =>
      mustRefuse(t, scene, expected, () => askRaw(hostile, victim, headOf(hostile, victim, {}, { destination }))),
    );
  }
});

t.test("signatures that can be read in two ways are refused", async (t) => {
  const scene = await setScene(t);
  const { hostile, victim, honest } = scene;
  const { "x-matrix": right } = headOf(hostile, victim) as { "x-matrix": string };
  const heads: Record<string, OutgoingHttpHeaders> = {
    none: { "x-matrix": [] },
    "two origins": { "x-matrix": [right, right.replace(hostile.name, honest.name).replace("test", "other")] },
    "two destinations": { "x-matrix": [right, right.replace(victim.name, honest.name).replace("test", "other")] },
    "the same key twice": { "x-matrix": [right, right] },
    "a parameter twice": { "x-matrix": `${right},origin="${honest.name}"` },
    "two joined in one field": { "x-matrix": `${right}, ${right}` },
    "more than may be": { "x-matrix": [1, 2, 3, 4, 5].map((i) => right.replace("test", `test${i}`)) },
    "another scheme": { "x-matrix": right.replace("X-Matrix", "Bearer") },
    "`authorization` in its place": { "x-matrix": [], authorization: right },
    "`authorization` beside it": { authorization: right },
    "an access token": { authorization: "Bearer syt_abc" },
  };
  for (const [what, changes] of Object.entries(heads)) {
    await t.test(what, (t) =>
      mustRefuse(t, scene, { code: "PINYON_AUTHORIZATION", status: 401 }, () =>
        askRaw(hostile, victim, headOf(hostile, victim, changes)),
      ),
    );
  }
});

t.test("a signature of the session's own name passes, re-written, and several by several keys", async (t) => {
  const { hostile, victim } = await setScene(t);
  const { "x-matrix": right } = headOf(hostile, victim) as { "x-matrix": string };
  const second = right.replace("ed25519:test", "ed25519:older");
  const loose = right.replaceAll(",", " , ").replace("X-Matrix", "x-matrix");
  t.equal((await askRaw(hostile, victim, headOf(hostile, victim, { "x-matrix": [loose, second] }))).status, 404);
  const sent = victim.asked[0]!.rawHeaders;
  t.same(
    sent.filter((_value, i) => sent[i - 1]?.toLowerCase() === "authorization"),
    [right, second],
  );
});

t.test("what is no federation is refused", async (t) => {
  const scene = await setScene(t);
  const { hostile, victim } = scene;
  const requests: OutgoingHttpHeaders[] = [
    "/",
    "/_matrix/client/v3/login",
    "/_matrix/client/versions",
    "/_synapse/admin/v1/server_version",
    "/_dendrite/admin/evacuateUser/x",
    "/_synapse/replication/x",
    "/_matrix/media/v3/download/example.org/x",
    "/_matrix/media/v3/download/example.org/x?allow_remote=true",
    "/_matrix/media/v3/download/example.org/x?allow_remote=false&allow_remote=true",
    "/_matrix/media/v3/download/example.org/x?allow_remote=false;allow_remote=true",
    "/_matrix/media/v3/preview_url?url=http://127.0.0.1",
    "/_matrix/federation/v1/../../client/versions",
    "/_matrix/federation/v1/%2e%2e/%2e%2e/client/versions",
    "/_matrix/federation/v1/..%2f..%2fclient/versions",
    "/_matrix/federation/v1/%252e%252e/client",
    "/_matrix/federation/v1/..;/client",
    "/_matrix/federation/v1/a//b",
    "/_matrix/federation/v1/\\..\\client",
    "/_matrix/federation/v1/a%00",
    "/_matrix/federation/v1/a%0d%0aHost:%20x",
    "//127.0.0.1/_matrix/federation/v1/query/profile",
    "/_pinyon/v1/status",
  ].map((each) => ({ ":path": each }));
  requests.push({ ":method": "DELETE" }, { ":method": "OPTIONS" }, { ":method": "TRACE" });
  requests.push({ ":method": "POST", ":path": VERSION });
  for (const changes of requests) {
    await t.test(Object.values(changes).join(" "), (t) =>
      mustRefuse(t, scene, { code: "PINYON_PATH", status: 404 }, () =>
        askRaw(hostile, victim, headOf(hostile, victim, changes)),
      ),
    );
  }
});

t.test("a host that is not the authority is refused", async (t) => {
  const scene = await setScene(t);
  const { hostile, victim, honest } = scene;
  await mustRefuse(t, scene, { code: "PINYON_HEADERS", status: 400 }, () =>
    askRaw(hostile, victim, headOf(hostile, victim, { host: honest.name })),
  );
});

t.test("a head that HTTP/2 forbids ends its stream, or the connection, and reaches nobody", async (t) => {
  const scene = await setScene(t);
  const { hostile, victim } = scene;
  const PUT = { ":method": "PUT", ":path": `${SEND}1` };
  const many = Array.from({ length: 100 }, (_, i) => [`x-${i}`, "1"] as const);
  const attacks: Record<string, { fields?: Fields; head?: OutgoingHttpHeaders; body?: string }> = {
    "a connection field": { fields: [["connection", "close, content-length"]] },
    "an upgrade": {
      fields: [
        ["connection", "upgrade"],
        ["upgrade", "websocket"],
      ],
    },
    "a transfer-encoding": {
      fields: [["transfer-encoding", "chunked"]],
      head: PUT,
      body: "0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    },
    "keep-alive": { fields: [["keep-alive", "timeout=5"]] },
    "a length that is too long": { fields: [["content-length", "9"]], head: PUT, body: "short" },
    "a length that is too short": { fields: [["content-length", "2"]], head: PUT, body: "{}GET / HTTP/1.1\r\n\r\n" },
    "a length without a body": { fields: [["content-length", "9"]] },
    "two lengths": {
      fields: [
        ["content-length", "2"],
        ["content-length", "9"],
      ],
      head: PUT,
      body: "{}",
    },
    "a second path": { fields: [[":path", "/_synapse/admin"]] },
    "an unknown pseudo-field": { fields: [[":protocol", "websocket"]] },
    "too many fields": { fields: many },
    "a field that is too long": {
      fields: [
        ["user-agent", "a".repeat(15_000)],
        ["accept", "b".repeat(15_000)],
        ["range", "c".repeat(9_000)],
      ],
    },
    "two types": {
      fields: [
        ["content-type", "application/json"],
        ["content-type", "text/html"],
      ],
    },
    "a length that is no number": { fields: [["content-length", "+5"]] },
    "no authority": { head: { ":authority": "" } },
    "the path of another server": { head: { ":path": "http://127.0.0.1/_matrix/federation/v1/version" } },
    "no path": { head: { ":path": "*" } },
    CONNECT: { head: { ":method": "CONNECT" } },
  };
  for (const [what, { fields = [], head = {}, body }] of Object.entries(attacks)) {
    await t.test(what, async (t) => {
      victim.asked.length = 0;
      const raw = new RawClient(hostile.node.wireTo(victim.node));
      const flags = body === undefined ? END_STREAM : 0;
      raw.wire.write(headersOf(1, [...fieldsOf(headOf(hostile, victim, head)), ...fields], flags));
      if (body !== undefined) raw.wire.write(dataOf(1, body, END_STREAM));
      await until("it is refused", () => raw.resetCode(1) !== undefined || raw.isAnswered(1));
      await mustServe(t, scene);
      const whole = victim.asked.filter(({ complete }) => complete).map(({ url }) => url);
      t.same(whole, [VERSION], "nothing else reached the homeserver whole");
      raw.wire.destroy();
    });
  }
  const { stats } = victim.federation;
  await until("the honest requests alone were answered", () => stats.inboundAnswers === Object.keys(attacks).length);
});

t.test("a field that HTTP/1.1 could not carry does not pass, and smuggles nothing", async (t) => {
  const scene = await setScene(t);
  const { hostile, victim } = scene;
  const attacks: Record<string, Fields[number]> = {
    "NUL in a value": ["user-agent", "a\0b"],
    "a line break in a value": ["user-agent", "a\r\nx-forwarded-for: 127.0.0.1"],
    "a folded line": ["user-agent", "a\r\n b"],
    "a space in a name": ["user agent", "a"],
    "a colon in a name": ["x:y", "a"],
    "what a homeserver trusts from a proxy": ["x-forwarded-for", "127.0.0.1"],
    "a name of another host": ["forwarded", "host=127.0.0.1"],
    "a method in a method": ["x-http-method-override", "DELETE"],
    "an expectation": ["expect", "100-continue"],
    "a cookie": ["cookie", "a=b"],
  };
  for (const [what, field] of Object.entries(attacks)) {
    await t.test(what, async (t) => {
      victim.asked.length = 0;
      const raw = new RawClient(hostile.node.wireTo(victim.node));
      raw.wire.write(headersOf(1, [...fieldsOf(headOf(hostile, victim)), field], END_STREAM));
      await until("it is answered", () => raw.isAnswered(1));
      t.same(
        victim.asked.map(({ headers }) => Object.keys(headers).sort()),
        [["authorization", "connection", "host"]],
      );
      await mustServe(t, scene);
      raw.wire.destroy();
    });
  }
});

t.test("a request that ends while it is judged does no harm", async (t) => {
  const scene = await setScene(t);
  const { hostile, victim } = scene;
  const { stats } = victim.federation;
  const paths = [PROFILE, "/_matrix/client/versions"];
  for (const code of [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_CANCEL]) {
    for (const path of paths) {
      const before = stats.inboundRequests;
      const raw = new RawClient(hostile.node.wireTo(victim.node));
      const fields = fieldsOf(headOf(hostile, victim, { ":path": path }));
      raw.wire.write(Buffer.concat([headersOf(1, fields), dataOf(1, "half"), resetOf(1, code)]));
      await until("it was seen", () => stats.inboundRequests > before);
      raw.wire.destroy();
    }
  }
  await mustServe(t, scene);
});

t.test("who is refused while it sends without end is told, and cut", async (t) => {
  const scene = await setScene(t);
  const { hostile, victim, network } = scene;
  const remote = await hostile.node.connect(victim.node.key);
  const head = headOf(hostile, victim, { ":method": "PUT", ":path": "/_matrix/client/v3/sync" });
  const request = remote.request(head, { endStream: false });
  const told = once(request, "response");
  const drip = setInterval(() => request.destroyed || request.write("x".repeat(1_000)), 5);
  t.teardown(() => clearInterval(drip));
  const [headers] = (await told) as [IncomingHttpHeaders & { ":status": number }];
  t.same([headers[":status"], headers["pinyon-code"]], [404, "PINYON_PATH"]);
  request.resume();
  await until("it is cut", () => network.open.size === 0);
  t.equal(victim.federation.stats.inboundErrors.PINYON_PATH, 1);
  await mustServe(t, scene);
});
