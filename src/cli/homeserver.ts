import { Command, InvalidArgumentError, Option } from "commander";
import { type Endpoint, parseEndpoint } from "../daemon/endpoint.js";
import { KINDS, type Kind } from "../homeserver/kind.js";
import type { CheckOptions, ConnectOptions, DisconnectOptions } from "./homeserver-verbs.js";

/** Editing files takes longer to load than the other commands take in all. */
const verbs = () => import("./homeserver-verbs.js");

export function homeserverCommand(): Command {
  return new Command("homeserver")
    .description("join the node with the Matrix homeserver beside it, which keeps its files' layout and can be undone")
    .addCommand(connectCommand())
    .addCommand(checkCommand())
    .addCommand(disconnectCommand());
}

function connectCommand(): Command {
  return editing("connect", "show how the homeserver's files are to change, and change them with --apply")
    .option("--config <file>", "the homeserver's configuration file: homeserver.yaml, dendrite.yaml")
    .addOption(
      new Option("--new <folder>", "make a new homeserver there instead, under the node's name").conflicts("config"),
    )
    .option(
      "--port <number>",
      "port of the homeserver on 127.0.0.1: of a new one, or of a Dendrite (default: 8008)",
      port,
    )
    .option(
      "--listen <address>",
      "where the node takes its federation, host:port or unix:/path (default: a free port)",
      endpoint,
    )
    .action(async (kind: Kind, options: ConnectOptions, command: Command) => {
      if (options.config === undefined && options.new === undefined) {
        command.error("error: expected --config <file> or --new <folder>");
      }
      await (await verbs()).connect(kind, options, command);
    });
}

function checkCommand(): Command {
  return verb("check", "send a signed request each way and name the step that fails")
    .addOption(connectedFile())
    .action(async (kind: Kind, options: CheckOptions, command: Command) => {
      await (await verbs()).check(kind, options, command);
    });
}

function disconnectCommand(): Command {
  return editing("disconnect", "show how the files were before, and put them back byte for byte with --apply")
    .addOption(connectedFile())
    .action(async (kind: Kind, options: DisconnectOptions, command: Command) => {
      await (await verbs()).disconnect(kind, options, command);
    });
}

function connectedFile(): Option {
  return new Option("--config <file>", "the homeserver's configuration file (default: the one that was connected)");
}

/** A verb that changes files. */
function editing(name: string, description: string): Command {
  return verb(name, description)
    .option("--apply", "change the files; each is kept beside itself first")
    .addOption(new Option("--dry-run", "only show the change, as without --apply").conflicts("apply"));
}

function verb(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument("<kind>", KINDS.join(" or "), kindOf)
    .option("--json", "as JSON");
}

function kindOf(text: string): Kind {
  const kind = KINDS.find((known) => known === text);
  if (kind === undefined) throw new InvalidArgumentError(`Expected ${KINDS.join(" or ")}.`);
  return kind;
}

function port(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw new InvalidArgumentError("Expected 1 to 65535.");
  return number;
}

function endpoint(text: string): Endpoint {
  const value = parseEndpoint(text);
  if (value === undefined || ("port" in value && value.port === 0)) {
    throw new InvalidArgumentError("Expected host:port or unix:/path/of/socket.");
  }
  return value;
}
