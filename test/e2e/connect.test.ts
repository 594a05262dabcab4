import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { DENDRITE } from "../../src/homeserver/dendrite.js";
import type { Kind } from "../../src/homeserver/kind.js";
import type { OwnNode } from "../../src/homeserver/own-node.js";
import { NodeFolder } from "../cli/pinyon.js";
import { tempFolder } from "../daemon/temp-folder.js";
import { Dendrite } from "./dendrite.js";
import { installDendrite, whyNoDendrite } from "./dendrite-install.js";
import type { Homeserver } from "./homeserver.js";
import { freePorts } from "./place.js";
import { Synapse } from "./synapse.js";
import { installSynapse, whyNoSynapse } from "./synapse-install.js";

/* The commands that join a node and its homeserver, with the real homeservers. */

t.setTimeout(600_000);

const tell = (text: string) => t.comment(text);

/** A node and the folder of the homeserver that `connect --new` makes beside it. */
class Pair {
  readonly node: NodeFolder;
  readonly folder: string;
  readonly config: string;

  private constructor(
    t: Test,
    private readonly kind: Kind,
    readonly port: number,
    private readonly listen: string,
  ) {
    const base = tempFolder(t);
    this.node = new NodeFolder(t, join(base, "node"));
    this.folder = join(base, "homeserver");
    this.config = join(this.folder, kind === "synapse" ? "homeserver.yaml" : "dendrite.yaml");
  }

  static async make(t: Test, kind: Kind): Promise<Pair> {
    const [port = 0, listen = 0] = await freePorts(2);
    const pair = new Pair(t, kind, port, `127.0.0.1:${listen}`);
    await pair.node.ask("init");
    pair.node.configure();
    const made = await pair.ask(
      "connect",
      "--new",
      pair.folder,
      "--port",
      String(port),
      "--listen",
      pair.listen,
      "--apply",
    );
    t.match(made, { code: 0, stderr: "" });
    return pair;
  }

  ask(verb: string, ...args: string[]) {
    return this.node.ask("homeserver", verb, this.kind, ...args);
  }

  /** Joins it again by its file. */
  connect() {
    return this.ask("connect", "--config", this.config, "--listen", this.listen, "--apply");
  }

  get options() {
    return { folder: this.folder, name: "", label: this.kind, port: this.port };
  }
}

/** Every step but the last passes, and that too unless its name is given. */
async function checks(t: Test, pair: Pair, failing?: string): Promise<void> {
  const { code, stdout } = await pair.ask("check", "--json");
  const { steps } = JSON.parse(stdout) as { steps: { step: string; ok: boolean; text: string }[] };
  t.equal(steps.find(({ ok }) => !ok)?.step, failing, JSON.stringify(steps.at(-1)));
  t.equal(code, failing === undefined ? 0 : 1);
}

async function startedWith(t: Test, homeserver: Homeserver): Promise<void> {
  t.teardown(() => homeserver.kill());
  await homeserver.start();
}

t.test(
  "a new Synapse passes the check, is disconnected, and connected again by its file",
  { skip: whyNoSynapse() ?? false },
  async (t) => {
    const python = await installSynapse(tell);
    const pair = await Pair.make(t, "synapse");
    await checks(t, pair, "node");
    await pair.node.run();
    await checks(t, pair, "listener");
    const synapse = new Synapse({ ...pair.options, python });
    await startedWith(t, synapse);
    await checks(t, pair);

    // As it would be if Pinyon had never been there.
    t.match(await pair.ask("disconnect", "--apply"), { code: 0 });
    const joined = readFileSync(pair.config, "utf8");
    const own = joined.slice(0, joined.indexOf("# All federation goes"));
    const plain = `${own}trusted_key_servers: [{server_name: matrix.org}] # theirs\n`;
    writeFileSync(pair.config, plain);
    await Promise.all([synapse.restart(), pair.node.end("SIGTERM")]);

    t.match(await pair.connect(), { code: 0, stderr: "" });
    await pair.node.run();
    await checks(t, pair, "outward");
    await synapse.restart();
    await checks(t, pair);
    t.match(await pair.ask("disconnect", "--apply"), { code: 0 });
    t.equal(readFileSync(pair.config, "utf8"), plain);
  },
);

/** The configuration that Synapse makes for itself, on a port of loopback. */
function existingSynapse(t: Test, python: string, name: string, port: number): { folder: string; file: string } {
  const folder = tempFolder(t);
  const file = join(folder, "homeserver.yaml");
  const make = ["--server-name", name, "--config-path", file, "--generate-config", "--report-stats=no"];
  execFileSync(python, ["-m", "synapse.app.homeserver", ...make], { cwd: folder, stdio: "ignore" });
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace("port: 8008", `port: ${port}`));
  return { folder, file };
}

