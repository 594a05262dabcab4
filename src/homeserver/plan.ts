import type { Config } from "../daemon/config.js";
import { parseConfig } from "../daemon/config-file.js";
import { formatEndpoint, formatHttpUrl } from "../daemon/endpoint.js";
import { HomeserverCode, homeserverError } from "./errors.js";
import type { Homeserver, Join } from "./homeserver.js";
import type { Kind } from "./kind.js";
import type { OwnNode } from "./own-node.js";
import { unifiedDiff } from "./text-diff.js";
import { readText, type TextFile } from "./text-file.js";
import { type Marks, type Setting, withSettings } from "./yaml-edit.js";

/** A file that is to change, and how. */
export interface FileChange {
  readonly path: string;
  /** Undefined: it is new. */
  readonly before: TextFile | undefined;
  readonly after: string;
}

/** A change of a text; undefined: the file is new, or goes. */
export interface ShownChange {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

const NOT_SHOWN = "(not shown)";
/** A key and its value, in a comment as well; of a value without quotes all to the end of the line. */
const SECRET_SETTING =
  /((?:secret|password|connection_string|signing_key)(?!\w*_path)\w*["']?[ \t]*:[ \t]+)(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s#].*)/g;
const URL_PASSWORD = /(:\/\/[^\s:@/]*:)[^\s@/]+(?=@)/g;

/** How a homeserver and a node are joined: what `connect` shows, and does with `--apply`. */
export interface Plan {
  readonly kind: Kind;
  /** The homeserver's configuration file. */
  readonly config: string;
  /** The folder of a homeserver made here; undefined for one that was there. */
  readonly newFolder: string | undefined;
  readonly files: readonly FileChange[];
  readonly join: Join;
  /** What a person must do beside that, in sentences. */
  readonly notes: readonly string[];
  /** What no output shows, wherever it stands. */
  readonly secrets: readonly string[];
}

const END = "End of what Pinyon wrote.";

/** The comment lines around what is added to a file that was there. */
export function marks(kind: Kind): Marks {
  const begin = `Written by \`pinyon homeserver connect ${kind}\`; \`pinyon homeserver disconnect ${kind}\` restores the file.`;
  return { begin, end: END };
}

/** The same in a file made here. */
export const NEW_MARKS: Marks = {
  begin: "All federation goes through the Pinyon node; docs/homeservers.md says why each line is there.",
  end: END,
};

/** The change of the node's own config file. Throws `PINYON_HOMESERVER_CONNECTED` where it has a homeserver. */
export async function nodeConfigChange(
  { config, configFile }: OwnNode,
  homeserver: Homeserver,
  join: Join,
): Promise<FileChange> {
  if (config.homeserver !== undefined) {
    throw homeserverError(
      HomeserverCode.CONNECTED,
      `${configFile}: \`homeserver\` is set already, and a node serves one homeserver: take it out first, or give the other homeserver a node of its own with --state`,
    );
  }
  const before = await readText(configFile);
  const settings = [...nodeSettings(homeserver, join), ...wayToClassic(config, join)];
  const after = editText(before.text, configFile, settings, marks(homeserver.kind));
  parseConfig(after, configFile);
  return { path: before.path, before, after };
}

/** What stands in pinyon.yaml. */
function nodeSettings({ fastRetries }: Homeserver, { name, url, listen, secret }: Join): Setting[] {
  const set = (key: string, value: string | boolean): Setting => ({ path: ["homeserver", key], value });
  return [
    ...(name === undefined ? [] : [set("name", name)]),
    set("url", formatHttpUrl(url)),
    set("listen", formatEndpoint(listen)),
    set("secret", secret),
    ...(fastRetries && name === undefined ? [set("fastRetries", true)] : []),
  ];
}

/** A server of the classic federation goes on in it, through the node. */
function wayToClassic({ classic }: Config, { name }: Join): Setting[] {
  return name === undefined || classic !== "off" ? [] : [{ path: ["classic"], value: "direct" }];
}

/** Edits a file's text, or throws `PINYON_HOMESERVER_FILE` with the reason. */
export function editText(text: string, path: string, settings: readonly Setting[], around: Marks): string {
  try {
    return withSettings(text, settings, around);
  } catch (error) {
    throw homeserverError(HomeserverCode.FILE, `${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** The unified diff of a change, without `secrets` and without the values of keys that name one. */
export function shownDiff({ path, before, after }: ShownChange, secrets: readonly string[] = []): string {
  const diff = unifiedDiff(path, before, after)
    .replace(SECRET_SETTING, `$1${NOT_SHOWN}`)
    .replace(URL_PASSWORD, `$1${NOT_SHOWN}`);
  return secrets.reduce((text, secret) => text.replaceAll(secret, NOT_SHOWN), diff);
}
