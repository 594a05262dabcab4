import type { Crypto } from "../src/crypto/crypto.js";
import { TREE_DEFAULTS } from "../src/router/config.js";
import { Check } from "./checkers/check.js";
import type { Violation } from "./checkers/checker.js";
import { Contacts } from "./contacts.js";
import { FrameLog } from "./frame-log.js";
import { makeGraph } from "./graph-spec.js";
import type { Graph } from "./graphs.js";
import type { Host } from "./host.js";
import { Network } from "./network.js";
import { partsNow } from "./parts.js";
import { Random } from "./random.js";
import { type Refusals, refusalsOf } from "./refusals.js";
import { type Scenario, schedule } from "./scenario.js";
import { Traffic } from "./traffic.js";
import { walkShare } from "./walk.js";

/** One second of a run. */
export interface Sample {
  readonly atS: number;
  readonly nodesUp: number;
  readonly parts: number;
  /** Pairs of the largest part that the trees join at that instant. */
  readonly walk: number;
  /** First contacts that began in that second, and how many of them succeeded. */
  contacts: number;
  answered: number;
  /** Bytes that a node sent in that second, but for DATA; the mean. */
  readonly controlBytes: number;
}

export interface RunReport {
  readonly scenario: string;
  readonly seed: number;
  readonly nodes: number;
  readonly links: number;
  readonly hash: string;
  readonly messages: number;
  readonly samples: readonly Sample[];
  readonly violations: readonly Violation[];
  readonly failed: readonly string[];
  /** When the first event was; undefined where nothing happens. */
  readonly eventAtS: number | undefined;
  /** What the scenario tries, where it is an attack. */
  readonly attack: string | undefined;
  /** What adversaries did, and how often. */
  readonly deeds: Readonly<Record<string, number>>;
  /** What honest nodes refused, all together. */
  readonly refusals: Refusals;
  /** Keys in the largest subtree table of an honest node. */
  readonly tableKeysMax: number;
  readonly flows: FlowsReport;
}

/** What became of the sessions that sent. */
export interface FlowsReport {
  readonly count: number;
  /** Those of which every byte arrived. */
  readonly done: number;
  readonly bytes: number;
  /** The longest time without an arrival. */
  readonly pauseMsMax: number;
}

export interface RunOptions {
  readonly crypto: Crypto;
  /** Another graph than the scenario's. */
  readonly graph?: Graph;
  /** Called after each second. */
  onSecond?(sample: Sample): void;
}

const WALK_PAIRS = 2_000;

/** Runs a scenario with all checkers at work, and samples it every second. */
export function run(scenario: Scenario, seed: number, { crypto, graph, onSecond }: RunOptions): RunReport {
  const random = new Random(seed);
  const drawn = graph ?? makeGraph(scenario.graph, random);
  const startMs = (scenario.startOverS ?? 0) * 1_000;
  const network = new Network({
    seed: random.uint32(),
    graph: drawn,
    crypto,
    ...(scenario.link === undefined ? {} : { link: scenario.link }),
    ...(scenario.ground === undefined ? {} : { ground: scenario.ground }),
    ...(scenario.trees === undefined ? {} : { config: { trees: { ...TREE_DEFAULTS, ...scenario.trees } } }),
    startMs: () => (startMs === 0 ? 0 : random.below(startMs)),
  });
  const traffic = new Traffic(network);
  const isHonest = ({ tamper }: Host) => tamper === undefined;
  const check = new Check({ network, crypto, frames: new FrameLog(), traffic, isHonest });
  const contacts = new Contacts(network, random.fork(), isHonest);
  if (scenario.contactsPerS > 0) contacts.start(scenario.contactsPerS);
  const walker = random.fork();
  schedule(network, scenario.events, random.fork(), traffic.flows);
  if (scenario.flows !== undefined) startFlows(network, traffic, scenario, random.fork());
  const samples: Sample[] = [];
  try {
    let sentBefore = 0;
    for (let atS = 1; atS <= scenario.forS; atS++) {
      network.run(1_000);
      const sent = network.hosts.reduce((sum, host) => sum + host.sent.control, 0);
      const parts = partsNow(network, isHonest).sort((a, b) => b.length - a.length);
      const nodesUp = network.hosts.filter(({ node }) => node !== undefined).length;
      const sample = {
        atS,
        nodesUp,
        parts: parts.length,
        walk: walkShare(network, parts[0] ?? [], walker, WALK_PAIRS),
        contacts: 0,
        answered: 0,
        controlBytes: (sent - sentBefore) / Math.max(1, nodesUp),
      };
      sentBefore = sent;
      samples.push(sample);
      onSecond?.(sample);
    }
    contacts.finish();
  } catch (error) {
    check.fail("crash", error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  for (const sample of samples) {
    const began = contacts.between((sample.atS - 1) * 1_000, sample.atS * 1_000);
    sample.contacts = began.length;
    sample.answered = began.filter(({ answeredMs }) => answeredMs !== undefined).length;
  }
  return {
    scenario: scenario.name,
    seed,
    nodes: drawn.nodes,
    links: drawn.edges.length,
    hash: network.hash.toString(),
    messages: network.hash.count,
    samples,
    violations: check.violations,
    failed: [...check.counts.keys()],
    eventAtS: scenario.events.length === 0 ? undefined : Math.min(...scenario.events.map(({ atS }) => atS)),
    attack: scenario.attack,
    ...outcomeOf(network, traffic, isHonest),
  };
}

/** Sessions between nodes of which none has two, and none is to become an adversary by its number. */
function startFlows(network: Network, traffic: Traffic, scenario: Scenario, random: Random): void {
  const { flows = 0, flowBytes = 100_000, flowsAtS = 5, events } = scenario;
  const turned = new Set(
    events.flatMap((event) => (event.do === "turn" && Array.isArray(event.nodes) ? event.nodes : [])),
  );
  network.schedule.at(flowsAtS * 1_000, () => {
    const ends = random.shuffled(network.hosts.filter(({ index }) => !turned.has(index)));
    for (let i = 0; i < flows && 2 * i + 1 < ends.length; i++)
      traffic.send(ends[2 * i]!.index, ends[2 * i + 1]!.index, flowBytes);
  });
}

function outcomeOf(network: Network, { flows }: Traffic, isHonest: (host: Host) => boolean) {
  const honest = network.hosts.filter((host) => isHonest(host) && host.node !== undefined);
  const deeds: Record<string, number> = {};
  for (const host of network.hosts) for (const [deed, times] of host.deeds) deeds[deed] = (deeds[deed] ?? 0) + times;
  return {
    deeds,
    refusals: refusalsOf(honest),
    tableKeysMax: Math.max(0, ...honest.flatMap(({ node }) => node!.router.tableSizes())),
    flows: {
      count: flows.length,
      done: flows.filter(({ isDone }) => isDone).length,
      bytes: flows.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
      pauseMsMax: Math.max(0, ...flows.map(({ pauseMs }) => pauseMs)),
    },
  };
}
