import type { Command } from "commander";
import { type Endpoint, formatEndpoint } from "../daemon/endpoint.js";
import { applyPlan } from "../homeserver/apply.js";
import { planConnect, planNew } from "../homeserver/connect.js";
import { HOMESERVERS } from "../homeserver/homeservers.js";
import { KIND_NAMES, type Kind } from "../homeserver/kind.js";
import { readOwnNode } from "../homeserver/own-node.js";
import { httpUrl, type Plan, shownDiff } from "../homeserver/plan.js";
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
    diff: shownDiff(file, plan.secrets),
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

/** What to type next, in this order. */
function nextSteps({ kind, config, newFolder, join }: Plan, pinyon: string): string[] {
  const check = `${pinyon} homeserver check ${kind}`;
  const { restart, commands } = HOMESERVERS[kind];
  if (newFolder === undefined) return [`${pinyon} run   # or start it again`, restart(shellWord(config)), check];
  return [`${pinyon} run`, ...commands(shellWord(newFolder), shellWord(config), httpUrl(join.url)), check];
}
