import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { Homeserver, type HomeserverOptions, REGISTRATION_SECRET, type Start } from "./homeserver.js";

/** What a homeserver under test has beside the configuration that connects it. */
const FOR_TESTS: readonly (readonly [path: readonly string[], value: unknown])[] = [
  [["client_api", "registration_shared_secret"], REGISTRATION_SECRET],
  [["client_api", "rate_limiting", "enabled"], false],
  [["media_api", "max_file_size_bytes"], 0],
];

export interface DendriteOptions extends HomeserverOptions {
  /** The program `dendrite`: `installDendrite`. */
  readonly program: string;
  /** The configuration, in `folder`. */
  readonly configFile: string;
  /** How it reaches its proxy, and what it trusts: `HTTPS_PROXY`, `SSL_CERT_FILE`. */
  readonly env: Readonly<Record<string, string>>;
}

/** A Dendrite with SQLite and its own NATS. */
export class Dendrite extends Homeserver {
  readonly #start: Start;

  constructor(options: DendriteOptions) {
    super(options);
    const { program, configFile, env, port } = options;
    // It reads one file, and takes relative paths from the folder that it runs in.
    const config = parseDocument(readFileSync(join(this.folder, configFile), "utf8"));
    for (const [path, value] of FOR_TESTS) config.setIn(path, value);
    writeFileSync(join(this.folder, "tests.yaml"), config.toString());
    const listen = ["-http-bind-address", `127.0.0.1:${port}`];
    this.#start = {
      command: [program, "-config", "tests.yaml", ...listen],
      env,
      healthPath: "/_dendrite/monitor/health",
    };
  }

  protected override startBy(): Start {
    return this.#start;
  }
}
