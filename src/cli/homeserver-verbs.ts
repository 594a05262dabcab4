import type { Command } from "commander";
import type { HomeserverConfig } from "../daemon/config.js";
import { type Endpoint, formatEndpoint, formatHttpUrl } from "../daemon/endpoint.js";
import { messageOf } from "../daemon/errors.js";
import { hostOf } from "../federation/binding/bindings.js";
import { NODE_MEMBER } from "../federation/binding/statement.js";
import type { CheckStep } from "../federation/self-check.js";
import { applyPlan } from "../homeserver/apply.js";
import { checkFiles } from "../homeserver/check.js";
import { planConnect, planNew } from "../homeserver/connect.js";
import { applyDisconnect, planDisconnect } from "../homeserver/disconnect.js";
import { HomeserverCode, homeserverError } from "../homeserver/errors.js";
import { HOMESERVERS } from "../homeserver/homeservers.js";
import { KIND_NAMES, type Kind } from "../homeserver/kind.js";
import { readOwnNode } from "../homeserver/own-node.js";
import { type Plan, shownDiff } from "../homeserver/plan.js";
import { requireRecord } from "../homeserver/record.js";
import { shellWord } from "../homeserver/shell.js";
import { print, printJson, table } from "./output.js";
import { commandText, configFilePath, folderOf, withDaemon } from "./settings.js";

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
    const join = { url: formatHttpUrl(url), listen: formatEndpoint(listen) };
    const name = plan.join.name ?? node.name;
    printJson({
      kind,
      name,
      node: node.name,
      applied: options.apply === true,
      config: plan.config,
      ...join,
      files,
      next,
    });
  } else if (record === undefined) {
    print(...files.flatMap(({ diff }) => diff.trimEnd().split("\n")));
    print("", "Nothing was changed: --apply does it. Secrets are not shown.");
  } else {
    const own = plan.join.name === undefined ? "" : ` ${plan.join.name}`;
    print(`Connected ${KIND_NAMES[kind]}${own} to ${node.name}.`);
    for (const { path, backup } of files)
      print(backup === null ? `  made ${path}` : `  changed ${path}, kept ${backup}`);
    print("Now:", ...next.map((step) => `  ${step}`));
  }
}

/** What `check` takes. */
export interface CheckOptions {
  readonly config?: string;
  readonly json?: true;
}

/** What `disconnect` takes. */
export interface DisconnectOptions extends EditOptions {
  readonly config?: string;
}

export async function disconnect(kind: Kind, options: DisconnectOptions, command: Command): Promise<void> {
  const folder = folderOf(command);
  const record = await requireRecord(folder, kind, options.config);
  const restorations = await planDisconnect(record);
  const files = restorations.map(({ path, found, before }) => ({
    path,
    diff: shownDiff({ path, before: found?.text, after: before?.text }),
  }));
  const name = await classicName(command);
  if (options.apply) await applyDisconnect(folder, restorations);
  const kept = record.newFolder;
  if (options.json) {
    printJson({ kind, applied: options.apply === true, config: record.config, newFolder: kept, files });
  } else if (!options.apply) {
    print(...files.flatMap(({ diff }) => diff.trimEnd().split("\n")));
    print("", "Nothing was changed: --apply does it. Secrets are not shown.");
  } else {
    print(`Disconnected ${KIND_NAMES[kind]}.`, ...files.map(({ path }) => `  as before: ${path}`));
    if (kept !== null) {
      print(`The homeserver made in ${kept} stays: \`connect\` with --config joins it again.`);
    }
    print("Start the node and the homeserver again for this to take effect.");
    const host = name === undefined ? undefined : hostOf(name);
    if (host !== undefined) {
      print(`Take \`${NODE_MEMBER}\` out of what stands under https://${host}/.well-known/matrix/server as well.`);
    }
  }
}

/** The name of the classic federation that the homeserver has; undefined where it has none, or the node's config cannot be read. */
async function classicName(command: Command): Promise<string | undefined> {
  const node = await readOwnNode(folderOf(command), configFilePath(command)).catch(() => undefined);
  return node?.config.homeserver?.name;
}

export async function check(kind: Kind, options: CheckOptions, command: Command): Promise<void> {
  const folder = folderOf(command);
  const record = await requireRecord(folder, kind, options.config);
  const node = await readOwnNode(folder, configFilePath(command));
  const steps = [await checkFiles(HOMESERVERS[kind], node, record)];
  if (steps[0]!.ok) steps.push(...(await checkLive(command, node.config.homeserver!)));
  const failed = steps.find(({ ok }) => !ok);
  const name = node.config.homeserver?.name ?? node.name;
  if (options.json) printJson({ kind, name, ok: failed === undefined, steps });
  else print(...table(steps.map(({ step, ok, text }) => [ok ? "ok" : "FAILED", step, text])));
  if (failed === undefined) return;
  throw homeserverError(HomeserverCode.CHECK, `the step \`${failed.step}\` of the check failed`);
}

/** The steps that the running node does. */
async function checkLive(command: Command, expected: HomeserverConfig): Promise<CheckStep[]> {
  const step = "node";
  try {
    const result = await withDaemon(command, (client) => client.request({ verb: "homeserver-check" }));
    const { url, listen, steps } = result;
    if (url === formatHttpUrl(expected.url) && listen === formatEndpoint(expected.listen)) {
      return [{ step, ok: true, text: `it runs, and takes the homeserver's federation at ${listen}` }, ...steps];
    }
    return [{ step, ok: false, text: "it runs with another config than its file has: start it again" }];
  } catch (error) {
    return [{ step, ok: false, text: messageOf(error) }];
  }
}

/** Where a node's statement belongs. A name with a port, or an address, has no place of its own. */
function placeOfStatement(name: string): string {
  const host = hostOf(name);
  if (host === undefined) return "what it prints is handed to the owners of other nodes";
  return `what it prints belongs under https://${host}/.well-known/matrix/server as "${NODE_MEMBER}"`;
}

/** What to type next, in this order. */
function nextSteps({ kind, config, newFolder, join, notes }: Plan, pinyon: string): string[] {
  const check = `${pinyon} homeserver check ${kind}`;
  const { restart, commands } = HOMESERVERS[kind];
  const run = `${pinyon} run   # a node that runs already has to be stopped first`;
  const bound = join.name === undefined ? [] : [`${pinyon} binding show   # ${placeOfStatement(join.name)}`];
  if (newFolder === undefined) return [...notes, run, restart(shellWord(config)), ...bound, check];
  return [run, ...commands(shellWord(newFolder), shellWord(config), formatHttpUrl(join.url)), check];
}
