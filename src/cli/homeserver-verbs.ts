import type { Command } from "commander";
import { type Endpoint, formatEndpoint } from "../daemon/endpoint.js";
import { applyPlan } from "../homeserver/apply.js";
import { planConnect, planNew } from "../homeserver/connect.js";
import { applyDisconnect, planDisconnect } from "../homeserver/disconnect.js";
import { HOMESERVERS } from "../homeserver/homeservers.js";
import { KIND_NAMES, type Kind } from "../homeserver/kind.js";
import { readOwnNode } from "../homeserver/own-node.js";
import { httpUrl, type Plan, secretsOf, shownDiff } from "../homeserver/plan.js";
import { requireRecord } from "../homeserver/record.js";
import { shellWord } from "../homeserver/shell.js";
import { print, printJson } from "./output.js";
import { commandText, configFilePath, folderOf } from "./settings.js";

interface EditOptions {
  readonly apply?: true;
  readonly json?: true;
}

/** What `connect` takes; one of `config` and `new` is there. */
export interface ConnectOptions extends EditOptions {
  readonly config?: string;
  readonly new?: string;
  readonly port?: number;
  readonly listen?: Endpoint;
}

export async function connect(kind: Kind, options: ConnectOptions, command: Command): Promise<void> {
  const node = await readOwnNode(folderOf(command), configFilePath(command));
  const homeserver = HOMESERVERS[kind];
  const plan =
    options.new === undefined
      ? await planConnect(homeserver, node, options.config!, options)
      : await planNew(homeserver, node, options.new, options);
  const record = options.apply ? await applyPlan(node.folder, plan) : undefined;
  const files = plan.files.map((file) => ({
    path: file.path,
    diff: shownDiff({ ...file, before: file.before?.text }, plan.secrets),
    backup: record?.files.find(({ path }) => path === file.path)?.backup ?? null,
  }));
  const next = nextSteps(plan, commandText(command));
  if (options.json) {
    const { url, listen } = plan.join;
    const join = { url: httpUrl(url), listen: formatEndpoint(listen) };
    printJson({ kind, name: node.name, applied: options.apply === true, config: plan.config, ...join, files, next });
  } else if (record === undefined) {
    print(...files.flatMap(({ diff }) => diff.trimEnd().split("\n")));
    print("", "Nothing was changed: --apply does it. Secrets are not shown.");
  } else {
    print(`Connected ${KIND_NAMES[kind]} to ${node.name}.`);
    for (const { path, backup } of files)
      print(backup === null ? `  made ${path}` : `  changed ${path}, kept ${backup}`);
    print("Now:", ...next.map((step) => `  ${step}`));
  }
}

/** What `disconnect` takes. */
export interface DisconnectOptions extends EditOptions {
  readonly config?: string;
}

export async function disconnect(kind: Kind, options: DisconnectOptions, command: Command): Promise<void> {
  const folder = folderOf(command);
  const record = await requireRecord(folder, kind, options.config);
  const restorations = await planDisconnect(record);
  const secrets = restorations.flatMap(({ path, found }) => (path.endsWith(".yaml") ? secretsOf(found?.text) : []));
  const files = restorations.map(({ path, found, before }) => ({
    path,
    diff: shownDiff({ path, before: found?.text, after: before?.text }, secrets),
  }));
  if (options.apply) await applyDisconnect(folder, restorations);
  const kept = record.newFolder;
  if (options.json) {
    printJson({ kind, applied: options.apply === true, config: record.config, newFolder: kept, files });
  } else if (!options.apply) {
    print(...files.flatMap(({ diff }) => diff.trimEnd().split("\n")));
    print("", "Nothing was changed: --apply does it. Secrets are not shown.");
  } else {
    print(`Disconnected ${KIND_NAMES[kind]}.`, ...files.map(({ path }) => `  as before: ${path}`));
    if (kept !== null) print(`The homeserver made in ${kept} stays; delete the folder if you need it no more.`);
    print("Start the node and the homeserver again for this to take effect.");
  }
}

/** What to type next, in this order. */
function nextSteps({ kind, config, newFolder, join }: Plan, pinyon: string): string[] {
  const check = `${pinyon} homeserver check ${kind}`;
  const { restart, commands } = HOMESERVERS[kind];
  if (newFolder === undefined) return [`${pinyon} run   # or start it again`, restart(shellWord(config)), check];
  return [`${pinyon} run`, ...commands(shellWord(newFolder), shellWord(config), httpUrl(join.url)), check];
}
