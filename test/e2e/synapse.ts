import type { ChildProcess } from "node:child_process";
import { createHmac } from "node:crypto";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MatrixClient } from "./matrix-client.js";
import { whyPortTaken } from "./ports.js";
import { endProcess, hasEnded, spawnGroup } from "./processes.js";

/** Synapse takes 2 to 6 s to start, more where the machine is busy. */
const START_MS = 60_000;
const REGISTRATION_SECRET = "registration of the tests";
const LOG_LINES_QUOTED = 15;

/** What a homeserver under test has beside the configuration that connects it: read after that, so this wins. */
const FOR_TESTS = {
  registration_shared_secret: REGISTRATION_SECRET,
  allow_public_rooms_over_federation: true,
  presence: { enabled: true },
  max_upload_size: "600M",
  url_preview_enabled: false,
  rc_message: unlimited(),
  rc_registration: unlimited(),
  rc_login: { address: unlimited(), account: unlimited(), failed_attempts: unlimited() },
  rc_joins: { local: unlimited(), remote: unlimited() },
  rc_joins_per_room: unlimited(),
  rc_invites: { per_room: unlimited(), per_user: unlimited(), per_issuer: unlimited() },
  rc_room_creation: unlimited(),
  rc_federation: { window_size: 1000, sleep_limit: 100_000, sleep_delay: 1, reject_limit: 100_000, concurrent: 100 },
  rc_media_create: unlimited(),
  rc_key_requests: unlimited(),
  rc_presence: { per_user: unlimited() },
  remote_media_download_per_second: "2000M",
  remote_media_download_burst_count: "4000M",
};

function unlimited(): { per_second: number; burst_count: number } {
  return { per_second: 10_000, burst_count: 10_000 };
}

export interface SynapseOptions {
  /** The Python that has it: `installSynapse`. */
  readonly python: string;
  /** Holds `homeserver.yaml`, and takes the log. */
  readonly folder: string;
  /** The server name. */
  readonly name: string;
  /** A, B: for what tests print. */
  readonly label: string;
  /** The port of 127.0.0.1 that serves clients and federation. */
  readonly port: number;
  /** What the command begins with: where it runs. */
  readonly prefix?: readonly string[];
}

/** A Synapse in a process of its own. */
export class Synapse {
  readonly name: string;
  readonly label: string;
  readonly url: string;
  readonly folder: string;
  readonly logPath: string;
  process: ChildProcess | undefined;
  readonly #options: SynapseOptions;

  constructor(options: SynapseOptions) {
    const { folder, name, label, port } = options;
    this.#options = options;
    this.name = name;
    this.label = label;
    this.folder = folder;
    this.url = `http://127.0.0.1:${port}`;
    this.logPath = join(folder, "synapse.log");
    writeFileSync(join(folder, "tests.yaml"), JSON.stringify(FOR_TESTS));
  }

  /** Starts it and waits until it answers; throws with the end of its log where it does not. */
  async start(): Promise<void> {
    const { python, folder, port, prefix = [] } = this.#options;
    const why = await whyPortTaken(port);
    if (why !== undefined) throw new Error(`Synapse ${this.label}: ${why}`);
    const files = ["homeserver.yaml", "tests.yaml"].flatMap((file) => ["-c", join(folder, file)]);
    const [program = "", ...args] = [...prefix, python, "-m", "synapse.app.homeserver", ...files];
    const log = openSync(this.logPath, "a");
    this.process = spawnGroup(program, args, { cwd: folder, stdio: ["ignore", log, log] });
    closeSync(log);
    await this.#ready(this.process);
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

  /** Makes an account by the shared secret, and gives its client, which is logged in. */
  async register(user: string, password = user): Promise<MatrixClient> {
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

  async #ready(started: ChildProcess): Promise<void> {
    const endMs = performance.now() + START_MS;
    for (;;) {
      const isUp = await fetch(`${this.url}/health`)
        .then(({ ok }) => ok)
        .catch(() => false);
      if (isUp) return;
      const isLate = performance.now() > endMs;
      if (isLate || hasEnded(started)) {
        await this.kill();
        throw new Error(`Synapse ${this.label} ${isLate ? "does not answer" : "has ended"}:\n${this.lastLines()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
