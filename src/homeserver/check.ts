import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { CheckStep } from "../federation/self-check.js";
import { readConfigFile } from "./config-file.js";
import { isMapping } from "./examine.js";
import type { Homeserver } from "./homeserver.js";
import type { OwnNode } from "./own-node.js";
import type { ConnectRecord } from "./record.js";
import { readText } from "./text-file.js";
import type { YamlMapping } from "./yaml-edit.js";

/** The first step of a check: do the files still say what `connect` wrote? */
export async function checkFiles(homeserver: Homeserver, node: OwnNode, { config }: ConnectRecord): Promise<CheckStep> {
  try {
    const file = await readConfigFile(homeserver, config);
    const { homeserver: join } = node.config;
    if (join === undefined) throw new Error(`${node.configFile}: \`homeserver\` is gone: ${AGAIN}`);
    for (const { path, value } of homeserver.settings(join, file.values)) {
      if (isDeepStrictEqual(valueAt(file.values, path), value)) continue;
      throw new Error(`${config}: \`${path.join(".")}\` is not what \`connect\` wrote: ${AGAIN}`);
    }
    await checkCompanions(homeserver, node, config);
    return { step: "files", ok: true, text: `${config} and ${node.configFile} agree` };
  } catch (error) {
    return { step: "files", ok: false, text: (error as Error).message };
  }
}

const AGAIN = "put that back, or `disconnect` and `connect` again";

async function checkCompanions(homeserver: Homeserver, node: OwnNode, config: string): Promise<void> {
  for (const [name, text] of homeserver.companions(node.config.homeserver!, node)) {
    const path = join(dirname(config), name);
    if ((await readText(path)).text !== text) throw new Error(`${path}: it is not as \`connect\` wrote it: ${AGAIN}`);
  }
}

function valueAt(values: YamlMapping, [key, child]: readonly [string] | readonly [string, string]): unknown {
  const value = values[key];
  if (child === undefined) return value;
  return isMapping(value) ? value[child] : undefined;
}
