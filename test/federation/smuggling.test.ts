import t, { type Test } from "tap";
import { TestNetwork } from "./network.js";
import { askRaw, VERSION } from "./raw-node.js";
import { giveJson, startServer } from "./server.js";

const HIDDEN = "GET /_synapse/admin/v1/users HTTP/1.1\r\nHost: x\r\n\r\n";

async function pair(t: Test) {
  const network = new TestNetwork();
  const a = await startServer(t, network);
  const b = await startServer(t, network, {
    answers: { "/_matrix/federation/v1/any": (_request, response) => giveJson(response, {}) },
  });
  return { a, b };
}

t.test("a body is never read as another request, whatever the method", async (t) => {
  const { a, b } = await pair(t);
  for (const method of ["GET", "PUT", "POST"]) {
    const head = { ":method": method, ":path": "/_matrix/federation/v1/any" };
    t.equal((await askRaw(a, b, head, HIDDEN)).status, 200, method);
    t.equal((await askRaw(a, b, { ...head, "content-length": HIDDEN.length }, HIDDEN)).status, 200, method);
  }
  t.equal((await askRaw(a, b)).status, 200, "an honest request is served meanwhile");
  t.equal(b.asked.length, 7);
  t.notOk(b.asked.some(({ url }) => url?.includes("admin")));
});

t.test("a length that is not the body's reaches no homeserver as a whole request", async (t) => {
  const { a, b } = await pair(t);
  for (const method of ["GET", "PUT"]) {
    const head = { ":method": method, ":path": "/_matrix/federation/v1/any" };
    for (const length of [0, 3, HIDDEN.length - 1, HIDDEN.length + 1, 1_000]) {
      t.not((await askRaw(a, b, { ...head, "content-length": length }, HIDDEN)).status, 200, `${method} ${length}`);
    }
    t.not((await askRaw(a, b, { ...head, "content-length": 3 })).status, 200, `${method} without a body`);
  }
  t.equal((await askRaw(a, b)).status, 200, "an honest request is served meanwhile");
  t.notOk(b.asked.some(({ url }) => url?.includes("admin")));
  t.equal(b.asked.at(-1)?.url, VERSION);
});
