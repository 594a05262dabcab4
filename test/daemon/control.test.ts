import { once } from "node:events";
import { statSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import t, { type Test } from "tap";
import { ControlClient } from "../../src/daemon/control-client.js";
import type { ControlRequest } from "../../src/daemon/control-protocol.js";
import { type ControlHandler, ControlServer } from "../../src/daemon/control-server.js";
import { ErrorCode, PinyonError } from "../../src/daemon/errors.js";
import { CONTROL_CLIENTS_MAX, CONTROL_LINE_BYTES_MAX } from "../../src/daemon/limits.js";
import { silentLog } from "./silent-log.js";
import { tempFolder } from "./temp-folder.js";

/** Answers with what was asked; `trace` is a node that does not answer, `lookup` a fault of ours. */
const echo: ControlHandler = async (request) => {
  if (request.verb === "trace") throw new PinyonError(ErrorCode.UNREACHABLE, "no answer");
  if (request.verb === "lookup") throw new TypeError("a fault");
  if (request.verb === "ping") await new Promise((resolve) => setTimeout(resolve, Number(request.target)));
  return request;
};

async function server(t: Test): Promise<{ path: string; control: ControlServer; connect(): Promise<ControlClient> }> {
  const path = join(tempFolder(t), "control.sock");
  const control = await ControlServer.listen(path, echo, silentLog());
  t.teardown(() => control.close());
  const connect = async () => {
    const client = await ControlClient.connect(path, "folder");
    t.teardown(() => client.close());
    return client;
  };
  return { path, control, connect };
}

/** All that the server says until it closes the connection, or until it has said `lineCount` lines. */
async function talk(path: string, sent: string | Buffer, lineCount = Number.POSITIVE_INFINITY): Promise<string[]> {
  const socket: Socket = createConnection(path);
  let text = "";
  socket.on("error", () => {});
  socket.write(sent);
  socket.on("data", (chunk) => {
    text += chunk.toString();
    if (text.split("\n").length > lineCount) socket.end();
  });
  await once(socket, "close");
  return text.split("\n").slice(0, -1);
}

t.test("requests are answered in their order, on a socket for its user alone", async (t) => {
  const { path, connect } = await server(t);
  t.equal(statSync(path).mode & 0o777, 0o600);
  const client = await connect();
  const requests: ControlRequest[] = [
    { verb: "ping", target: "20" },
    { verb: "status" },
    { verb: "peer-add", uri: "u" },
  ];
  t.same(await Promise.all(requests.map((request) => client.request(request))), requests);
});

t.test("a client that closes its side after asking gets its answers", async (t) => {
  const { path } = await server(t);
  const socket = createConnection(path);
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString();
  });
  socket.end('{"verb":"ping","target":"20"}\n{"verb":"status"}\n');
  await once(socket, "close");
  t.equal(text.split("\n").length, 3);
});

t.test("an error reaches the client with code and message; a fault of ours is called so", async (t) => {
  const { connect } = await server(t);
  const client = await connect();
  await t.rejects(client.request({ verb: "trace", target: "x" }), { code: "PINYON_UNREACHABLE", message: "no answer" });
  await t.rejects(client.request({ verb: "lookup", target: "x" }), { code: "PINYON_INTERNAL", message: "a fault" });
  t.same(await client.request({ verb: "peers" }), { verb: "peers" }, "the connection goes on");
});

t.test("a request without its form is refused and the next one answered", async (t) => {
  const { path, control } = await server(t);
  const bad = ["", "{", "null", "[]", '{"verb":"halt"}', '{"verb":"ping"}', '{"verb":"ping","target":1}'];
  bad.push('{"verb":"status","extra":1}', '{"__proto__":{"verb":"status"}}', "\u0000\uffff");
  const answers = await talk(path, `${bad.join("\n")}\n{"verb":"status"}\n`, bad.length + 1);
  t.equal(answers.length, bad.length + 1);
  for (const answer of answers.slice(0, -1))
    t.match(JSON.parse(answer), { ok: false, error: { code: "PINYON_REQUEST" } });
  t.same(JSON.parse(answers.at(-1)!), { ok: true, result: { verb: "status" } });
  t.equal(control.stats.malformed, bad.length);
});

t.test("a line over its limit is told and cut, and others are served meanwhile", async (t) => {
  const { path, control, connect } = await server(t);
  const client = await connect();
  const answers = await talk(path, Buffer.alloc(CONTROL_LINE_BYTES_MAX * 4, "x"));
  t.match(JSON.parse(answers[0] ?? "{}"), { ok: false, error: { code: "PINYON_REQUEST", message: /too long/ } });
  t.equal(control.stats.oversize, 1);
  t.same(await client.request({ verb: "status" }), { verb: "status" });
});

t.test("clients over their limit are told; a place that is free again is given", async (t) => {
  const { path, control, connect } = await server(t);
  const clients = await Promise.all(Array.from({ length: CONTROL_CLIENTS_MAX }, connect));
  await Promise.all(clients.map((client) => client.request({ verb: "status" })));
  const [answer] = await talk(path, "");
  t.match(JSON.parse(answer ?? "{}"), { ok: false, error: { code: "PINYON_BUSY" } });
  t.equal(control.stats.refused, 1);
  clients[0]!.close();
  await new Promise((resolve) => setImmediate(resolve));
  t.same(await (await connect()).request({ verb: "status" }), { verb: "status" });
});

t.test("a client that goes in mid-request, and one that sends random bytes, leave the server whole", async (t) => {
  const { path, connect } = await server(t);
  const client = await connect();
  const leaving = createConnection(path);
  leaving.write('{"verb":"ping","target":"30"}\n{"verb":"status"}\n', () => leaving.destroy());
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const socket = createConnection(path);
      socket.resume().end(Buffer.from(bytes));
      await once(socket, "close");
    }),
    { numRuns: 50 },
  );
  t.same(await client.request({ verb: "status" }), { verb: "status" });
});

t.test("a second server is refused while one answers; a dead one's socket is taken over", async (t) => {
  const { path, control } = await server(t);
  await t.rejects(ControlServer.listen(path, echo, silentLog()), { code: "PINYON_LOCKED" });
  await control.close();
  writeFileSync(path, "");
  await (await ControlServer.listen(path, echo, silentLog())).close();
});

t.test("with no daemon, or one that ends meanwhile, the client says so", async (t) => {
  const folder = tempFolder(t);
  await t.rejects(ControlClient.connect(join(folder, "control.sock"), folder), {
    code: "PINYON_NOT_RUNNING",
    message: /start one with `pinyon run`/,
  });
  const { control, connect } = await server(t);
  const client = await connect();
  const request = client.request({ verb: "ping", target: "1000" });
  const refused = t.rejects(request, { code: "PINYON_NOT_RUNNING" });
  await control.close();
  await refused;
  await t.rejects(client.request({ verb: "status" }), { code: "PINYON_NOT_RUNNING" });
});
