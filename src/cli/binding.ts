import { Command, InvalidArgumentError } from "commander";
import { print } from "./output.js";
import { withDaemon } from "./settings.js";

/** Editing files takes longer to load than the other commands take in all. */
const verbs = () => import("./binding-verbs.js");

/** What `show` takes. */
export interface ShowOptions {
  readonly into?: string;
  readonly days?: number;
}

export function bindingCommand(): Command {
  return new Command("binding")
    .description("say which node speaks for a homeserver of the classic federation, whose name holds no key")
    .addCommand(
      new Command("show")
        .description("show this node's statement, signed anew, which belongs under its homeserver's name")
        .option("--into <file>", "put it into the file that is served as /.well-known/matrix/server, or a new one")
        .option("--days <number>", "for how long it is good (default: 365)", days)
        .action(async (options: ShowOptions, command: Command) => (await verbs()).show(options, command)),
    )
    .addCommand(
      new Command("ls")
        .description("list the names whose node is known")
        .option("--json", "as JSON, times as Unix time in milliseconds")
        .action(async (options: { json?: true }, command: Command) => (await verbs()).list(options, command)),
    )
    .addCommand(
      new Command("import")
        .description("believe a statement that its owner handed over, whatever was known before")
        .argument("<file>", "what `pinyon binding show` printed there")
        .action(async (file: string, _options: object, command: Command) => (await verbs()).take(file, command)),
    )
    .addCommand(
      new Command("forget")
        .description("forget a name's node; what the name says next is believed")
        .argument("<name>", "the server's name")
        .action(async (name: string, _options: object, command: Command) => {
          const isKnown = await withDaemon(command, (client) => client.request({ verb: "binding-forget", name }));
          print(isKnown ? `Forgot the node of ${name}.` : `No node of ${name} is known.`);
        }),
    );
}

function days(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 400) throw new InvalidArgumentError("Expected 1 to 400.");
  return number;
}
