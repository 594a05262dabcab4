import { idOf } from "../../src/router/entry.js";
import { NOTE_RECORDS_BYTES_MAX } from "../../src/wire/note.js";
import { geometricGraph, randomGraph } from "../router/graphs.js";
import { type Graph, grid, StaticMesh, seeded } from "../router/static-mesh.js";

/*
 * How much longer routes are than the shortest, in delay: the first that a search by KEY gives, one by locator, and what balls of a size
 * that the rule of PROTOCOL.md ("Notes") chooses give. Over true trees, links of 1 to 10 ms, no queues.
 *
 *   node build/test/bench/stretch.js [nodes] [pairs]
 */
const START = 16;
const MOST = 256;

function delaysFrom(mesh: StaticMesh, from: number): number[] {
  const delays = mesh.nodes.map(() => Number.POSITIVE_INFINITY);
  const edge = [from];
  delays[from] = 0;
  for (let at = edge.shift(); at !== undefined; at = edge.shift())
    for (const { to, delayMs } of mesh.wires[at]!.values())
      if (delays[at]! + delayMs < delays[to]!) {
        delays[to] = delays[at]! + delayMs;
        edge.push(to);
      }
  return delays;
}

function delayOf(mesh: StaticMesh, from: number, ports: Iterable<number>): number {
  let [at, delayMs] = [from, 0];
  for (const port of ports) {
    const wire = mesh.wires[at]!.get(port)!;
    delayMs += wire.delayMs;
    at = wire.to;
  }
  return delayMs;
}

/** Both ends grow their balls, the sender gets the other's, and probes what the map has. Gives the size of the balls and the bytes got. */
function exchange(mesh: StaticMesh, from: number, to: number): { size: number; bytes: number; hasDisjoint: boolean } {
  const [{ paths }, peer] = [mesh.nodes[from]!, mesh.nodes[to]!];
  let [size, bytes] = [START, 0];
  for (; ; size *= 2) {
    paths.balls.askAlong(paths.route(mesh.key(to))!.ports, mesh.nowMs);
    for (const end of [paths, peer.paths]) end.balls.grow(size, mesh.nowMs);
    mesh.run(3_000);
    for (const part of peer.paths.balls.parts(size, NOTE_RECORDS_BYTES_MAX, mesh.nowMs)) {
      bytes += part.length;
      paths.balls.handleRecords(part, mesh.nowMs);
    }
    const delayMs = paths.join(mesh.key(to), mesh.nowMs);
    mesh.run(500);
    const { balls } = paths;
    const reachMs = balls.reachMs(undefined, mesh.nowMs) + balls.reachMs(idOf(mesh.key(to)), mesh.nowMs);
    if (size === MOST || delayMs <= 1.5 * reachMs) break;
  }
  const [route, spare] = [paths.route(mesh.key(to))!, paths.spare(mesh.key(to))];
  return { size, bytes, hasDisjoint: spare !== undefined && paths.balls.sharedNodes(route.ports, spare.ports) === 0 };
}

function summary(values: number[]): string {
  const sorted = values.sort((a, b) => a - b);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return `${mean.toFixed(3)} / ${sorted[Math.floor(0.99 * sorted.length)]!.toFixed(2)}`;
}

const [count = "300", pairs = "60"] = process.argv.slice(2);
const nodes = Number(count);
const side = Math.round(Math.sqrt(nodes));
const graphs: [string, Graph][] = [
  ["random, degree 6", randomGraph(nodes, 2 * nodes, seeded(1))],
  ["geometric, degree 8", geometricGraph(nodes, 8, seeded(2))],
  [`grid, ${side} by ${side}`, grid(side, side)],
];
console.log(
  `${nodes} nodes; stretch in delay, mean / 99 %: first by KEY; by locator; with balls; records a ball, bytes sent in notes`,
);
for (const [name, graph] of graphs) {
  const random = seeded(9);
  const stretches: [number[], number[], number[]] = [[], [], []];
  let [sizes, bytes, disjoint, received] = [0, 0, 0, 0];
  for (let i = 0; i < Number(pairs); i++) {
    const mesh = new StaticMesh(graph, { seed: 1 + (i % 3) });
    const [from, to] = [random(graph.count), random(graph.count)];
    const least = delaysFrom(mesh, from)[to]!;
    if (from === to || least === 0) continue;
    const { paths } = mesh.nodes[from]!;
    paths.findRoute(mesh.key(to), undefined, mesh.nowMs);
    mesh.run(450);
    stretches[0].push(delayOf(mesh, from, paths.route(mesh.key(to))!.ports) / least);
    const other = new StaticMesh(graph, { seed: 1 + (i % 3) });
    other.nodes[from]!.paths.findRoute(other.key(to), other.nodes[to]!.locator(), 0);
    other.run(450);
    stretches[1].push(delayOf(other, from, other.nodes[from]!.paths.route(other.key(to))!.ports) / least);
    mesh.onFrame = (frame, _from, at) => {
      if (at === from && frame[1] === 0x29) received += frame.length;
      return frame;
    };
    const got = exchange(mesh, from, to);
    sizes += got.size;
    bytes += got.bytes;
    if (got.hasDisjoint) disjoint++;
    stretches[2].push(delayOf(mesh, from, paths.route(mesh.key(to))!.ports) / least);
  }
  const done = stretches[2].length;
  console.log(
    `${name}: ${stretches.map(summary).join("; ")}; ${Math.round(sizes / done)} records, ${Math.round(bytes / done / 100) / 10} kB of the peer's ball, ${Math.round(received / done / 100) / 10} kB received for the own; ${Math.round((100 * disjoint) / done)} % with a disjoint spare`,
  );
}
