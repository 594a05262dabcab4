import { once } from "node:events";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import t, { type Test } from "tap";
import { verifyAuthorization } from "../../src/federation/signing.js";
import { readXMatrix } from "../../src/federation/x-matrix.js";
import { nameToKey } from "../../src/wire/name.js";
import { TestNetwork } from "./network.js";
import { type Answers, addressOf, ask, giveJson, SECRET, startServer, type TestServer } from "./server.js";

const DIRECTORY = "/_matrix/federation/v1/query/directory";

interface Ways {
  /** Asks the server `name` for its keys, as a homeserver does to verify its signature. */
  readonly fetchKeys?: (server: TestServer, name: string) => Promise<unknown>;
  readonly answers?: Answers;
}

/** A homeserver that verifies what it is asked, with the keys that it fetches by way of its node. */
async function verifyingServer(t: Test, { fetchKeys = throughNode, answers = {} }: Ways = {}): Promise<TestServer> {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const [signature] = readXMatrix([request.headers.authorization!]);
    const origin = signature!.origin;
    if (origin !== server.name) await fetchKeys(server, origin);
    const isGood = verifyAuthorization(signature!, { method: "GET", path: request.url! }, nameToKey(origin)!);
    response.writeHead(isGood ? 404 : 401, { "content-type": "application/json" }).end('{"error":"says the test"}');
  };
  const directory = (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response).catch((error: Error) => {
      response.writeHead(401, { "content-type": "application/json" }).end(JSON.stringify({ error: error.message }));
    });
  };
  const server: TestServer = await startServer(t, new TestNetwork(), {
    answers: { [DIRECTORY]: directory, ...answers },
  });
  return server;
}

async function throughNode(server: TestServer, name: string): Promise<unknown> {
  const { status, body } = await ask(server, name, { path: "/_matrix/key/v2/server" });
  if (status !== 200) throw new Error(body);
  return JSON.parse(body);
}

/** The step that failed, as `step: text`. */
async function failure({ federation }: TestServer): Promise<string> {
  const steps = await federation.check();
  const failed = steps.filter(({ ok }) => !ok);
  if (failed.length !== 1 || failed[0] !== steps.at(-1)) throw new Error(JSON.stringify(steps));
  return `${failed[0]!.step}: ${failed[0]!.text}`;
}

t.test("a homeserver that federates through its node passes every step", async (t) => {
  const server = await verifyingServer(t);
  const steps = await server.federation.check();
  t.match(steps, [
    { step: "listener", ok: true },
    { step: "key", ok: true, text: `it is ${server.name}, and signs with the node's key as ed25519:test` },
    { step: "inward", ok: true },
    { step: "outward", ok: true },
  ]);
  t.match(server.federation.stats, { outboundRequests: 0, inboundRequests: 0 }, "nobody else had to do with it");
  t.notOk(
    (await server.federation.check()).some(({ ok }) => !ok),
    "and passes again",
  );
});

t.test("a homeserver that is down fails at its listener", async (t) => {
  const server = await verifyingServer(t);
  server.homeserver.close().closeAllConnections();
  t.match(await failure(server), /^listener: it does not answer \(.*ECONNREFUSED.*\): start the homeserver/);
});

t.test("a listener without federation is named", async (t) => {
  const answers: Answers = { "/_matrix/federation/v1/version": (_request, response) => response.writeHead(404).end() };
  t.match(
    await failure(await verifyingServer(t, { answers })),
    /^listener: it answers 404 .* the resource `federation`/,
  );
});

t.test("a homeserver with another name or key is named", async (t) => {
  const withKeys = (edit: (keys: Record<string, unknown>) => unknown) => {
    const answers: Answers = {
      "/_matrix/key/v2/server": (_request, response) => {
        const keys = {
          server_name: server.name,
          verify_keys: { "ed25519:1": { key: "A".repeat(43) } },
          valid_until_ts: 1,
        };
        giveJson(response, edit(keys));
      },
    };
    let server: TestServer;
    return verifyingServer(t, { answers }).then((made) => {
      server = made;
      return failure(made);
    });
  };
  t.match(
    await withKeys((keys) => ({ ...keys, server_name: "example.org" })),
    /^key: it is example\.org, and this node is /,
  );
  t.match(await withKeys((keys) => keys), /^key: it signs with another key than this node's/);
  t.match(await withKeys(() => "garbage"), /^key: it is undefined/);
});

t.test("a homeserver that refuses the node's signature is quoted", async (t) => {
  const answers: Answers = {
    [DIRECTORY]: (_request, response) => response.writeHead(403).end('{"error":"Federation denied with you"}'),
  };
  t.match(
    await failure(await verifyingServer(t, { answers })),
    /^inward: it refuses a request that the node signed: 403 Federation denied with you/,
  );
});

t.test("a homeserver that does not ask its node is told to start again", async (t) => {
  const fetchKeys = async () => Promise.reject(new Error("getaddrinfo ENOTFOUND"));
  t.match(await failure(await verifyingServer(t, { fetchKeys })), /^outward: it does not ask the node: start it again/);
});

t.test("a homeserver with another secret is told so", async (t) => {
  const headers = { "proxy-authorization": "Bearer another-secret-altogether" };
  const fetchKeys = async (server: TestServer, name: string) => {
    await ask(server, name, { path: "/_matrix/key/v2/server", headers });
    throw new Error("no keys");
  };
  t.match(
    await failure(await verifyingServer(t, { fetchKeys })),
    /^outward: it shows a wrong credential: `homeserver\.secret`/,
  );
});

t.test("a homeserver that does not trust the node's certificate is told so", async (t) => {
  const fetchKeys = async (server: TestServer, name: string) => {
    const headers = { "proxy-authorization": `Bearer ${SECRET}` };
    const asking = request({ ...addressOf(server), method: "CONNECT", path: `${name}:8448`, headers }).end();
    const [, socket] = (await once(asking, "connect")) as [unknown, Socket];
    // The alert of TLS for a certificate of an unknown authority.
    socket.resume().write(Buffer.from("15030100020230", "hex"));
    await once(socket, "close");
    throw new Error("x509: certificate signed by unknown authority");
  };
  t.match(
    await failure(await verifyingServer(t, { fetchKeys })),
    /^outward: it does not trust the node's certificate: .*SSL_CERT_FILE/,
  );
});

t.test("a homeserver whose requests have no good signature is told so", async (t) => {
  const fetchKeys = async (server: TestServer, name: string) => {
    const authorization = `X-Matrix origin="${server.name}",destination="${name}",key="ed25519:test",sig="${"A".repeat(86)}"`;
    return ask(server, name, { path: "/_matrix/key/v2/server", headers: { authorization } });
  };
  t.match(
    await failure(await verifyingServer(t, { fetchKeys })),
    /^outward: what it sends is not signed with the key that it states/,
  );
});

t.test("a homeserver that does not take the answer is quoted", async (t) => {
  const fetchKeys = async (server: TestServer, name: string) => {
    await throughNode(server, name);
    throw new Error("I do not like it");
  };
  t.match(
    await failure(await verifyingServer(t, { fetchKeys })),
    /^outward: .*did not take the answer: 401 I do not like it/,
  );
});
