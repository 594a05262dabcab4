import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { connect as connectTls } from "node:tls";
import t from "tap";
import { until } from "../link/until.js";
import { TestNetwork } from "./network.js";
import { addressOf, ask, codeOf, giveJson, headersOf, repeat, SECRET, startServer } from "./server.js";

t.test("a homeserver's request reaches another as it was signed, and the answer comes back", async (t) => {
  const network = new TestNetwork();
  const a = await startServer(t, network);
  const b = await startServer(t, network, {
    answers: { "/_matrix/federation/v1/send/1": (_request, response) => giveJson(response, { pdus: {} }) },
  });
  const path = "/_matrix/federation/v1/send/1?a=%21b&c";
  const answer = await ask(a, b.name, { method: "PUT", path, body: { pdus: [] } });
  t.same([answer.status, answer.body], [200, '{"pdus":{}}']);
  const [reached] = b.asked;
  t.equal(reached?.url, path);
  t.equal(reached?.headers.host, b.name);
  t.match(reached?.headers.authorization, new RegExp(`^X-Matrix .*origin="${a.name}"`));
  t.equal(reached?.headers["proxy-authorization"], undefined);
  await until(
    "both answers are counted",
    () => a.federation.stats.outboundAnswers === 1 && b.federation.stats.inboundAnswers === 1,
  );
  t.match(a.federation.stats, { outboundRequests: 1 });
  t.match(b.federation.stats, { inboundRequests: 1 });
});

t.test("a homeserver that knows proxies alone reaches another through a tunnel", async (t) => {
  const network = new TestNetwork();
  const a = await startServer(t, network);
  const b = await startServer(t, network);
  const credential = Buffer.from(`pinyon:${SECRET}`).toString("base64");
  const headers = { "proxy-authorization": `Basic ${credential}` };
  const asking = request({ ...addressOf(a), method: "CONNECT", path: `${b.name}:8448`, headers }).end();
  const [, socket] = await once(asking, "connect");
  // Who trusts the certificate is for the tests of tunnels; here it is nobody.
  const secured = connectTls({ socket, servername: b.name, rejectUnauthorized: false });
  t.teardown(() => secured.destroy());
  for (const path of ["/_matrix/federation/v1/version", "/_matrix/federation/v1/query/profile?a=%40b"]) {
    const headers = { ...headersOf(a, b.name, "GET", path), host: `${b.name}:8448`, connection: "keep-alive" };
    const outgoing = request({ createConnection: () => secured, path, headers }).end();
    const [incoming] = await once(outgoing, "response");
    await once(incoming.resume(), "end");
    t.equal(b.asked.at(-1)?.url, path);
    t.equal(b.asked.at(-1)?.headers.host, b.name);
  }
  await until("both answers are counted", () => a.federation.stats.outboundAnswers === 2);
});

t.test("a body of 50 MB passes each way, byte for byte", async (t) => {
  const network = new TestNetwork();
  const a = await startServer(t, network);
  const path = "/_matrix/federation/v1/media/download/x";
  const body = randomBytes(1_000_000);
  const b = await startServer(t, network, {
    answers: { [path]: (_request, response) => void pipeline(Readable.from(repeat(body, 50)), response) },
  });
  const outgoing = request({
    ...addressOf(a),
    path: `https://${b.name}${path}`,
    headers: headersOf(a, b.name, "GET", path),
  }).end();
  const [incoming] = await once(outgoing, "response");
  const hash = createHash("sha256");
  for await (const chunk of incoming) hash.update(chunk);
  const expected = createHash("sha256");
  for (const chunk of repeat(body, 50)) expected.update(chunk);
  t.equal(hash.digest("hex"), expected.digest("hex"));
});

t.test("a server that nobody finds is answered at once from the second request on", async (t) => {
  const network = new TestNetwork();
  const a = await startServer(t, network);
  const gone = network.join();
  gone.isOnline = false;
  const path = "/_matrix/federation/v1/query/profile";
  for (let i = 0; i < 3; i++) {
    const answer = await ask(a, gone.name, { path });
    t.same([answer.status, codeOf(answer)], [502, "PINYON_UNREACHABLE"]);
  }
  t.equal(a.node.searches, 1);
  t.equal(a.federation.stats.awayAnswers, 2);
  t.equal(a.federation.stats.outboundErrors.PINYON_UNREACHABLE, 3);
});

t.test("a server's keys are served by its node, and from what was kept while it is away", async (t) => {
  const network = new TestNetwork();
  const a = await startServer(t, network);
  const b = await startServer(t, network);
  const server = { path: "/_matrix/key/v2/server" };
  const query = {
    method: "POST",
    path: "/_matrix/key/v2/query",
    body: { server_keys: { [b.name]: {} } },
  };
  const first = await ask(a, b.name, server);
  t.equal(first.status, 200);
  b.node.leave();
  const kept = await ask(a, b.name, server);
  t.same([kept.status, JSON.parse(kept.body)], [200, JSON.parse(first.body)]);
  const asked = await ask(a, b.name, query);
  t.same([asked.status, JSON.parse(asked.body)], [200, { server_keys: [JSON.parse(first.body)] }]);
  t.equal(a.federation.stats.keyResponsesServed, 2);
});
