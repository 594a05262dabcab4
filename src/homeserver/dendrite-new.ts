import { join } from "node:path";
import { unpaddedBase64 } from "../federation/signing.js";
import { keyPem } from "./dendrite-key.js";
import type { NewFiles, NewOptions } from "./homeserver.js";
import { flow } from "./yaml-edit.js";

/** Sections with a database each: only PostgreSQL takes one for all. */
const COMPONENTS = ["federation_api", "key_server", "mscs", "relay_api", "room_server", "sync_api"];

/** A complete minimal configuration of Dendrite: SQLite, NATS inside, all files in one folder. */
export function newDendrite({ folder, node: { name, seed }, secret }: NewOptions): NewFiles {
  const inFolder = (file: string) => flow(join(folder, file));
  const database = (section: string) => flow(`file:${join(folder, `${section}.db`)}`);
  const registration = secret();
  const config = `# Dendrite, the homeserver of a Pinyon node; made by \`pinyon homeserver connect dendrite --new\`.
# Every setting: https://github.com/matrix-org/dendrite/blob/main/dendrite-sample.yaml
version: 2

global:
  # The node's name. It is signed into every event: never change it.
  server_name: ${flow(name)}
  # The node's key; whoever has it is this server.
  private_key: ${inFolder("matrix_key.pem")}
  jetstream:
    storage_path: ${inFolder("jetstream")}
  presence:
    enable_inbound: true
    enable_outbound: true

client_api:
  registration_disabled: true
  registration_shared_secret: "${registration}"

media_api:
  base_path: ${inFolder("media")}
  database:
    connection_string: ${database("media_api")}

user_api:
  account_database:
    connection_string: ${database("user_api")}

${COMPONENTS.map((section) => `${section}:\n  database:\n    connection_string: ${database(section)}\n`).join("\n")}
logging:
  - type: file
    level: info
    params:
      path: ${inFolder("log")}
`;
  return { config, others: new Map([["matrix_key.pem", keyPem(seed)]]), secrets: [unpaddedBase64(seed)] };
}
