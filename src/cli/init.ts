import { Command } from "commander";
import { print, table } from "./output.js";
import { commandText, configFilePath, folderOf } from "./settings.js";

export function initCommand(): Command {
  return new Command("init")
    .description("make a node: its key, its name and a config file with every setting explained")
    .action(async (_options: object, command: Command) => {
      const { initNode } = await import("../daemon/init.js");
      const folder = folderOf(command);
      const node = await initNode(folder, configFilePath(command));
      print(
        `Made a node in ${folder}`,
        ...table([
          ["name", node.name],
          ["key", `${node.keyFile} (keep a copy: without it the name is lost, and who has it is this node)`],
          ["config", node.configFile],
        ]),
        `Start it with \`${commandText(command)} run\`.`,
      );
    });
}
