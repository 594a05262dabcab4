import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { defaultConfig } from "../../../src/daemon/config.js";
import { newDendrite } from "../../../src/homeserver/dendrite-new.js";
import { DENDRITE_FOR_TESTS, type DendriteOptions } from "../dendrite.js";
import { Homeserver, type Start } from "../homeserver.js";
import type { CertificateFiles } from "./small-internet.js";

/** A Dendrite of the classic federation, which ends TLS itself. */
export class ClassicDendrite extends Homeserver {
  readonly #command: readonly string[];

  /** `folder` is there and empty. */
  constructor(options: DendriteOptions, tls: CertificateFiles) {
    super(options);
    const { folder, name, program, port } = options;
    const node = { folder, configFile: "", config: defaultConfig(), name, seed: randomBytes(32) };
    const { config, others } = newDendrite({ folder, port, node, secret: () => randomBytes(16).toString("hex") });
    const settings = parseDocument(config);
    for (const [path, value] of DENDRITE_FOR_TESTS) settings.setIn(path, value);
    const file = join(folder, "dendrite.yaml");
    for (const [name, text] of others) writeFileSync(join(folder, name), text);
    writeFileSync(file, settings.toString());
    const http = ["-http-bind-address", `0.0.0.0:${port}`];
    const https = ["-https-bind-address", "0.0.0.0:8448", "-tls-cert", tls.certificate, "-tls-key", tls.key];
    this.#command = [program, "-config", file, ...http, ...https];
  }

  protected override startBy(): Start {
    return { command: this.#command, healthPath: "/_dendrite/monitor/health" };
  }
}
