import { Command } from "commander";
import type { ControlRequest, ResultOf } from "../daemon/control-protocol.js";
import type { BallDump, DestinationDump, NeighbourDump, RoutesDump, TableDump, TreeDump } from "../daemon/dumps.js";
import { count, duration, print, printJson, rtt, shortName, table } from "./output.js";
import { withDaemon } from "./settings.js";
import { routeText } from "./why.js";

export function showCommand(): Command {
  return new Command("show")
    .description("show what the router's tables hold")
    .addCommand(
      showing("trees", "root, parent and place in each tree, and why no other neighbour is the parent").action(
        async (options: Options, command: Command) => {
          const trees = await ask(command, { verb: "show-trees" });
          output(options, trees, () => [...trees.flatMap(treeLines), "Rules are those of PROTOCOL.md, Trees."]);
        },
      ),
    )
    .addCommand(
      showing("table", "the keys that live below each child, in each tree")
        .option("--keys", "name them")
        .action(async (options: Options & { keys?: true }, command: Command) => {
          const tables = await ask(command, { verb: "show-table" });
          output(options, tables, () => tables.flatMap((one) => tableLines(one, options.keys === true)));
        }),
    )
    .addCommand(
      showing("routes", "the routes to other nodes: in use, and spare").action(
        async (options: Options, command: Command) => {
          const routes = await ask(command, { verb: "show-routes" });
          output(options, routes, () => routesLines(routes));
        },
      ),
    )
    .addCommand(
      showing("balls", "the map of the nodes around").action(async (options: Options, command: Command) => {
        const ball = await ask(command, { verb: "show-balls" });
        output(options, ball, () => ballLines(ball));
      }),
    );
}

interface Options {
  readonly json?: true;
}

function showing(name: string, description: string): Command {
  return new Command(name).description(description).option("--json", "as JSON, times in milliseconds");
}

function ask<R extends ControlRequest>(command: Command, request: R): Promise<ResultOf<R>> {
  return withDaemon(command, (client) => client.request(request));
}

function output(options: Options, result: unknown, lines: () => string[]): void {
  if (options.json) printJson(result);
  else print(...lines());
}

function treeLines(tree: TreeDump): string[] {
  const { state, root, rootForMs, seq, seqAgoMs, parent, coordinates, neighbours, changes } = tree;
  const past = changes.slice(0, -1).map((change) => [`${agoText(change.agoMs)}`, nodeText(change.root)]);
  return [
    `tree ${tree.tree}: ${STATE_TEXT[state]}`,
    ...table([
      ["root", root === null ? "none" : `${root}, for ${agoText(rootForMs, "")}`],
      ["seq", `${seq}, ${agoText(seqAgoMs)}`],
      ["parent", parent ?? "none"],
      ["coordinates", coordinates.length === 0 ? "none: the root's" : `ports ${coordinates.join(" ")}`],
      ["edge's epoch", parent === null ? "none" : `${tree.epoch}`],
    ]),
    ...(neighbours.length === 0
      ? []
      : table([["NEIGHBOUR", "PORT", "ROOT", "DEPTH", "DELAY", "AS A PARENT"], ...neighbours.map(neighbourRow)])),
    ...(past.length === 0 ? [] : ["  roots before:", ...table(past).map((line) => `  ${line}`)]),
    "",
  ];
}

const STATE_TEXT: Readonly<Record<TreeDump["state"], string>> = {
  root: "this node is the root: no neighbour has a root of higher rank",
  "below a parent": "this node hangs below its parent",
  "without a parent": "the parent is lost: the place is kept for a moment, and a new parent asked for",
  "no place": "this node has no place: no root is known",
};

function neighbourRow({ name, port, root, depth, delayMs, verdict }: NeighbourDump): string[] {
  return [
    shortName(name),
    `${port}`,
    nodeText(root),
    `${depth ?? ""}`,
    delayMs === null ? "" : rtt(delayMs),
    VERDICT_TEXT[verdict],
  ];
}

const VERDICT_TEXT: Readonly<Record<NeighbourDump["verdict"], string>> = {
  parent: "it is the parent: best root, then fewest hops, then least delay (rule 6)",
  leaf: "no: a leaf is nobody's parent",
  "no place": "no: it has told no place of its own",
  below: "no: its path leads through this node (rule 6)",
  "lesser root": "no: its root has a lower rank (rule 6)",
  farther: "it could be: but it is no hop nearer to the root than the parent (rule 6)",
  unfeasible: "not now: by it there might be a loop, until the root's next seq (rule 7)",
  barred: "no: its root may be none here, or it is too deep (rule 1)",
};

function tableLines({ tree, keys, children }: TableDump, isNaming: boolean): string[] {
  return [
    `tree ${tree}: ${count(keys, "key")} below this node`,
    ...(children.length === 0 ? [] : table([["CHILD", "PORT", "KEYS"], ...children.map(childRow)])),
    ...(isNaming ? children.flatMap((child) => ["", `  below ${shortName(child.name)}:`, ...keyLines(child)]) : []),
    "",
  ];
}

type Child = TableDump["children"][number];

function childRow({ name, port, keys }: Child): string[] {
  return [shortName(name), `${port}`, `${keys}`];
}

function keyLines({ below, keys }: Child): string[] {
  const more = keys - below.length;
  return [...below.map((name) => `    ${name}…`), ...(more > 0 ? [`    and ${count(more, "key")} more`] : [])];
}

function routesLines({ destinations, count: all }: RoutesDump): string[] {
  if (all === 0) return ["No routes: this node has looked for none."];
  const more = all - destinations.length;
  return [...destinations.flatMap(destinationLines), ...(more > 0 ? [`and ${count(more, "destination")} more`] : [])];
}

function destinationLines({ name, routes, usedAgoMs, asking }: DestinationDump): string[] {
  const used = usedAgoMs === null ? "" : `, data sent ${agoText(usedAgoMs)}`;
  const out = asking.length === 0 ? "" : `, questions out: ${asking.join(", ")}`;
  return [
    `${name}${used}${out}`,
    ...(routes.length === 0
      ? ["  no route"]
      : routes.map((route, i) => `  ${i === 0 ? "route" : "spare"}: ${routeText(route)}`)),
  ];
}

function ballLines({ records, reachMs, nodes }: BallDump): string[] {
  const reach =
    reachMs === null ? "it has all that its links lead to" : `every way of less than ${rtt(reachMs)} lies within it`;
  return [
    `The map has ${count(records, "record")} of others: ${reach}.`,
    ...(nodes.length === 0 ? [] : table([["NODE", "DELAY", "HOPS", "LINKS", "TOLD BY", "AGO"], ...nodes.map(ballRow)])),
  ];
}

function ballRow({ name, delayMs, hops, links, toldBy, agoMs }: BallDump["nodes"][number]): string[] {
  return [
    `${name}…`,
    rtt(delayMs),
    `${hops}`,
    `${links ?? "no record"}`,
    toldBy ?? "",
    agoMs === null ? "" : duration(agoMs),
  ];
}

function nodeText(name: string | null): string {
  return name === null ? "none" : shortName(name);
}

function agoText(durationMs: number | null, word = " ago"): string {
  return durationMs === null ? "never" : `${duration(durationMs)}${word}`;
}
