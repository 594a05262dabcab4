import type { ChildProcess } from "node:child_process";
import { createHmac } from "node:crypto";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MatrixClient } from "./matrix-client.js";
import { whyPortTaken } from "./ports.js";
import { endProcess, hasEnded, spawnGroup } from "./processes.js";

/** Synapse takes 2 to 6 s to start, more where the machine is busy. */
const START_MS = 60_000;
const LOG_LINES_QUOTED = 15;

/** What a homeserver that tests run has set, so that they may register accounts. */
export const REGISTRATION_SECRET = "registration of the tests";

export interface HomeserverOptions {
  /** Holds its configuration, and takes its log. */
  readonly folder: string;
  /** The server name. */
  readonly name: string;
  /** A, B: for what tests print. */
  readonly label: string;
  /** The port of 127.0.0.1 that serves clients and federation. */
  readonly port: number;
  /** What the command begins with: where it runs. */
  readonly prefix?: readonly string[];
  /** By which clients of this machine reach it, where that is not the port. */
  readonly url?: string;
  /** Beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How a homeserver is started and asked whether it is up. */
export interface Start {
  readonly command: readonly string[];
  /** Beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly healthPath: string;
}

/** A homeserver in a process of its own. */
export abstract class Homeserver {
  readonly name: string;
  readonly label: string;
  readonly url: string;
  readonly folder: string;
  readonly logPath: string;
  process: ChildProcess | undefined;

  constructor(private readonly options: HomeserverOptions) {
    const { folder, name, label, port, url } = options;
    this.name = name;
    this.label = label;
    this.folder = folder;
    this.url = url ?? `http://127.0.0.1:${port}`;
    this.logPath = join(folder, "homeserver.log");
  }

  protected abstract startBy(): Start;

  /** Starts it and waits until it answers; throws with the end of its log where it does not. */
  async start(): Promise<void> {
    const { folder, port, url, prefix = [] } = this.options;
    const why = url === undefined ? await whyPortTaken(port) : undefined;
    if (why !== undefined) throw new Error(`${this.label}: ${why}`);
    const { command, env, healthPath } = this.startBy();
    const [program = "", ...args] = [...prefix, ...command];
    const log = openSync(this.logPath, "a");
    const stdio = ["ignore" as const, log, log];
    this.process = spawnGroup(program, args, {
      cwd: folder,
      stdio,
      env: { ...process.env, ...this.options.env, ...env },
    });
    closeSync(log);
    await this.#ready(this.process, healthPath);
  }

  /** Ends it as an operator does. */
  async stop(): Promise<void> {
    await endProcess(this.process, "SIGTERM");
  }

  /** Ends it in mid-work. */
  async kill(): Promise<void> {
    await endProcess(this.process, "SIGKILL");
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Makes an account by the shared secret, and gives its client, which is logged in. Dendrite wants a password of 8 characters. */
  async register(user: string, password = `${user}-${user}`): Promise<MatrixClient> {
    const path = "/_synapse/admin/v1/register";
    const anyone = new MatrixClient({ url: this.url, label: this.label });
    const { nonce } = await anyone.request<{ nonce: string }>("GET", path);
    const signed = [nonce, user, password, "notadmin"].join("\0");
    const mac = createHmac("sha1", REGISTRATION_SECRET).update(signed).digest("hex");
    const body = { nonce, username: user, password, admin: false, mac };
    return anyone.loggedIn(await anyone.request("POST", path, { body }));
  }

  /** The end of its log. */
  lastLines(): string {
    return readFileSync(this.logPath, "utf8").trimEnd().split("\n").slice(-LOG_LINES_QUOTED).join("\n");
  }

  async #ready(started: ChildProcess, healthPath: string): Promise<void> {
    const endMs = performance.now() + START_MS;
    for (;;) {
      const isUp = await fetch(this.url + healthPath)
        .then(({ ok }) => ok)
        .catch(() => false);
      if (isUp) return;
      const isLate = performance.now() > endMs;
      if (isLate || hasEnded(started)) {
        await this.kill();
        throw new Error(`${this.label} ${isLate ? "does not answer" : "has ended"}:\n${this.lastLines()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
