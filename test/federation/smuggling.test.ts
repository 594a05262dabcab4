import type { OutgoingHttpHeaders } from "node:http2";
import t from "tap";
import { formatXMatrix } from "../../src/federation/x-matrix.js";
import { TestNetwork } from "./network.js";
import { ask, giveJson, KEY_ID, startServer, type TestServer } from "./server.js";

const PATH = "/_matrix/federation/v1/query/profile";
const HIDDEN = "GET /_synapse/admin/v1/users HTTP/1.1\r\nHost: x\r\n\r\n";

/** What comes back when the node of `from` asks that of `to`, without the checks that it would make: the status, or `broken`. */
async function askRaw(from: TestServer, to: TestServer, headers: OutgoingHttpHeaders, body: string): Promise<unknown> {
  const remote = await from.node.connect(to.node.key);
  const method = String(headers[":method"] ?? "GET");
  const signature = from.signer.authorization({ method, path: PATH, destination: to.name }, KEY_ID);
  const names = { ":method": method, ":path": PATH, ":authority": to.name, "x-matrix": formatXMatrix(signature) };
  const request = remote.request({ ...names, ...headers }, { endStream: false });
  request.end(body);
  request.resume();
  return new Promise((resolve) => {
    request.once("response", (answer) => resolve(answer[":status"]));
    request.once("close", () => resolve("broken"));
  });
}

async function pair(t: Parameters<typeof startServer>[0]) {
  const network = new TestNetwork();
  const a = await startServer(t, network);
  const b = await startServer(t, network, { answers: { [PATH]: (_request, response) => giveJson(response, {}) } });
  return { a, b };
}

t.test("a body is never read as another request, whatever the method", async (t) => {
  const { a, b } = await pair(t);
  for (const method of ["GET", "PUT", "POST"]) {
    t.equal(await askRaw(a, b, { ":method": method }, HIDDEN), 200, method);
    t.equal(await askRaw(a, b, { ":method": method, "content-length": HIDDEN.length }, HIDDEN), 200, method);
  }
  const honest = await ask(a, b.name, { path: PATH });
  t.equal(honest.status, 200);
  t.equal(b.asked.length, 7);
  t.ok(
    b.asked.every(({ url }) => url === PATH),
    "nothing else reached the homeserver",
  );
});

t.test("a length that is not the body's reaches no homeserver as a whole request", async (t) => {
  const { a, b } = await pair(t);
  for (const method of ["GET", "PUT"]) {
    for (const length of [0, 3, HIDDEN.length - 1, HIDDEN.length + 1, 1_000]) {
      const answer = await askRaw(a, b, { ":method": method, "content-length": length }, HIDDEN);
      t.not(answer, 200, `${method} ${length}`);
    }
  }
  const honest = await ask(a, b.name, { path: PATH });
  t.equal(honest.status, 200);
  t.ok(
    b.asked.every(({ url }) => url === PATH),
    "nothing else reached the homeserver",
  );
});
