import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemCode } from "../daemon/errors.js";
import { HomeserverCode, homeserverError } from "./errors.js";
import type { Homeserver } from "./homeserver.js";
import { readText, type TextFile } from "./text-file.js";
import { readYaml, type Setting, type YamlMapping } from "./yaml-edit.js";

/** A homeserver's configuration, read. */
export interface ConfigFile {
  /** The file that is named, and edited. */
  readonly path: string;
  readonly text: TextFile;
  /** What all its files say. */
  readonly values: YamlMapping;
  /** By a top-level key, the other file that it stands in, which is read after the one that is named and so wins. */
  readonly later: ReadonlyMap<string, string>;
}

/** Reads a configuration. Throws `PINYON_HOMESERVER_FILE`. */
export async function readConfigFile({ laterFolder }: Homeserver, path: string): Promise<ConfigFile> {
  const text = await readText(path);
  const values = { ...readValues(text) };
  const later = new Map<string, string>();
  const folder = laterFolder === undefined ? undefined : join(dirname(text.path), laterFolder);
  for (const name of folder === undefined ? [] : await yamlFiles(folder)) {
    const file = join(folder!, name);
    const own = readValues(await readText(file));
    Object.assign(values, own);
    for (const key of Object.keys(own)) later.set(key, file);
  }
  return { path: text.path, text, values, later };
}

/** Throws `PINYON_HOMESERVER_FILE` where a setting would be made in vain, because another file wins. */
export function refuseLater({ path, later }: ConfigFile, settings: readonly Setting[]): void {
  for (const {
    path: [key],
  } of settings) {
    const file = later.get(key);
    if (file === undefined) continue;
    const why = `\`${key}\` stands here and is read after ${path}: move it there`;
    throw homeserverError(HomeserverCode.FILE, `${file}: ${why}`);
  }
}

function readValues({ path, text }: TextFile): YamlMapping {
  try {
    return readYaml(text);
  } catch (error) {
    const why = (error as Error).message;
    throw homeserverError(HomeserverCode.FILE, `${path}: it cannot be read as YAML: ${why}`, { cause: error });
  }
}

/** In the order in which they are read. */
async function yamlFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith(".yaml")).sort();
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return [];
    throw homeserverError(HomeserverCode.FILE, `${folder}: ${(error as Error).message}`, { cause: error });
  }
}
