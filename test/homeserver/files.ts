import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import { initNode } from "../../src/daemon/init.js";
import { unpaddedBase64 } from "../../src/federation/signing.js";
import type { JoinOptions } from "../../src/homeserver/connect.js";
import { planConnect, planNew } from "../../src/homeserver/connect.js";
import { HOMESERVERS } from "../../src/homeserver/homeservers.js";
import type { Kind } from "../../src/homeserver/kind.js";
import { readOwnNode } from "../../src/homeserver/own-node.js";
import { tempFolder } from "../daemon/temp-folder.js";

/** A node that `pinyon init` made, and a folder for the files of a homeserver. */
export class Place {
  private constructor(
    readonly state: string,
    readonly folder: string,
    readonly name: string,
  ) {}

  static async make(t: Test): Promise<Place> {
    const root = tempFolder(t);
    const state = join(root, "state");
    const folder = join(root, "homeserver");
    mkdirSync(folder);
    const { name } = await initNode(state, join(state, "pinyon.yaml"));
    return new Place(state, folder, name);
  }

  get config(): string {
    return join(this.state, "pinyon.yaml");
  }

  node() {
    return readOwnNode(this.state, this.config);
  }

  /** Writes a file of the homeserver and gives its path. */
  write(name: string, text: string | Uint8Array, mode = 0o644): string {
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode });
    return path;
  }

  /** The node's key where Synapse looks for its own. */
  async writeSigningKey(): Promise<void> {
    const { seed } = await this.node();
    this.write(`${this.name}.signing.key`, `ed25519 a_x ${unpaddedBase64(seed)}\n`);
  }

  async plan(kind: Kind, config: string, options: JoinOptions = {}) {
    return planConnect(HOMESERVERS[kind], await this.node(), config, options);
  }

  async planNew(kind: Kind, folder: string, options: JoinOptions = {}) {
    return planNew(HOMESERVERS[kind], await this.node(), folder, options);
  }

  /** Every file of both folders, with its mode: to be compared with a later look. */
  look(): Record<string, string> {
    return Object.fromEntries(
      [this.state, this.folder].flatMap((folder) =>
        readdirSync(folder).map((name) => {
          const path = join(folder, name);
          return [path, `${(statSync(path).mode & 0o777).toString(8)} ${readFileSync(path).toString("latin1")}`];
        }),
      ),
    );
  }
}

/** A configuration as Synapse's own generator and people after it leave one. */
export function synapseYaml(name: string, more = ""): string {
  return `# Configuration file for Synapse.
#
# This is a YAML file: see [1] for a quick introduction.
server_name: "${name}"
pid_file: /var/run/homeserver.pid
listeners:
  - port: 8008
    tls: false
    type: http
    x_forwarded: true
    bind_addresses: ['::1', '127.0.0.1']	# both
    resources:
      - names: [client, federation]
        compress: false
database:
  name: psycopg2
  args:
    user: synapse
    password: "quite secret, this one"
    cp_min: 5
    cp_max: 10
log_config: "/etc/matrix-synapse/log.yaml"
media_store_path: /var/lib/matrix-synapse/media
#registration_shared_secret: "off"
macaroon_secret_key: "also secret, that one"
report_stats: no   # YAML 1.1's word
trusted_key_servers:
  - server_name: "matrix.org"
${more}
# vim:ft=yaml
`;
}

export function dendriteYaml(name: string): string {
  return `# This is the Dendrite configuration file.
version: 2
global:
  # The domain name of this homeserver.
  server_name: ${name}
  private_key: matrix_key.pem
  key_validity_period: 168h0m0s
  database:
    connection_string: postgresql://dendrite:itsasecret@localhost/dendrite?sslmode=disable
federation_api:
  send_max_retries: 16
  disable_tls_validation: false
  # Perspective keyservers to use as a backup.
  key_perspectives:
    - server_name: matrix.org
      keys:
        - key_id: ed25519:auto
          public_key: Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw
  # This option will control whether Dendrite will prefer to look up keys directly
  prefer_direct_fetch: false
sync_api:
  real_ip_header: X-Real-IP
`;
}
