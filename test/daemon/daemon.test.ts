import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import t from "tap";
import { WebSocket } from "ws";
import { answerRequest } from "../../src/daemon/control-answers.js";
import type { PeerInfo, StatusResult } from "../../src/daemon/control-protocol.js";
import type { Daemon } from "../../src/daemon/daemon.js";
import { CLOSE_TEXT, CloseCode } from "../../src/wire/codes.js";
import { until } from "../link/until.js";
import { runningDaemon, uriOf } from "./running.js";
import { tempFolder } from "./temp-folder.js";

const status = (daemon: Daemon) => answerRequest(daemon, { verb: "status" }) as Promise<StatusResult>;
const peers = (daemon: Daemon) => answerRequest(daemon, { verb: "peers" }) as Promise<PeerInfo[]>;

/** Why a peer of the config gets no link. */
async function refusal(from: Daemon): Promise<string | null> {
  await until("the peer refuses", () => from.peers.list()[0]?.lastError !== null);
  return (await peers(from))[0]!.lastError;
}

t.test("a node without the network's secret, or not in the allow-list, is told so", async (t) => {
  const secret = "a secret of the network";
  const closed = await runningDaemon(t, { network: { id: "home", secret } });
  const friend = await runningDaemon(t, { network: { id: "home", secret }, peers: [uriOf(closed)] });
  const picky = await runningDaemon(t, { allow: [friend.name] });
  const cases = [
    [{ network: { id: "home", secret: "another secret, no less" } }, closed, CloseCode.SECRET],
    [{ network: { id: "work", secret } }, closed, CloseCode.NETWORK],
    [{}, picky, CloseCode.NOT_ALLOWED],
  ] as const;
  for (const [config, to, code] of cases) {
    const stranger = await runningDaemon(t, { ...config, peers: [uriOf(to)] });
    t.equal(await refusal(stranger), CLOSE_TEXT[code]);
    t.match((await status(stranger)).warnings, [/^no link to the peer wss:/, /^no links/]);
  }
  await until("the friend is linked meanwhile", () => friend.links.size === 1);
});

t.test("bytes of any kind at the listener neither end the node nor keep an honest peer out", async (t) => {
  const node = await runningDaemon(t);
  const { port } = node.listeners[0]!.address()!;
  for (let round = 0; round < 20; round++) {
    const socket = connect(port, "127.0.0.1", () => socket.end(randomBytes(1 + round * 50)));
    socket.on("error", () => {});
    await once(socket.resume(), "close");
  }
  for (let round = 0; round < 20; round++) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    socket.on("open", () => socket.send(randomBytes(1 + round * 20)));
    socket.on("error", () => {});
    const [code] = await once(socket, "close");
    t.ok(code >= 4_000, `told ${code}`);
  }
  const honest = await runningDaemon(t, { peers: [uriOf(node)] });
  await until("the honest peer is linked", () => honest.links.size === 1);
  t.match(await answerRequest(honest, { verb: "ping", target: node.name }), { hops: 1 });
  t.equal(node.faults, 0);
});

t.test("damaged files are moved aside and said, and the node runs", async (t) => {
  const folder = tempFolder(t);
  for (const name of ["epochs", "locators", "peers"]) writeFileSync(join(folder, name), "{broken");
  const node = await runningDaemon(t, {}, { folder });
  const { warnings } = await status(node);
  for (const name of ["epochs", "locators", "peers"]) {
    t.ok(
      warnings.some((text) => text.startsWith(join(folder, `${name}: damaged; moved to`))),
      name,
    );
    t.ok(readdirSync(folder).some((file) => file.startsWith(`${name}.damaged-`)));
  }
});

t.test("two peers of each other's config keep one link, and a cut one comes back", async (t) => {
  const a = await runningDaemon(t);
  const b = await runningDaemon(t, { peers: [uriOf(a)] });
  await answerRequest(a, { verb: "peer-add", uri: uriOf(b) });
  const both = () => a.links.size === 1 && b.links.size === 1;
  await until("they are linked", both);
  t.match(await answerRequest(a, { verb: "ping", target: b.name }), { hops: 1 });
  const [up] = a.links.values();
  up!.close(CloseCode.SHUTDOWN, "cut");
  await until("the link is cut", () => a.links.size === 0);
  await until("it is back", both);
});

t.test("an error that nobody caught is counted and shown, and the node goes on", async (t) => {
  const node = await runningDaemon(t);
  node.handleFault(new Error("broken"));
  t.match((await status(node)).warnings, [/^errors of Pinyon itself: 1/, /^no links/]);
});

t.test("a node stops though a peer does not answer the goodbye", async (t) => {
  const node = await runningDaemon(t);
  const { port } = node.listeners[0]!.address()!;
  const silent = connect(port, "127.0.0.1");
  silent.on("error", () => {});
  silent.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
  silent.write("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
  await once(silent, "data");
  await node.stop();
  t.same(
    readdirSync(node.options.folder).filter((name) => /lock|sock/.test(name)),
    [],
  );
  silent.destroy();
});
