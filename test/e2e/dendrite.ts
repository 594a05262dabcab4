import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { parseDocument } from "yaml";
import { Homeserver, type HomeserverOptions, REGISTRATION_SECRET, type Start } from "./homeserver.js";

/** What a homeserver under test has beside the configuration that connects it. */
export const DENDRITE_FOR_TESTS: readonly (readonly [path: readonly string[], value: unknown])[] = [
  [["client_api", "registration_shared_secret"], REGISTRATION_SECRET],
  [["client_api", "rate_limiting", "enabled"], false],
  [["media_api", "max_file_size_bytes"], 100_000_000],
  [["logging"], [{ type: "std", level: "info" }]],
];

export interface DendriteOptions extends HomeserverOptions {
  /** The program: `installDendrite`. */
  readonly program: string;
}

/** A Dendrite; its folder holds `dendrite.yaml`, and `pinyon.env` with what it is to be started with. */
export class Dendrite extends Homeserver {
  readonly #command: readonly string[];
  readonly #env: Readonly<Record<string, string>>;

  constructor(options: DendriteOptions) {
    super(options);
    const { program, port } = options;
    // It takes one file, not several as Synapse does.
    const config = parseDocument(readFileSync(join(this.folder, "dendrite.yaml"), "utf8"));
    for (const [path, value] of DENDRITE_FOR_TESTS) config.setIn(path, value);
    const file = join(this.folder, "tests.yaml");
    writeFileSync(file, config.toString());
    this.#command = [program, "-config", file, "-http-bind-address", `127.0.0.1:${port}`];
    this.#env = parseEnv(readFileSync(join(this.folder, "pinyon.env"), "utf8")) as Record<string, string>;
  }

  protected override startBy(): Start {
    return { command: this.#command, env: this.#env, healthPath: "/_dendrite/monitor/health" };
  }
}
