import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { json } from "node:stream/consumers";
import t from "tap";
import { KEY_TIMEOUT_MS } from "../../src/federation/config.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { TestNetwork } from "./network.js";
import { addressOf, ask, codeOf, headersOf, KEY_ID, startServer } from "./server.js";
import { keyResponseOf, signingServer } from "./signing-server.js";

const SERVER = "/_matrix/key/v2/server";
const QUERY = "/_matrix/key/v2/query";

t.test("a key response that is forged by its origin is refused, whatever success it says", async (t) => {
  const network = new TestNetwork();
  const a = await startServer(t, network);
  const forged = keyResponseOf(signingServer(1));
  for (const status of [200, 201, 203, 299, 302]) {
    const b = await startServer(t, network, {
      answers: { [SERVER]: (_request, response) => response.writeHead(status).end(JSON.stringify(forged)) },
    });
    const answer = await ask(a, b.name, { path: SERVER });
    t.same([answer.status, codeOf(answer)], [502, "PINYON_KEY_RESPONSE"], String(status));
  }
  t.equal(a.federation.stats.keyResponsesRefused, 5);
  t.equal(a.federation.stats.outboundErrors.PINYON_KEY_RESPONSE, 5);
  const honest = await startServer(t, network);
  t.equal((await ask(a, honest.name, { path: SERVER })).status, 200, "and the honest one passes");
});

t.test("a key response serves while its origin is away, by either call", async (t) => {
  const network = new TestNetwork();
  const a = await startServer(t, network);
  const b = await startServer(t, network);
  const fresh = await ask(a, b.name, { path: SERVER });
  b.node.leave();
  const kept = await ask(a, b.name, { path: SERVER });
  t.equal(kept.status, 200);
  t.same(JSON.parse(kept.body), JSON.parse(fresh.body));
  const body = { server_keys: { [b.name]: { [KEY_ID]: { minimum_valid_until_ts: 0 } } } };
  const asked = await ask(a, b.name, { method: "POST", path: QUERY, body });
  t.equal(asked.status, 200);
  t.same(JSON.parse(asked.body), { server_keys: [JSON.parse(fresh.body)] });
  t.equal(a.federation.stats.keyResponsesServed, 2);
});

t.test("what a server says of others' keys passes only where they signed it", async (t) => {
  const network = new TestNetwork();
  const a = await startServer(t, network);
  const [c, d] = [signingServer(1), signingServer(2)];
  const good = keyResponseOf(c);
  const forged = { ...keyResponseOf(d), verify_keys: good["verify_keys"] };
  for (const status of [200, 203]) {
    const b = await startServer(t, network, {
      answers: {
        [QUERY]: (request, response) => {
          request.resume();
          response.writeHead(status).end(JSON.stringify({ server_keys: [forged, good] }));
        },
      },
    });
    const answer = await ask(a, b.name, { method: "POST", path: QUERY, body: { server_keys: {} } });
    t.same(JSON.parse(answer.body), { server_keys: [good] });
  }
  t.equal(a.federation.stats.keyResponsesRefused, 2);
});

t.test("keys are asked for uncompressed", async (t) => {
  const network = new TestNetwork();
  const a = await startServer(t, network);
  const b = await startServer(t, network);
  await ask(a, b.name, { path: SERVER, headers: { "accept-encoding": "gzip" } });
  t.equal(b.asked[0]?.headers["accept-encoding"], "identity");
});

t.test("a question for keys that stops in its middle is given up, and others are answered", async (t) => {
  const timers = new VirtualTimers();
  const network = new TestNetwork();
  const a = await startServer(t, network, { timers });
  const b = await startServer(t, network);
  const headers = { ...headersOf(a, b.name, "POST", QUERY, {}), "content-length": "100" };
  const half = request({ ...addressOf(a), method: "POST", path: `https://${b.name}${QUERY}`, headers });
  half.on("error", () => {});
  const told = once(half, "response") as Promise<[IncomingMessage]>;
  half.write('{"server_keys":');
  await until("it is asked", () => a.federation.stats.outboundRequests === 1);
  t.equal((await ask(a, b.name, { path: SERVER })).status, 200);
  timers.advance(KEY_TIMEOUT_MS);
  const [answer] = await told;
  t.equal(answer.statusCode, 504);
  t.match(await json(answer), { errcode: "PINYON_TIMEOUT" });
  t.equal(a.federation.stats.outboundErrors.PINYON_TIMEOUT, 1);
});
