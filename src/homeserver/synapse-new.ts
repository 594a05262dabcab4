import { join } from "node:path";
import { unpaddedBase64 } from "../federation/signing.js";
import type { NewFiles, NewOptions } from "./homeserver.js";
import { signingKeyLine } from "./synapse-key.js";
import { flow } from "./yaml-edit.js";

/** A complete minimal configuration: SQLite, one listener on loopback for clients and federation, all files in one folder. */
export function newSynapse({ folder, port, node: { name, seed }, secret }: NewOptions): NewFiles {
  const inFolder = (file: string) => flow(join(folder, file));
  const [registration, macaroons, forms] = [secret(), secret(), secret()];
  const config = `# Synapse, the homeserver of a Pinyon node; made by \`pinyon homeserver connect synapse --new\`.
# Every setting: https://element-hq.github.io/synapse/latest/usage/configuration/config_documentation.html

# The node's name. It is signed into every event: never change it.
server_name: ${flow(name)}
# The node's key; whoever has it is this server.
signing_key_path: ${inFolder("signing.key")}
public_baseurl: "http://127.0.0.1:${port}/"
report_stats: false

listeners:
  # For clients on this machine, or a reverse proxy, and for the node, which hands in what other servers send.
  - port: ${port}
    bind_addresses: ["127.0.0.1"]
    type: http
    tls: false
    x_forwarded: true
    resources:
      - names: [client, federation]

database:
  name: sqlite3
  args:
    database: ${inFolder("homeserver.db")}
media_store_path: ${inFolder("media")}
log_config: ${inFolder("log.yaml")}
pid_file: ${inFolder("homeserver.pid")}

registration_shared_secret: "${registration}"
macaroon_secret_key: "${macaroons}"
form_secret: "${forms}"

`;
  return {
    config,
    others: new Map([
      ["log.yaml", logConfig(inFolder("homeserver.log"))],
      ["signing.key", signingKeyLine(seed)],
    ]),
    secrets: [unpaddedBase64(seed)],
  };
}

function logConfig(file: string): string {
  return `version: 1
formatters:
  precise:
    format: "%(asctime)s - %(name)s - %(lineno)d - %(levelname)s - %(request)s - %(message)s"
handlers:
  file:
    class: logging.handlers.TimedRotatingFileHandler
    formatter: precise
    filename: ${file}
    when: midnight
    backupCount: 3
    encoding: utf8
root:
  level: INFO
  handlers: [file]
disable_existing_loggers: false
`;
}
