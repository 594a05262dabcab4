import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { z } from "zod";
import { createAtomic, writeAtomic } from "../../src/daemon/atomic-file.js";
import { initNode } from "../../src/daemon/init.js";
import { KeptFile } from "../../src/daemon/kept-file.js";
import { createKey, keyPath, readKey } from "../../src/daemon/key-file.js";
import { lockFolder } from "../../src/daemon/lock.js";
import { lockStateFolder, prepareFolder, stateFolderPath } from "../../src/daemon/state-folder.js";
import { BARE_NODE } from "./bare-node.js";
import { tempFolder } from "./temp-folder.js";

const [ENV, ...NODE] = BARE_NODE;
const CHILD = fileURLToPath(new URL("./state-child.js", import.meta.url));

/** A process that does `task` on a folder; it says "ready" once it is at it. */
async function child(task: string, folder: string): Promise<ChildProcess> {
  const process = spawn(ENV, [...NODE, CHILD, task, folder], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const [message] = await once(process, "message");
  if (message !== "ready") throw new Error(String(message));
  return process;
}

async function killed(process: ChildProcess): Promise<void> {
  const exit = once(process, "exit");
  process.kill("SIGKILL");
  await exit;
}

t.test("the folder is what was asked for, else the service's, else the user's", async (t) => {
  t.equal(stateFolderPath("/a/../b", { STATE_DIRECTORY: "/s" }), "/b");
  t.equal(stateFolderPath(undefined, { STATE_DIRECTORY: "/s:/other", XDG_STATE_HOME: "/x" }), "/s");
  t.equal(stateFolderPath(undefined, { XDG_STATE_HOME: "/x" }), "/x/pinyon");
  t.match(stateFolderPath(undefined, {}), /\/\.local\/state\/pinyon$/);
});

t.test("a new folder is the user's alone, and an open one is refused with the command that mends it", async (t) => {
  const folder = join(tempFolder(t), "deep", "state");
  await prepareFolder(folder);
  t.equal(statSync(folder).mode & 0o777, 0o700);
  chmodSync(folder, 0o750);
  await t.rejects(prepareFolder(folder), { code: "PINYON_STATE", message: new RegExp(`chmod 700 ${folder}`) });
});

t.test("a file in the folder's place, and a path too long for a socket, are refused", async (t) => {
  const folder = tempFolder(t);
  writeFileSync(join(folder, "file"), "");
  await t.rejects(prepareFolder(join(folder, "file")), { code: "PINYON_STATE", message: /not a folder/ });
  await t.rejects(prepareFolder(join(folder, "x".repeat(100))), { code: "PINYON_STATE", message: /too long/ });
});

t.test("a folder in which this user may not write is said so", async (t) => {
  const folder = tempFolder(t);
  chmodSync(folder, 0o500);
  const asNobody = process.getuid?.() === 0;
  if (asNobody) {
    chownSync(folder, 65_534, 65_534);
    process.seteuid?.(65_534);
    t.teardown(() => process.seteuid?.(0));
  }
  const refused = {
    code: "PINYON_STATE",
    message: new RegExp(`${folder}: cannot be used .*EACCES.*choose another one`),
  };
  await t.rejects(lockStateFolder(folder), refused);
  await t.rejects(initNode(folder, join(folder, "pinyon.yaml")), refused);
});

t.test("a key is kept in one line, read back, and never overwritten", async (t) => {
  const folder = tempFolder(t);
  t.equal(await readKey(folder), undefined);
  const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
  await createKey(folder, seed);
  t.equal(statSync(keyPath(folder)).mode & 0o777, 0o600);
  t.match(readFileSync(keyPath(folder), "utf8"), /^ed25519 pinyon [A-Za-z0-9+/]{43}\n$/);
  t.same(await readKey(folder), seed);
  await t.rejects(createKey(folder, new Uint8Array(32)), { code: "PINYON_EXISTS" });
  t.same(await readKey(folder), seed);
  t.same(readdirSync(folder), ["key"], "no temporary file is left");
});

t.test("a key that is damaged, or open to others, is refused and stays where it is", async (t) => {
  const folder = tempFolder(t);
  await createKey(folder, new Uint8Array(32).fill(7));
  const good = readFileSync(keyPath(folder), "utf8");
  chmodSync(keyPath(folder), 0o640);
  await t.rejects(readKey(folder), { code: "PINYON_KEY", message: /mode 0640.*chmod 600/ });
  chmodSync(keyPath(folder), 0o600);
  // Cut, empty, bits set after the last of the seed, another kind.
  for (const text of [good.slice(0, 30), "", good.replace(/.\n$/, "B\n"), good.replace("ed25519", "rsa")]) {
    writeFileSync(keyPath(folder), text);
    await t.rejects(readKey(folder), { code: "PINYON_KEY", message: /damaged/ });
    t.equal(readFileSync(keyPath(folder), "utf8"), text);
  }
});

t.test("one process a folder: the second is told who has it", async (t) => {
  const folder = tempFolder(t);
  const first = await child("lock", folder);
  t.throws(() => lockFolder(folder), { code: "PINYON_LOCKED", message: new RegExp(`process ${first.pid} `) });
  await killed(first);
  const free = lockFolder(folder);
  t.equal(readdirSync(folder).length, 1, "the dead process's flag is gone");
  t.throws(() => lockFolder(folder), { code: "PINYON_LOCKED" }, "nor does the same process take it twice");
  free();
  t.same(readdirSync(folder), []);
});

t.test("a flag of a process whose pid was given to another is stale", async (t) => {
  const folder = tempFolder(t);
  writeFileSync(join(folder, `lock.${process.ppid}.1`), "");
  lockFolder(folder)();
  t.same(readdirSync(folder), []);
});

t.test("of many that start at once at most one gets the folder", async (t) => {
  const folder = tempFolder(t);
  const children = await Promise.all(Array.from({ length: 4 }, () => child("race", folder)));
  const answers = children.map(async (process) => (await once(process, "message"))[0] as string);
  for (const process of children) process.send("go");
  const got = await Promise.all(answers);
  t.ok(got.filter((answer) => answer === "locked").length <= 1, got.join(" "));
  t.ok(got.every((answer) => answer === "locked" || answer === "PINYON_LOCKED"));
  await Promise.all(children.map(killed));
  lockFolder(folder)();
});

t.test("a writer killed at any moment leaves the old content or the new, whole", async (t) => {
  const folder = tempFolder(t);
  for (let round = 0; round < 5; round++) {
    const writer = await child("write", folder);
    await new Promise((resolve) => setTimeout(resolve, 7 * round));
    await killed(writer);
    t.match(readFileSync(join(folder, "file"), "utf8"), /^(.)\1{99999}$/);
  }
  (await lockStateFolder(folder))();
  t.same(readdirSync(folder), ["file"], "what the killed writers left is cleared at the next start");
});

t.test("a file is created once", async (t) => {
  const folder = tempFolder(t);
  await createAtomic(join(folder, "a"), "one");
  await t.rejects(createAtomic(join(folder, "a"), "two"), { code: "EEXIST" });
  await writeAtomic(join(folder, "a"), "three");
  t.equal(readFileSync(join(folder, "a"), "utf8"), "three");
  t.same(readdirSync(folder), ["a"]);
});

t.test("a kept value outlives the process; of many saved at once the last is kept", async (t) => {
  const folder = tempFolder(t);
  const schema = z.object({ epoch: z.number() });
  const kept = () => new KeptFile(join(folder, "epoch"), schema, { epoch: 0 }, (text) => t.fail(text));
  const first = kept();
  t.same(await first.load(), { epoch: 0 });
  for (let epoch = 1; epoch <= 100; epoch++) first.save({ epoch });
  await first.written();
  t.same(await kept().load(), { epoch: 100 });
});

t.test("a damaged kept file is moved aside and said; one that cannot be read or written is said", async (t) => {
  const folder = tempFolder(t);
  const warnings: string[] = [];
  const kept = new KeptFile(join(folder, "peers"), z.array(z.string()), [], (text) => warnings.push(text));
  for (const text of ["", "[1]", '["a"', "\u0000"]) {
    writeFileSync(kept.path, text);
    t.same(await kept.load(), []);
    t.match(warnings.pop(), /peers: damaged; moved to .*peers\.damaged-\d+/);
  }
  t.ok(readdirSync(folder).every((name) => name.startsWith("peers.damaged-")));
  mkdirSync(join(folder, "dir"));
  symlinkSync("dir", kept.path);
  t.same(await kept.load(), []);
  t.match(warnings.pop(), /cannot be read/);
  const lost = new KeptFile(join(folder, "none", "peers"), z.array(z.string()), [], (text) => warnings.push(text));
  lost.save(["a"]);
  await lost.written();
  t.match(warnings.pop(), /cannot be written/);
});
