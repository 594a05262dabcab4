import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { BARE_NODE } from "../../daemon/bare-node.js";
import type { Owner } from "../mesh.js";
import { endProcess, spawnGroup } from "../processes.js";
import type { Host } from "./hosts.js";

/** Where a connection is to lead. */
export interface Outlook {
  readonly host: string;
  readonly port: number;
}

/**
 * How a test reaches the machines: a process on one of them, which has listening sockets of this machine's loopback. So this machine has no
 * card in their networks, and nothing of its own is changed.
 */
export class Window {
  private constructor(private readonly child: ChildProcess) {}

  static open(owner: Owner, host: Host): Window {
    const [program = "", ...args] = [
      ...host.prefix,
      ...BARE_NODE,
      fileURLToPath(new URL("window-process.js", import.meta.url)),
    ];
    const child = spawnGroup(program, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    owner.teardown(() => endProcess(child, "SIGKILL"));
    return new Window(child);
  }

  /** The URL on this machine by which plain HTTP leads there. */
  async url(outlook: Outlook): Promise<string> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    await new Promise<void>((resolve, reject) => {
      this.child.send(outlook, server, (error) => (error === null ? resolve() : reject(error)));
    });
    const [answer] = (await once(this.child, "message")) as [Outlook];
    if (answer.port !== outlook.port) throw new Error("the window answered another question");
    server.close();
    return `http://127.0.0.1:${port}`;
  }
}
