import { churn } from "../churn.js";
import { makeGraph } from "../graph-spec.js";
import { neighboursOf } from "../graphs.js";
import { Random } from "../random.js";
import { Lab } from "./lab.js";
import { weighRouters } from "./router-state.js";
import { count, each, type Figure, graphOf, mean, NODES, type Row, targetOf } from "./row.js";

function coldStart(nodes: number): Row[] {
  return each("RASWGM", (letter) => ({
    name: `cold-${letter}`,
    question: `${count(nodes)} nodes start at once, until every sampled pair delivers`,
    run(seed, machine): Figure[] {
      const lab = new Lab(seed, machine, graphOf(letter, nodes));
      return [{ what: "whole", ours: lab.untilWhole(40), target: targetOf(letter, { RASW: 5, GM: 12 }), unit: "s" }];
    },
  }));
}

function staggered(nodes: number): Row[] {
  return each("RASW", (letter) => ({
    name: `staggered-${letter}`,
    question: `${count(nodes)} nodes start within 10 s, from the last start until every sampled pair delivers`,
    run(seed, machine): Figure[] {
      const startMs = (index: number) => (10_000 * (index + 1)) / nodes;
      const lab = new Lab(seed, machine, graphOf(letter, nodes), { startMs });
      lab.network.run(10_000);
      return [{ what: "whole", ours: lab.untilWhole(30), target: 6, unit: "s" }];
    },
  }));
}

const REST_MS = 60_000;
const IDLE_S = 120;

const idle = (nodes: number): Row => ({
  name: `idle-${nodes}`,
  question: "idle nodes of degree 6, no session open: bytes sent a second, WebSocket header included",
  isLarge: nodes > NODES,
  run(seed, machine): Figure[] {
    const lab = new Lab(seed, machine, graphOf("R", nodes));
    lab.network.run(REST_MS);
    return [{ what: `${count(nodes)} nodes, mean`, ours: mean(lab.controlRates(IDLE_S)), target: 60, unit: "B/s" }];
  },
});

const HUB_LINKS = [200, 210] as const;

/** The smallest AS-like graph in steps of a hundred that has a node with that many links, and the node. */
function graphWithHub(seed: number) {
  for (let nodes = NODES; ; nodes += 100) {
    const spec = graphOf("A", nodes);
    const links = neighboursOf(makeGraph(spec, new Random(seed))).map(({ length }) => length);
    const hub = links.findIndex((links) => links >= HUB_LINKS[0] && links <= HUB_LINKS[1]);
    if (hub >= 0) return { spec, hub, links: links[hub]! };
  }
}

const hub: Row = {
  name: "idle-hub",
  question: "an idle hub of 200 links: bytes sent a second, WebSocket header included",
  run(seed, machine): Figure[] {
    const { spec, hub, links } = graphWithHub(seed);
    const lab = new Lab(seed, machine, spec);
    lab.network.run(REST_MS);
    const ours = lab.controlRates(IDLE_S)[hub]!;
    return [{ what: `${links} links of ${count(spec.nodes)} nodes`, ours, target: 3_000, unit: "B/s" }];
  },
};

const state = (nodes: number): Row => ({
  name: `state-${nodes}`,
  question: `router state of ${count(nodes)} nodes, without sessions`,
  isLarge: nodes > NODES,
  run(seed, machine): Figure[] {
    const makeLab = () => Lab.settled(seed, machine, graphOf("R", nodes));
    const { meanBytes, busiestBytes } = weighRouters(makeLab, machine.heapBytes);
    return [
      { what: "mean", ours: meanBytes / 1_000, target: 40, unit: "KB" },
      { what: "busiest", ours: busiestBytes / 1e6, target: 8, unit: "MB" },
    ];
  },
});

const speed = (nodes: number): Row => ({
  name: "speed",
  question: `${count(nodes)} nodes, 100 first contacts a second, churn of 10 % a minute: the simulator's speed`,
  isTimed: true,
  run(seed, machine): Figure[] {
    const lab = Lab.settled(seed, machine, graphOf("R", nodes));
    churn(lab.network, lab.random.fork(), 0.1 * nodes, 30_000);
    lab.contacts.start(100);
    const startMs = machine.cpuMs();
    lab.network.run(30_000);
    const ours = 30_000 / (machine.cpuMs() - startMs);
    return [{ what: "times real time", ours, target: 10, unit: "×", atLeast: true }];
  },
});

const size = (nodes: number): Row => ({
  name: "size",
  question: `${count(nodes)} nodes from cold until every sampled pair delivers`,
  isLarge: true,
  isTimed: true,
  run(seed, machine): Figure[] {
    const startMs = machine.cpuMs();
    const lab = new Lab(seed, machine, graphOf("R", nodes));
    const wholeS = lab.untilWhole(60);
    return [
      { what: "virtual time", ours: wholeS, target: 60, unit: "s" },
      { what: "CPU time", ours: (machine.cpuMs() - startMs) / 60_000, target: 30, unit: "min" },
      { what: "memory", ours: machine.memoryBytes() / 2 ** 30, target: 16, unit: "GiB" },
    ];
  },
});

export const startRows = (nodes: number): Row[] => [...coldStart(nodes), ...staggered(nodes)];
export const idleRows = (nodes: number, largeNodes: number): Row[] => [idle(nodes), idle(largeNodes), hub];
export const stateRows = (nodes: number, hugeNodes: number): Row[] => [state(nodes), state(hugeNodes)];
/** What the simulator itself is to be able to do. */
export const simulatorRows = (nodes: number, hugeNodes: number): Row[] => [speed(nodes), size(hugeNodes)];
