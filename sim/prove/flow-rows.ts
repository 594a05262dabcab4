import type { Flow } from "../flow.js";
import type { Network } from "../network.js";
import type { Happening } from "../scenario.js";
import { STEADY_MS } from "../traffic.js";
import { walkRoute } from "../walk.js";
import { Ways } from "../ways.js";
import { Lab } from "./lab.js";
import { count, each, type Figure, graphOf, type Letter, mean, quantile, type Row, relaysOf, targetOf } from "./row.js";

const PAIRS = 150;
/** Flows are watched so long after something happened, and have so long to deliver what was sent until then. */
const WATCH_MS = 25_000;
const DRAIN_MS = 20_000;

/** The way that a node's data goes to another now, and how long it is. */
function wayOf(network: Network, { from, to }: Flow): ReturnType<typeof walkRoute> {
  const host = network.hosts[from]!;
  const route = host.node?.router.route(network.key(to));
  return route === undefined ? { hosts: [], delayMs: Number.POSITIVE_INFINITY } : walkRoute(network, host, route.ports);
}

function stretch(letter: Letter, nodes: number, isLarge: boolean): Row {
  return {
    name: `stretch-${nodes}-${letter}`,
    question: `${count(nodes)} nodes: delay of established routes over the least there is, after 30 s of use`,
    isLarge,
    run(seed, machine) {
      const lab = Lab.settled(seed, machine, graphOf(letter, nodes));
      const { flows } = lab.steadyFlows(PAIRS);
      // On grids and geometric graphs the balls of distant nodes take that long to meet.
      lab.network.run(15_000);
      const ways = Ways.now(lab.network);
      const stretches = flows
        .flatMap((flow) => [flow, flow.back!])
        .map((flow) => wayOf(lab.network, flow).delayMs / ways.delayMs(flow.from, flow.to));
      return [
        { what: "mean", ours: mean(stretches), target: 1.05, unit: "" },
        { what: "p99", ours: quantile(stretches, 0.99), target: 1.5, unit: "" },
      ];
    },
  };
}

/** What became of steady flows, from the moment on at which something happened. */
interface Aftermath {
  /** Both directions of the flows whose ends are still joined, with their longest pauses. */
  readonly gaps: readonly { readonly flow: Flow; readonly gapMs: number }[];
  readonly lostBytes: number;
}

/** Watches flows while something happens. `counts` is asked before. */
function watchFlows(lab: Lab, event: Happening, counts: (flow: Flow) => boolean = () => true): Aftermath {
  const { network } = lab;
  const traffic = lab.steadyFlows(PAIRS);
  const counted = traffic.flows.filter(counts);
  const directions = counted.flatMap((flow) => [flow, flow.back!]);
  for (const direction of directions) direction.pauseMs = 0;
  lab.happen(event);
  const ways = Ways.now(network);
  const isJoined = ({ from, to }: Flow) =>
    [from, to].every((end) => network.hosts[end]!.isReading) && Number.isFinite(ways.delayMs(from, to));
  network.run(WATCH_MS);
  const joined = directions.filter(isJoined);
  const gaps = joined.map((flow) => {
    const pauseMs = Math.max(flow.pauseMs, network.nowMs - flow.arrivalMs);
    return { flow, gapMs: Number.isFinite(pauseMs) ? Math.max(0, pauseMs - STEADY_MS) : Number.NaN };
  });
  traffic.isSteady = false;
  network.run(DRAIN_MS);
  const lostBytes = joined.reduce((sum, { sentBytes, receivedBytes, isCorrupt }) => {
    return sum + (isCorrupt ? sentBytes : sentBytes - receivedBytes);
  }, 0);
  return { gaps, lostBytes };
}

const seconds = ({ gaps }: Aftermath): number =>
  quantile(
    gaps.map(({ gapMs }) => gapMs / 1_000),
    0.99,
  );

function failing(name: string, what: string, nodes: number, event: Happening): Row[] {
  return each("RASWGM", (letter) => ({
    name: `${name}-${letter}`,
    question: `${what}: established flows pause, at p99`,
    run(seed, machine): Figure[] {
      const after = watchFlows(Lab.settled(seed, machine, graphOf(letter, nodes)), event);
      return [
        { what: "gap", ours: seconds(after), target: targetOf(letter, { R: 2, ASW: 5, GM: 8 }), unit: "s" },
        { what: "lost", ours: after.lostBytes, target: 0, unit: "B" },
      ];
    },
  }));
}

function rootDies(nodes: number): Row[] {
  return each("RASWGM", (letter) => ({
    name: `flows-root-${letter}`,
    question: "the best root of a tree dies: flows whose way does not cross it pause, at p99",
    run(seed, machine): Figure[] {
      const lab = Lab.settled(seed, machine, graphOf(letter, nodes));
      const root = lab.rootOf(0);
      const crosses = (flow: Flow) => wayOf(lab.network, flow).hosts.includes(root);
      const after = watchFlows(lab, { do: "power-off", nodes: [root.index] }, (flow) => {
        return ![flow, flow.back!].some(crosses);
      });
      return [
        { what: "gap", ours: seconds(after), target: 0.3, unit: "s" },
        { what: "lost", ours: after.lostBytes, target: 0, unit: "B" },
      ];
    },
  }));
}

/** The ways that established sessions take. */
export const stretchRows = (nodes: number, largeNodes: number): Row[] => [
  ...each("RASWGM", (letter) => stretch(letter, nodes, false)),
  ...each("RASWM", (letter) => stretch(letter, largeNodes, true)),
];

/** What established sessions notice of failures. */
export function gapRows(nodes: number): Row[] {
  const relays = relaysOf(nodes);
  return [
    ...failing("flows-links", "2 % of links die silently", nodes, { do: "cut", links: { share: 0.02 } }),
    ...failing("flows-relays", `${relays} relays die`, nodes, { do: "power-off", nodes: { random: relays } }),
    ...rootDies(nodes),
  ];
}