/** The same of a Dendrite, as a person would write it; its key is its own. */
function existingDendrite(t: Test, name: string, port: number): { folder: string; file: string } {
  const folder = tempFolder(t);
  const node = { name, seed: randomBytes(32) } as unknown as OwnNode;
  const { config, others } = DENDRITE.make({ folder, port, node, secret: () => randomBytes(16).toString("hex") });
  for (const [file, text] of others) writeFileSync(join(folder, file), text);
  const file = join(folder, "dendrite.yaml");
  writeFileSync(file, config);
  return { folder, file };
}

/** A homeserver with a name of its own, connected to a node, has rooms with a Synapse of the mesh; then all is given back. */
async function shareRooms(
  t: Test,
  kind: Kind,
  { folder, file }: { folder: string; file: string },
  ports: { port: number; listen: number },
  make: (options: { folder: string; name: string; label: string; port: number }) => Homeserver,
): Promise<void> {
  const before = readFileSync(file, "utf8");
  const node = new NodeFolder(t, join(tempFolder(t), "node"));
  await node.ask("init");
  node.configure();
  const own = (verb: string, ...args: string[]) => node.ask("homeserver", verb, kind, ...args);
  const way = ["--port", String(ports.port), "--listen", `127.0.0.1:${ports.listen}`];
  t.match(await own("connect", "--config", file, ...way, "--apply"), { code: 0 });
  await node.run();
  const classic = make({ folder, name: CLASSIC, label: "classic", port: ports.port });
  await startedWith(t, classic);
  const checked = JSON.parse((await own("check", "--json")).stdout) as { steps: { step: string; ok: boolean }[] };
  const steps = checked.steps.map(({ step, ok }) => (ok ? step : `not ${step}`));
  t.same(steps, ["files", "node", "listener", "key", "outward", "not binding"], "no DNS knows the name of a test");

  const pair = await Pair.make(t, "synapse");
  const { listen: addresses, key } = await node.json<{ listen: string[]; key: string }>("status");
  await pair.node.run();
  t.match(await pair.node.ask("peer", "add", `wss://${addresses[0]}?key=${key}`), { code: 0 });
  const statement = join(folder, "statement.json");
  writeFileSync(statement, (await node.ask("binding", "show")).stdout);
  t.match(await pair.node.ask("binding", "import", statement), { code: 0 });
  const overlay = new Synapse({ ...pair.options, python: await installSynapse(tell) });
  await startedWith(t, overlay);

  const [ada, bob] = [await classic.register("alice"), await overlay.register("bobby")];
  for (const [host, guest] of [
    [ada, bob],
    [bob, ada],
  ] as const) {
    const home = host.userId.split(":")[1]!;
    const alias = `room-${home.slice(0, 6)}`;
    const roomId = await host.createRoom({ preset: "public_chat", room_alias_name: alias, room_version: "10" });
    t.equal(await guest.join(`#${alias}:${home}`), roomId);
    for (let i = 0; i < 5; i++) await [host, guest][i % 2]!.sendText(roomId, `${i}`);
    for (const one of [host, guest]) {
      await eventually(async () => (await one.texts(roomId)).length === 5);
      t.same((await one.texts(roomId)).toSorted(), ["0", "1", "2", "3", "4"]);
    }
  }
  await classic.stop();
  t.match(await own("disconnect", "--apply"), { code: 0 });
  t.equal(readFileSync(file, "utf8"), before);
}

const CLASSIC = "matrix.example";

t.test(
  "an existing Synapse keeps its name and key, shares rooms with one of the mesh, and is given back",
  { skip: whyNoSynapse() ?? false },
  async (t) => {
    const python = await installSynapse(tell);
    const [port = 0, listen = 0] = await freePorts(2);
    const existing = existingSynapse(t, python, CLASSIC, port);
    await shareRooms(t, "synapse", existing, { port, listen }, (options) => new Synapse({ ...options, python }));
  },
);

t.test("an existing Dendrite does so as well", { skip: whyNoSynapse() ?? whyNoDendrite() ?? false }, async (t) => {
  const program = await installDendrite(tell);
  const [port = 0, listen = 0] = await freePorts(2);
  const existing = existingDendrite(t, CLASSIC, port);
  await shareRooms(t, "dendrite", existing, { port, listen }, (options) => new Dendrite({ ...options, program }));
});

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300 && !(await holds()); tries++)
    await new Promise((resolve) => setTimeout(resolve, 200));
}

t.test("a new Dendrite passes the check, its TLS validated", { skip: whyNoDendrite() ?? false }, async (t) => {
  const program = await installDendrite(tell);
  const pair = await Pair.make(t, "dendrite");
  await pair.node.run();
  await startedWith(t, new Dendrite({ ...pair.options, program }));
  await checks(t, pair);
});
