import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import t from "tap";
import type { PeerInfo, StatusResult } from "../../src/daemon/control-protocol.js";
import { tempFolder } from "../daemon/temp-folder.js";
import { NodeFolder, pinyon } from "./pinyon.js";

t.setTimeout(120_000);

/** Waits until `condition` holds. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function read(url: string): Promise<string> {
  return (await fetch(url)).text();
}

const NAME = /[a-z2-7]{52}\.pinyon\.alt/;

t.test("two nodes: init, run, status, peers, ping, trace, lookup, restart, stop", async (t) => {
  const a = new NodeFolder(t, join(tempFolder(t), "a"));
  const b = new NodeFolder(t, join(tempFolder(t), "b"));
  const status = (node: NodeFolder) => node.json<StatusResult>("status");
  const peers = (node: NodeFolder) => node.json<PeerInfo[]>("peer", "ls");

  const made = await a.ask("init");
  t.match(made, { code: 0, stderr: "", stdout: NAME });
  t.match(made.stdout, /Start it with `.* --state .*\/a run`/);
  t.same(readdirSync(a.folder), ["key", "pinyon.yaml"]);
  const again = await a.ask("init");
  t.match(again, { code: 2, stdout: "", stderr: /there is a key already, and it is never overwritten/ });
  await b.ask("init");

  a.configure();
  b.configure();
  await Promise.all([a.run(), b.run()]);
  t.match(a.stderr, NAME, "it greets with its name");
  const [aStatus, bStatus] = await Promise.all([status(a), status(b)]);
  t.match(made.stdout, aStatus.name);
  t.match(aStatus, { network: "pinyon", links: [], sessions: 0, localOnly: false });
  t.match(aStatus.warnings, [/^no links/]);
  const text = await a.ask("status");
  for (const part of [
    aStatus.name,
    aStatus.key,
    aStatus.listen[0]!,
    "0 links",
    "this node is the root",
    "to look at:",
  ]) {
    t.ok(text.stdout.includes(part), `status has ${part}`);
  }

  const uri = `wss://${aStatus.listen[0]}?key=${aStatus.key}`;
  const added = await b.ask("peer", "add", uri);
  t.match(added, { code: 0, stdout: /^Added wss:.*\n`.* --state .*\/b peer ls` shows whether/ });
  t.match(await a.ask("peer", "add", uri), { code: 2, stderr: /this node's own/ });
  t.match(await b.ask("peer", "add", uri), { code: 1, stderr: /is a peer already/ });
  await until(async () => (await peers(b))[0]?.linked === true);
  t.match(await peers(b), [{ origin: "added", names: [aStatus.name], linked: true, lastError: null }]);
  t.match(await b.ask("peer", "ls"), { stdout: /PEER +FROM +STATE\n.*wss:.* added +linked\n/ });

  const ping = await b.ask("ping", aStatus.name, "-c", "2", "-i", "0.01");
  t.equal(ping.code, 0);
  t.match(
    ping.stdout,
    new RegExp(`answer from ${aStatus.name}: seq=2 hops=1 time=[\\d.,]+ ms\\n2 pings, 2 answers, 0 % lost`),
  );
  t.match(await b.json("ping", aStatus.key, "-c", "1"), { sent: 1, answered: 1, attempts: [{ seq: 1, hops: 1 }] });
  t.match((await a.ask("trace", bStatus.name)).stdout, new RegExp(`1 hop:\n {2}1 {2}${bStatus.name} {2}[\\d.,]+ ms\n`));
  t.match(await a.json("trace", bStatus.name), { hops: [{ name: bStatus.name, port: 1 }] });
  const why = await a.ask("trace", bStatus.name, "--why");
  t.match(why.stdout, /1 hop:\n.*\nwhy:\n {2}- It is a neighbour, behind port 1\.\n {2}- A confirmed route was kept/);
  t.match(why.stdout, /- The route in use: 1 hop, .* confirmed, .* ports 1\.\n/);
  t.match(await a.json("trace", bStatus.name, "--why"), { neighbourPort: 1, after: { routes: [{ ports: [1] }] } });
  t.match(await a.ask("trace", aStatus.name, "--why"), { code: 0, stdout: `${aStatus.name} is this node itself.\n` });
  t.match(
    (await a.ask("show", "trees")).stdout,
    /^tree 0: this node .*\n {2}root +\S+, for .*\n {2}seq +\d+, .* ago\n/,
  );
  t.match((await a.ask("show", "table", "--keys")).stdout, /^tree 0: [01] keys? below this node\n/);
  t.match((await a.ask("show", "routes")).stdout, new RegExp(`^${bStatus.name}\n {2}route: 1 hop, .*, ports 1\n`));
  t.match((await a.ask("show", "balls")).stdout, /^The map has \d records? of others: .*\n {2}NODE +DELAY +HOPS/);
  t.match(await a.json("show", "trees"), [{ tree: 0 }, { tree: 1 }, { tree: 2 }]);
  t.match(await a.json("show", "table"), [{ tree: 0 }, { tree: 1 }, { tree: 2 }]);
  t.match(await a.json("show", "routes"), { count: 1, destinations: [{ name: bStatus.name }] });
  t.match(await a.json("show", "balls"), { nodes: [{ hops: 1 }] });
  t.match(await a.ask("trace", aStatus.name), { code: 0, stdout: `${aStatus.name} is this node itself.\n` });
  t.match((await a.ask("lookup", aStatus.name)).stdout, /route +none: it is this node\n/);
  t.match((await a.ask("lookup", bStatus.name)).stdout, /route +ports 1\n {2}tree 0 +root [0-9a-f]{16}/);
  t.match(await a.json("lookup", bStatus.name), { key: bStatus.key, route: [1], trees: [{}, {}, {}] });
  t.match((await b.ask("status")).stdout, /1 link:\n {2}NODE .*\n {2}\S+ +1 +wss:\/\/127\.0\.0\.1:\d+\/ +out /);

  const epoch = () => (JSON.parse(readFileSync(join(b.folder, "epochs"), "utf8")) as { epoch: number }).epoch;
  const before = epoch();
  await b.end("SIGKILL");
  t.ok(existsSync(join(b.folder, "control.sock")), "a killed node leaves its socket and lock");
  await b.run();
  t.equal((await status(b)).name, bStatus.name, "the same node");
  t.ok(epoch() > before, "that counts on where it was");
  await until(async () => (await status(a)).links.length === 1);
  t.match(await peers(b), [{ origin: "added" }], "with its added peer");

  t.match(await b.ask("peer", "rm", aStatus.name), { code: 0, stdout: /^Removed wss:/ });
  t.match(await b.ask("peer", "rm", aStatus.name), { code: 1, stderr: /is no peer/ });
  t.match(await b.ask("peer", "ls"), { stdout: /^No peers\./ });
  await until(async () => (await status(a)).links.length === 0);
  const away = await b.ask("trace", aStatus.name, "--why");
  t.match(away, {
    code: 1,
    stdout: /^why:\n.*- No route was found: .*no way to the key/s,
    stderr: /no way to the key/,
  });
  const lost = await b.ask("ping", aStatus.name, "-c", "1");
  t.match(lost, { code: 1, stdout: /no answer: seq=1 .*\n1 ping, 0 answers, 100 % lost\n/ });

  t.equal(await b.end("SIGTERM"), 0);
  const asked = async () => /control_requests_total (\d+)/.exec(await read(`http://${aStatus.metrics}/metrics`))?.[1];
  const askedBefore = Number(await asked());
  const endless = a.ask("ping", aStatus.name, "-c", "0", "-i", "0.01");
  await until(async () => Number(await asked()) > askedBefore + 2);
  t.equal(await a.end("SIGINT"), 0);
  const cutOff = { code: 3, stdout: /\n\d+ pings, \d+ answers, 0 % lost\n/, stderr: /closed the control socket/ };
  t.match(await endless, cutOff, "pings end with their summary when the node stops");
  const left = readdirSync(a.folder).filter((name) => /lock|sock|tmp/.test(name));
  t.same(left, [], "a node that stopped leaves nothing behind");
  for (const line of a.stdout.trim().split("\n")) t.type(JSON.parse(line).msg, "string", "the log is JSON");
  t.match(a.stdout, /"link up".*"link down".*"stopping".*"node stopped"/s);
});

t.test("what keeps a node from starting is one sentence and exit code 2", async (t) => {
  const node = new NodeFolder(t, tempFolder(t));
  t.match(await node.ask("run"), { code: 2, stderr: /there is no key: make one with `pinyon init`/ });
  await node.ask("init");
  node.configure({ leaf: "maybe", pears: [] });
  const faults = await node.ask("run");
  t.equal(faults.code, 2);
  t.match(faults.stderr, /pinyon\.yaml:1: `leaf` is "maybe": expected true or false/);
  t.match(faults.stderr, /pinyon\.yaml:1: `pears` is unknown: expected `peers`/);

  const busy = createServer();
  await new Promise<void>((resolve) => busy.listen(0, "127.0.0.1", resolve));
  t.teardown(() => busy.close());
  const { port } = busy.address() as { port: number };
  node.configure({ listen: [`127.0.0.1:${port}`] });
  t.match(await node.ask("run"), { code: 2, stderr: new RegExp(`127.0.0.1:${port}: another program listens there`) });
  node.configure({ metrics: { listen: `127.0.0.1:${port}` } });
  t.match(await node.ask("run"), { code: 2, stderr: /another program listens there.*`metrics\.listen`/ });

  node.configure();
  await node.run();
  t.match(await node.ask("run"), { code: 2, stderr: new RegExp(`process ${node.process?.pid} runs a node`) });
  const elsewhere = join(tempFolder(t), "none.yaml");
  t.match(await node.ask("run", "--config", elsewhere), { code: 2, stderr: /there is no such file/ });
});

t.test("the command line says what it takes, and its exit codes tell failures apart", async (t) => {
  const folder = tempFolder(t);
  t.match(await pinyon("--help"), { code: 0, stdout: /Usage: pinyon .*Exit codes: 0 done, 1 failed/s });
  t.match(await pinyon("ping", "--help"), { code: 0, stdout: /--count <n>/ });
  t.match(await pinyon("--version"), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
  t.match(await pinyon("status", "--state", folder), { code: 3, stderr: /no node runs on this state folder/ });
  for (const args of [["halt"], ["status", "--all"], ["ping"], ["ping", "x", "-c", "many"], ["ping", "x", "-i", "0"]]) {
    t.match(await pinyon(...args), { code: 2, stdout: "", stderr: /error: / }, args.join(" "));
  }
  const node = new NodeFolder(t, folder);
  await node.ask("init");
  node.configure();
  await node.run();
  t.match(await node.ask("ping", "nonsense"), { code: 2, stderr: /"nonsense" is no node: expected a name like/ });
  t.match(await node.ask("peer", "add", "http://x"), { code: 2, stderr: /expected a peer URI/ });
});

t.test("run --init makes what is missing, listens for private networks, and keeps its key", async (t) => {
  const node = new NodeFolder(t, tempFolder(t));
  await node.run("--init");
  const first = await node.json<StatusResult>("status");
  t.match(first, { localOnly: true, listen: [/^\[::\]:181\d\d$|^0\.0\.0\.0:181\d\d$/] });
  t.match(node.stderr, /for this machine and private networks only/);
  await node.end("SIGTERM");
  await node.run("--init");
  t.equal((await node.json<StatusResult>("status")).name, first.name);
});
