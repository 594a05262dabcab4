import { existsSync } from "node:fs";
import { isCredential } from "../daemon/config.js";
import type { Endpoint } from "../daemon/endpoint.js";
import { keyPath } from "../daemon/key-file.js";
import { BACKUP_SUFFIX } from "./apply.js";
import type { ConfigFile } from "./config-file.js";
import { HomeserverCode, homeserverError } from "./errors.js";
import { besideFile, isMapping, notOf, ownName, requireKey } from "./examine.js";
import type { Found, Homeserver } from "./homeserver.js";
import type { OwnNode } from "./own-node.js";
import { shellWord } from "./shell.js";
import { signingSeed } from "./synapse-key.js";
import { newSynapse } from "./synapse-new.js";
import { INSTANCE, instanceEndpoint, synapseSettings } from "./synapse-settings.js";
import { readText } from "./text-file.js";
import type { YamlMapping } from "./yaml-edit.js";

export const SYNAPSE: Homeserver = {
  kind: "synapse",
  configName: "homeserver.yaml",
  // As Debian's packages start it.
  laterFolder: "conf.d",
  takesSocket: true,
  fastRetries: true,
  examine,
  settings: (join, values) =>
    synapseSettings(join).filter(
      ({ path: [key] }) => key !== "worker_replication_secret" || !("worker_replication_secret_path" in values),
    ),
  companions: () => new Map(),
  make: newSynapse,
  restart: () => "start Synapse again, its workers as well",
  commands: (folder, config, url) => [
    `python3 -m venv ${folder}/venv && ${folder}/venv/bin/pip install matrix-synapse   # where Synapse is not installed`,
    `${folder}/venv/bin/synapse_homeserver --config-path ${config} --daemonize`,
    `${folder}/venv/bin/register_new_matrix_user --config ${config} ${url}`,
  ],
};

async function examine(file: ConfigFile, node: OwnNode): Promise<Found> {
  const { values } = file;
  const name = values["server_name"];
  if (typeof name !== "string") throw notOf("synapse", file);
  refuseWorkerFile(file);
  const own = ownName(file, name, node);
  const listen = wayOut(file);
  // Under a name of its own it signs with a key of its own.
  if (own === undefined) await requireSigningKey(file, name, node);
  const notes = own === undefined ? [] : trustNotes(file);
  return { name: own, url: findListener(file), listen, secret: await replicationSecret(file), notes };
}

/** What its file says of certificates of others, which the node looks at from now on. */
function trustNotes({ path, values }: ConfigFile): string[] {
  const notes: string[] = [];
  const authorities = values["federation_custom_ca_list"];
  if (Array.isArray(authorities) && authorities.length > 0) {
    notes.push(
      `start the node with NODE_EXTRA_CA_CERTS set to a file with the certificates of ${authorities.join(", ")}: the node checks those of other servers, and \`federation_custom_ca_list\` of ${path} has no effect`,
    );
  }
  const exceptions = values["federation_certificate_verification_whitelist"];
  const isLax = values["federation_verify_certificates"] === false;
  if (isLax || (Array.isArray(exceptions) && exceptions.length > 0)) {
    notes.push(
      `servers without a valid certificate cannot be reached: the node makes no exceptions, whatever ${path} says`,
    );
  }
  return notes;
}

/** A worker's own file is read after the common one and overrides it, so that the settings would be made for that worker alone. */
function refuseWorkerFile({ path, values }: ConfigFile): void {
  if (!("worker_app" in values)) return;
  throw homeserverError(
    HomeserverCode.WORKERS,
    `${path}: this is the file of one worker (\`worker_app\`): name the homeserver.yaml that all of them share`,
  );
}

/**
 * Where the file hands its federation to a node already: what `connect --new` made stays as it is after `disconnect`, and may be
 * connected again. Throws where its way out is another one, or there is a copy to put back.
 */
function wayOut({ path, values }: ConfigFile): Endpoint | undefined {
  const found = values["outbound_federation_restricted_to"];
  const instances = values["instance_map"] ?? undefined;
  const isRestricted = Array.isArray(found) && found.length > 0;
  const isOurs = isRestricted && found.length === 1 && found[0] === INSTANCE;
  if (isRestricted && !isOurs) {
    throw homeserverError(
      HomeserverCode.WORKERS,
      `${path}: \`outbound_federation_restricted_to\` is ${JSON.stringify(found)}, and there can be one way out only: let this node take the place of those workers: delete that line, and their \`federation_sender_instances\` may stay`,
    );
  }
  if (instances !== undefined && !isMapping(instances)) throw unmerged(path, "`instance_map` is no mapping");
  const instance = instances?.[INSTANCE];
  if (!isOurs) {
    if (instance === undefined) return undefined;
    throw unmerged(path, `\`instance_map\` has an instance \`${INSTANCE}\` already: rename it`);
  }
  if (existsSync(path + BACKUP_SUFFIX)) {
    throw homeserverError(
      HomeserverCode.CONNECTED,
      `${path}: it hands its federation to a node already: \`disconnect\` it with that node's --state, or put its copy (*${BACKUP_SUFFIX}) back`,
    );
  }
  return instanceEndpoint(instance);
}

