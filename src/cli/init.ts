import { Command } from "commander";
import { initNode } from "../daemon/init.js";
import { configPath } from "../daemon/state-folder.js";
import { chooseCrypto } from "../driver/choose-crypto.js";
import { systemRandom } from "../driver/random.js";
import { commandText } from "./greeting.js";
import { print, table } from "./output.js";
import { folderOf } from "./settings.js";

export function initCommand(): Command {
  return new Command("init")
    .description("make a node: its key, its name and a config file with every setting explained")
    .action(async (_options: object, command: Command) => {
      const folder = folderOf(command);
      const configFile = command.optsWithGlobals<{ config?: string }>().config ?? configPath(folder);
      const { crypto } = chooseCrypto(process.env);
      const node = await initNode(folder, configFile, { crypto, random: systemRandom });
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
