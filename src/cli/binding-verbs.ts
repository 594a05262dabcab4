import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { ErrorCode, messageOf, PinyonError } from "../daemon/errors.js";
import type { BindingInfo } from "../federation/binding/bindings.js";
import { STATEMENT_DAYS } from "../federation/binding/config.js";
import { makeBinding, statementOf, timeText } from "../federation/binding/statement.js";
import { Signer } from "../federation/signing.js";
import { readOwnNode } from "../homeserver/own-node.js";
import { putStatement } from "../homeserver/well-known-file.js";
import type { ShowOptions } from "./binding.js";
import { print, printJson, table } from "./output.js";
import { configFilePath, folderOf, withDaemon } from "./settings.js";

const DAY_MS = 24 * 3_600_000;

export async function show({ into, days = STATEMENT_DAYS }: ShowOptions, command: Command): Promise<void> {
  const node = await readOwnNode(folderOf(command), configFilePath(command));
  const name = node.config.homeserver?.name;
  if (name === undefined) {
    throw new PinyonError(
      ErrorCode.CONFIG,
      `${node.configFile}: \`homeserver.name\` is not set: only a homeserver with a name of the DNS has to be bound to its node; \`pinyon homeserver connect\` sets it`,
    );
  }
  const nowMs = Date.now();
  const binding = makeBinding(new Signer(node.seed, node.name), name, nowMs, nowMs + days * DAY_MS);
  const statement = statementOf(binding);
  if (into === undefined) {
    printJson(statement);
    return;
  }
  await putStatement(into, statement);
  print(`${into} binds ${name} to this node until ${timeText(binding.expiresMs)}.`);
}

export async function list(options: { readonly json?: true }, command: Command): Promise<void> {
  const bindings = await withDaemon(command, (client) => client.request({ verb: "bindings" }));
  if (options.json) printJson(bindings);
  else if (bindings.length === 0) print("No name is known to be bound to a node.");
  else print(...table([["NAME", "NODE", "STATE", "FROM", "UNTIL"], ...bindings.map(row)]));
}

export async function take(file: string, command: Command): Promise<void> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new PinyonError(ErrorCode.CONFIG, `${file}: it cannot be read: ${messageOf(error)}`, { cause: error });
  });
  const { name, node, untilMs } = await withDaemon(command, (client) => {
    return client.request({ verb: "binding-import", text });
  });
  print(`${name} is bound to the node ${node} until ${timeText(untilMs)}.`);
}

function row({ name, node, state, source, untilMs, changedTo }: BindingInfo): string[] {
  const stateText = changedTo === null ? state : `changed to ${changedTo}: refused`;
  return [name, node, stateText, source, timeText(untilMs)];
}
