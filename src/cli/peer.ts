import { Command } from "commander";
import type { PeerInfo } from "../daemon/control-protocol.js";
import { print, printJson, table } from "./output.js";
import { commandText, withDaemon } from "./settings.js";

export function peerCommand(): Command {
  return new Command("peer")
    .description("add, list and remove the peers that the running node keeps a link to")
    .addCommand(
      new Command("add")
        .description("keep a link to a peer from now on, also after a restart")
        .argument("<uri>", "wss://host:port?key=<key>, or ws:// on a trusted network")
        .action(async (uri: string, _options: object, command: Command) => {
          const peer = await withDaemon(command, (client) => client.request({ verb: "peer-add", uri }));
          print(`Added ${peer.uri}.`, `\`${commandText(command)} peer ls\` shows whether it is linked.`);
        }),
    )
    .addCommand(
      new Command("ls")
        .description("list the peers of the config file, those added and those found on the LAN")
        .option("--json", "as JSON")
        .action(async (options: { json?: true }, command: Command) => {
          const peers = await withDaemon(command, (client) => client.request({ verb: "peers" }));
          if (options.json) printJson(peers);
          else print(...peerLines(peers, commandText(command)));
        }),
    )
    .addCommand(
      new Command("rm")
        .description("remove an added peer and close the link to it")
        .argument("<peer>", "its URI as `pinyon peer ls` shows it, or its node's name or key")
        .action(async (peer: string, _options: object, command: Command) => {
          const removed = await withDaemon(command, (client) => client.request({ verb: "peer-rm", peer }));
          print(...removed.map(({ uri }) => `Removed ${uri}.`));
        }),
    );
}

function peerLines(peers: readonly PeerInfo[], pinyon: string): string[] {
  if (peers.length === 0) return [`No peers. Add one with \`${pinyon} peer add 'wss://host:port?key=<key>'\`.`];
  return table([
    ["PEER", "FROM", "STATE"],
    ...peers.map(({ uri, origin, linked, lastError }) => [
      uri,
      origin,
      linked ? "linked" : `not linked${lastError === null ? " yet" : `: ${lastError}`}`,
    ]),
  ]);
}