function unmerged(path: string, why: string): Error {
  return homeserverError(HomeserverCode.WORKERS, `${path}: ${why}`);
}

/** The secret that workers show each other is the daemon's too: Synapse has one for all. */
async function replicationSecret(file: ConfigFile): Promise<string | undefined> {
  const { path, values } = file;
  const inline = values["worker_replication_secret"];
  const secretPath = values["worker_replication_secret_path"];
  if (inline === undefined || inline === null || inline === "") {
    if (typeof secretPath !== "string") return undefined;
    const { text } = await readText(besideFile(file, secretPath));
    return requireSecret(path, "worker_replication_secret_path", text.trim());
  }
  return requireSecret(path, "worker_replication_secret", inline);
}

function requireSecret(path: string, key: string, secret: unknown): string {
  if (typeof secret === "string" && isCredential(secret)) return secret;
  throw unmerged(
    path,
    `\`${key}\` is no text of at least 16 characters of ASCII without spaces, and the node would have to take it as its own: choose another one for all workers`,
  );
}

async function requireSigningKey(file: ConfigFile, name: string, node: OwnNode): Promise<void> {
  const { path, values } = file;
  const inline = values["signing_key"];
  if (typeof inline === "string") {
    const seed = signingSeed(inline);
    if (seed !== undefined && Buffer.compare(seed, node.seed) === 0) return;
    throw homeserverError(
      HomeserverCode.KEY,
      `${path}: \`signing_key\` is not this node's key, which the name says signs: put the line of ${keyPath(node.folder)} there`,
    );
  }
  const found = values["signing_key_path"];
  const keyFile = besideFile(file, typeof found === "string" ? found : `${name}.signing.key`);
  await requireKey(keyFile, signingSeed, node, `\`cp ${shellWord(keyPath(node.folder))} ${shellWord(keyFile)}\``);
}

/** The plain HTTP listener with the resource `federation`, the nearest if there are several. */
function findListener({ path, values }: ConfigFile): Endpoint {
  const listeners = Array.isArray(values["listeners"]) ? values["listeners"].filter(isMapping) : [];
  const endpoints = listeners.filter(isFederationListener).flatMap(endpointsOf);
  const [found] = endpoints.sort((one, other) => distance(one) - distance(other));
  if (found !== undefined) return found;
  throw homeserverError(
    HomeserverCode.LISTENER,
    `${path}: no listener takes what the node hands in: expected one of plain HTTP with the resource \`federation\`: add to \`listeners\`:
  - port: 8008
    bind_addresses: ["127.0.0.1"]
    type: http
    tls: false
    x_forwarded: true
    resources:
      - names: [client, federation]`,
  );
}

function isFederationListener(listener: YamlMapping): boolean {
  const resources = Array.isArray(listener["resources"]) ? listener["resources"].filter(isMapping) : [];
  const names = resources.flatMap(({ names }) => names);
  return listener["type"] === "http" && listener["tls"] !== true && names.includes("federation");
}

function endpointsOf(listener: YamlMapping): Endpoint[] {
  const { path, port, bind_address: one, bind_addresses: many } = listener;
  if (typeof path === "string") return [{ path }];
  if (typeof port !== "number") return [];
  const addresses = [...(Array.isArray(many) ? many : []), one].filter(
    (host) => typeof host === "string" && host !== "",
  );
  return (addresses.length === 0 ? ["0.0.0.0"] : (addresses as string[])).map((host) => ({
    host: reachable(host),
    port,
  }));
}

/** The address at which this machine reaches a listener of every address. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

/** Nearest is what every machine has. Synapse's own examples bind `::1` first, and go on without it where there is no IPv6. */
function distance(endpoint: Endpoint): number {
  if ("path" in endpoint || endpoint.host === "localhost" || endpoint.host.startsWith("127.")) return 0;
  return endpoint.host === "::1" ? 1 : 2;
}
