import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import t, { type Test } from "tap";
import { NodeFolder } from "../cli/pinyon.js";
import { tempFolder } from "../daemon/temp-folder.js";
import { whyMissing } from "./programs.js";

const skip = whyMissing("systemd-notify", "python3");

/** A service manager's socket: says each notice in a line, and closes what comes with it, which lets the sender go on. */
const MANAGER = `
import os, socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
print("bound", flush=True)
while True:
    notice, files, _, _ = socket.recv_fds(manager, 4096, 8)
    for file in files: os.close(file)
    print(notice.decode().replace("\\n", " "), flush=True)
`;

/** The manager's socket, and the notices that came to it, in order. */
class Manager {
  readonly notices: string[] = [];

  private constructor(
    readonly path: string,
    private readonly lines: AsyncIterator<string>,
  ) {}

  static async listen(t: Test): Promise<Manager> {
    const path = join(tempFolder(t), "notify");
    const python = spawn("python3", ["-c", MANAGER, path], { stdio: ["ignore", "pipe", "inherit"] });
    t.teardown(async () => {
      python.kill();
      await once(python, "exit");
    });
    const lines = createInterface(python.stdout)[Symbol.asyncIterator]();
    await lines.next();
    return new Manager(path, lines);
  }

  /** Waits for a notice. */
  async until(notice: RegExp): Promise<string> {
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done) throw new Error(`no ${notice} among ${this.notices.join("; ")}`);
      // systemd-notify asks with these when its notice is read.
      if (value === "BARRIER=1") continue;
      this.notices.push(value);
      if (notice.test(value)) return value;
    }
  }
}

async function quietNode(t: Test, environment: Record<string, string>): Promise<NodeFolder> {
  const node = new NodeFolder(t, tempFolder(t), environment);
  await node.ask("init");
  node.configure();
  return node;
}

t.test("a service manager is told that the node is ready, that it lives, and that it stops", { skip }, async (t) => {
  const manager = await Manager.listen(t);
  const node = await quietNode(t, { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: "600000" });
  await node.run();
  await manager.until(/READY=1/);
  t.match(manager.notices[0], /^READY=1 STATUS=[a-z2-7]{52}\.pinyon\.alt: 0 links, 0 sessions$/, "first of all");
  await manager.until(/WATCHDOG=1/);
  t.match(await manager.until(/WATCHDOG=1/), /STATUS=.*: 0 links/, "again and again, with its status");
  const [code] = await Promise.all([node.end("SIGTERM"), manager.until(/STOPPING=1/)]);
  t.equal(code, 0);
  t.notMatch(node.stdout, "service manager", "nothing went wrong with it");
});

t.test("a watchdog that is another process's is not told", { skip }, async (t) => {
  const manager = await Manager.listen(t);
  const node = await quietNode(t, { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: "30000", WATCHDOG_PID: "1" });
  await node.run();
  await manager.until(/READY=1/);
  await Promise.all([node.end("SIGTERM"), manager.until(/STOPPING=1/)]);
  t.notMatch(manager.notices.join("\n"), "WATCHDOG");
});

t.test("without a service manager nobody is told, and one that cannot be told stops no node", async (t) => {
  const alone = await quietNode(t, { NOTIFY_SOCKET: "", WATCHDOG_USEC: "30000" });
  await alone.run();
  t.equal(await alone.end("SIGTERM"), 0);
  t.notMatch(alone.stdout, "service manager");

  const deaf = await quietNode(t, { NOTIFY_SOCKET: join(tempFolder(t), "nobody"), WATCHDOG_USEC: "" });
  await deaf.run();
  while (!deaf.stdout.includes("service manager")) await once(deaf.process!.stdout!, "data");
  t.match(deaf.stdout, /the service manager (was not|cannot be) told READY=1: .*systemd-notify/);
  t.equal(await deaf.end("SIGTERM"), 0);
});
