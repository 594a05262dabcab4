import { writeFileSync } from "node:fs";
import { join } from "node:path";

export interface SynapseConfig {
  readonly folder: string;
  readonly name: string;
  /** The 32 bytes that the signing key is made of. */
  readonly seed: Uint8Array;
  readonly port: number;
  /** The port of 127.0.0.1 that takes the federation, and what it asks for. */
  readonly outbound: { readonly port: number; readonly secret: string };
}

/** Writes the least that makes a Synapse on SQLite whose federation all goes through one local port. */
export function writeSynapseConfig({ folder, name, seed, port, outbound }: SynapseConfig): void {
  const signingKey = Buffer.from(seed).toString("base64").replace(/=+$/, "");
  writeFileSync(join(folder, "signing.key"), `ed25519 pinyon ${signingKey}\n`, { mode: 0o600 });
  const config = {
    server_name: name,
    signing_key_path: join(folder, "signing.key"),
    report_stats: false,
    listeners: [
      {
        port,
        bind_addresses: ["127.0.0.1"],
        type: "http",
        x_forwarded: true,
        resources: [{ names: ["client", "federation"] }],
      },
    ],
    database: { name: "sqlite3", args: { database: join(folder, "homeserver.db") } },
    media_store_path: join(folder, "media"),
    macaroon_secret_key: `macaroons of ${name}`,
    trusted_key_servers: [],
    suppress_key_server_warning: true,
    instance_map: { overlay: { host: "127.0.0.1", port: outbound.port } },
    outbound_federation_restricted_to: ["overlay"],
    worker_replication_secret: outbound.secret,
    key_refresh_interval: "30d",
    federation: {
      max_long_retry_delay: "5s",
      max_long_retries: 720,
      destination_min_retry_interval: "30s",
      destination_max_retry_interval: "5m",
    },
  };
  writeFileSync(join(folder, "homeserver.yaml"), JSON.stringify(config, undefined, 2));
}
