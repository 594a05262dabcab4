import { dirname, join } from "node:path";
import { keyPath } from "../daemon/key-file.js";
import type { ConfigFile } from "./config-file.js";
import { keyPemCommand, pemSeed } from "./dendrite-key.js";
import { newDendrite } from "./dendrite-new.js";
import { DENDRITE_ENVIRONMENT, dendriteEnvironment, dendriteSettings } from "./dendrite-settings.js";
import { HomeserverCode, homeserverError } from "./errors.js";
import { besideFile, isMapping, notOf, ownName, requireKey } from "./examine.js";
import type { Found, Homeserver } from "./homeserver.js";
import type { OwnNode } from "./own-node.js";
import { shellWord } from "./shell.js";

export const DENDRITE: Homeserver = {
  kind: "dendrite",
  configName: "dendrite.yaml",
  laterFolder: undefined,
  takesSocket: false,
  fastRetries: false,
  examine,
  settings: dendriteSettings,
  companions: (meeting, { folder }) => new Map([[DENDRITE_ENVIRONMENT, dendriteEnvironment(folder, meeting)]]),
  make: newDendrite,
  restart: (config) =>
    `start Dendrite again with the variables of ${join(dirname(config), DENDRITE_ENVIRONMENT)}: \`EnvironmentFile=\` in its systemd unit`,
  commands: (folder, config, url) => [
    `(set -a; . ${folder}/${DENDRITE_ENVIRONMENT}; exec dendrite --config ${config} --http-bind-address ${url.slice("http://".length)})`,
    `create-account --config ${config} --url ${url} --username NAME`,
  ],
};

/** Its listener stands on its command line, not in its file. */
async function examine(file: ConfigFile, node: OwnNode): Promise<Found> {
  const { path, values } = file;
  const global = values["global"];
  if (!isMapping(global) || typeof global["server_name"] !== "string") throw notOf("dendrite", file);
  const name = ownName(file, global["server_name"], node);
  if (global["disable_federation"] === true) {
    throw homeserverError(HomeserverCode.LISTENER, `${path}: \`global.disable_federation\` is true: set it to false`);
  }
  const found = { name, url: undefined, listen: undefined, secret: undefined, notes: [] };
  // Under a name of its own it signs with a key of its own.
  if (name !== undefined) return found;
  const key = global["private_key"];
  const keyFile = besideFile(file, typeof key === "string" ? key : "matrix_key.pem");
  await requireKey(keyFile, pemSeed, node, `\`${keyPemCommand(keyPath(node.folder))} > ${shellWord(keyFile)}\``);
  return found;
}
