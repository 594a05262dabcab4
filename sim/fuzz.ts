import type { Crypto } from "../src/crypto/crypto.js";
import { TREE_DEFAULTS } from "../src/router/config.js";
import { PATH_DEFAULTS } from "../src/router/path-config.js";
import { equalBytes } from "../src/wire/bytes.js";
import { TREE_COUNT } from "../src/wire/limits.js";
import { FORWARDING, turn } from "./adversaries/all.js";
import { Check } from "./checkers/check.js";
import type { CheckContext, Violation } from "./checkers/checker.js";
import { viewFaults } from "./checkers/views.js";
import { FAULTS, type Fault, storm } from "./faults.js";
import type { Flow } from "./flow.js";
import { FrameLog } from "./frame-log.js";
import { GRAPH_KINDS, type GraphSpec, makeGraph } from "./graph-spec.js";
import type { Graph } from "./graphs.js";
import type { Host } from "./host.js";
import type { LinkModel } from "./link.js";
import { Network } from "./network.js";
import { Random } from "./random.js";
import { partsOf } from "./random-graphs.js";
import { Traffic } from "./traffic.js";
import { walkInTree } from "./walk.js";

/** What a seed is made of: a network, what goes over it, and what goes wrong. */
export interface Swarm {
  readonly graph: GraphSpec;
  readonly link: Partial<LinkModel>;
  readonly leaves: number;
  readonly flows: number;
  readonly flowBytes: number;
  readonly contactsPerS: number;
  readonly faults: number;
  readonly kinds: readonly Fault[];
  readonly adversary: string | undefined;
  readonly staggerMs: number;
  /** Bytes of DATA that a queue holds. */
  readonly queueBytes: number;
}

export interface FuzzResult {
  readonly seed: number;
  readonly swarm: Swarm;
  readonly hash: string;
  readonly messages: number;
  readonly violations: readonly Violation[];
  /** Names of the checkers that found something. */
  readonly failed: readonly string[];
  /** True where only the liveness phase failed. */
  readonly isLivenessOnly: boolean;
}

/** Checkers of the liveness phase. */
export const LIVENESS: readonly string[] = ["views", "reach", "idle-traffic"];

/** So that whoever invents keys meets it. */
const CHILD_KEYS_MAX = 500;
const NEVER: readonly [number, number] = [0, 1];
const SETTLE_MS = 4_000;
const GAP_MS = [100, 1_500] as const;
const LASTS_MS = [300, 8_000] as const;
/** From the last fault's end until every view is right: a link that died in silence is found within 23 s, and its loss told within 20. */
const HEAL_MS_MAX = 60_000;
/** A leaf's link that died in silence is found within 123 s. */
const LEAF_HEAL_MS_MAX = 160_000;
/** Searches that began while things failed are over, and what they found unreachable is forgotten. */
const REST_MS = 7_000;
const PAIRS_MAX = 120;
const PAIRS_AT_ONCE = 10;
const REACH_BYTES = 1_000;
const REACH_MS = 10_000;
const QUIET_MS = 40_000;
/** A session whose peer is gone and to which nothing is sent ends within this. */
const MISSED_MS = 320_000;
/** Until the last sessions' last packets are acknowledged, and routes rest. */
const HUSH_MS = 45_000;

/** Draws a network and its faults: each part is there or not, so that seeds are unlike each other (swarm testing). */
export function drawSwarm(random: Random): Swarm {
  const maybe = <T>(numerator: number, denominator: number, value: () => T, otherwise: T): T =>
    random.chance(numerator, denominator) ? value() : otherwise;
  const kinds = FAULTS.filter(() => random.chance(1, 2));
  const nodes = random.between(4, 24);
  return {
    graph: { kind: random.pick(GRAPH_KINDS), nodes, degree: random.between(2, 6), delayMs: [1, random.between(2, 80)] },
    link: {
      bytesPerMs: random.pick([100, 1_000, 12_500]),
      bufferBytes: random.pick([8_192, 65_536, 262_144]),
      loss: maybe(1, 3, () => [1, random.pick([50, 500])], NEVER),
      jitterMs: maybe(1, 3, () => random.between(1, 60), 0),
      reset: maybe(1, 6, () => [1, 2_000], NEVER),
    },
    leaves: maybe(1, 4, () => random.between(1, 3), 0),
    flows: maybe(2, 3, () => random.between(1, 3), 0),
    flowBytes: random.pick([2_000, 60_000, 300_000]),
    contactsPerS: maybe(2, 3, () => random.between(1, 10), 0),
    faults: kinds.length === 0 ? 0 : random.between(1, 16),
    kinds,
    adversary: maybe(1, 4, () => random.pick(FORWARDING), undefined),
    staggerMs: maybe(1, 4, () => 3_000, 0),
    queueBytes: maybe(1, 3, () => 8_192, 524_288),
  };
}

/** Runs one seed: safety while things fail, then liveness once they do not. `changes` stand in place of what the seed draws. */
export function fuzz(seed: number, crypto: Crypto, changes: Partial<Swarm> = {}): FuzzResult {
  const random = new Random(seed);
  const swarm = { ...drawSwarm(random), ...changes };
  return new FuzzRun(seed, swarm, random, crypto).run();
}

class FuzzRun {
  readonly #network: Network;
  readonly #traffic: Traffic;
  readonly #check: Check;
  readonly #context: CheckContext;
  readonly #adversary: Host | undefined;
  readonly #leaves: ReadonlySet<number>;

  constructor(
    private readonly seed: number,
    private readonly swarm: Swarm,
    private readonly random: Random,
    crypto: Crypto,
  ) {
    const graph = makeGraph(swarm.graph, random);
    const spare = expendable(graph, random);
    const adversary = swarm.adversary === undefined ? undefined : spare.pop();
    this.#leaves = new Set(spare.splice(0, swarm.leaves));
    this.#network = new Network({
      seed: random.uint32(),
      graph,
      crypto,
      link: swarm.link,
      config: {
        paths: { ...PATH_DEFAULTS, dataBytesMax: swarm.queueBytes },
        trees: { ...TREE_DEFAULTS, childKeysMax: CHILD_KEYS_MAX },
      },
      node: (index) => ({ leaf: this.#leaves.has(index) }),
      startMs: () => (swarm.staggerMs === 0 ? 0 : random.below(swarm.staggerMs)),
    });
    this.#traffic = new Traffic(this.#network);
    this.#adversary = adversary === undefined ? undefined : this.#network.hosts[adversary];
    const isHonest = (host: Host) => host !== this.#adversary;
    const frames = new FrameLog();
    this.#context = { network: this.#network, crypto, frames, traffic: this.#traffic, isHonest };
    this.#check = new Check(this.#context);
    if (this.#adversary !== undefined) turn(this.#adversary, swarm.adversary!, this.#network, random.fork());
  }

  run(): FuzzResult {
    try {
      this.#safety();
      this.#liveness();
    } catch (error) {
      this.#check.fail("crash", error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    const failed = [...this.#check.counts.keys()];
    const { hash } = this.#network;
    return {
      seed: this.seed,
      swarm: this.swarm,
      hash: hash.toString(),
      messages: hash.count,
      violations: this.#check.violations,
      failed,
      isLivenessOnly: failed.every((name) => LIVENESS.includes(name)),
    };
  }

  #safety(): void {
    const { swarm } = this;
    const network = this.#network;
    network.run(SETTLE_MS + swarm.staggerMs);
    const honest = network.hosts.filter((host) => this.#context.isHonest(host)).map(({ index }) => index);
    const ends = this.random.shuffled(honest).slice(0, Math.min(2 * swarm.flows, honest.length - 1));
    for (let i = 0; i + 1 < ends.length; i += 2) this.#traffic.send(ends[i]!, ends[i + 1]!, swarm.flowBytes + i);
    this.#contact(network.nowMs + swarm.faults * GAP_MS[1] + LASTS_MS[1]);
    network.run(1_000);
    // A session does not outlive its node.
    const nodes = honest.filter((index) => !ends.includes(index));
    if (nodes.length > 0 && swarm.faults > 0)
      storm(network, this.random.fork(), { ...swarm, gapMs: GAP_MS, lastsMs: LASTS_MS, nodes });
    network.run(swarm.faults * GAP_MS[1] + LASTS_MS[1]);
  }

  /** Questions from anyone to anyone; their answers are checked where the network is whole. */
  #contact(untilMs: number): void {
    const network = this.#network;
    if (this.swarm.contactsPerS === 0 || network.nowMs > untilMs) return;
    const [from, to] = [this.random.below(network.hosts.length), this.random.below(network.hosts.length)];
    if (network.hosts[from]!.isReading) network.ask("lookup", from, network.key(to));
    network.schedule.after(1_000 / this.swarm.contactsPerS, () => this.#contact(untilMs));
  }

  /** What is left once the adversary is gone and all is mended: the core. */
  #liveness(): void {
    const network = this.#network;
    network.calm();
    if (this.#adversary !== undefined) network.crash(this.#adversary.index);
    const isWhole = () =>
      network.isLinkedAmong(this.#context.isHonest) &&
      viewFaults(this.#context).length === 0 &&
      this.#traffic.flows.every(({ isDone, isBroken }) => isDone || isBroken);
    const mostMs = this.swarm.leaves > 0 ? LEAF_HEAL_MS_MAX : HEAL_MS_MAX;
    if (!network.runUntil(isWhole, mostMs, 500)) this.#explain();
    network.run(REST_MS);
    this.#reach();
    network.runUntil(() => !this.#isAdversaryMissed(), MISSED_MS, 1_000);
    network.run(HUSH_MS);
    const fromMs = network.nowMs;
    this.#check.handleHealed();
    network.run(QUIET_MS);
    this.#check.handleQuiet(fromMs);
  }

  /** An honest node has a session with the adversary yet, and seeks it. */
  #isAdversaryMissed(): boolean {
    const key = this.#adversary?.key;
    if (key === undefined) return false;
    const isMissed = ({ node }: Host) =>
      node?.status().sessions.some(({ key: peer }) => equalBytes(peer, key)) === true;
    return this.#network.hosts.some(isMissed);
  }

  #explain(): void {
    for (const fault of viewFaults(this.#context)) this.#check.fail("views", fault);
    if (!this.#network.isLinkedAmong(this.#context.isHonest))
      this.#check.fail("reach", "links of honest nodes are not up");
    for (const { from, to, isDone, receivedBytes, sizeBytes } of this.#traffic.flows)
      if (!isDone) this.#check.fail("reach", `${receivedBytes} of ${sizeBytes} bytes came from ${from} to ${to}`);
  }

  /** Each tree alone leads from each node to each other. */
  #walk(honest: readonly Host[]): void {
    for (let tree = 0; tree < TREE_COUNT; tree++)
      for (const from of honest)
        for (const to of honest)
          if (from !== to && walkInTree(this.#network, from, to, tree) === 0)
            this.#check.fail("reach", `tree ${tree} does not lead from node ${from.index} to node ${to.index}`);
  }

  /** Honest nodes open sessions with each other, and what they send arrives. A few at once: the links may be slow. */
  #reach(): void {
    const network = this.#network;
    const honest = network.hosts.filter((host) => this.#context.isHonest(host));
    this.#walk(honest);
    const joined = new Set(this.#traffic.flows.map(({ from, to }) => pairOf(from, to)));
    for (let asked = 0; asked < Math.min(PAIRS_MAX, honest.length ** 2); asked += PAIRS_AT_ONCE) {
      const flows: Flow[] = [];
      for (let i = 0; i < PAIRS_AT_ONCE; i++) {
        const [from, to] = [this.random.pick(honest).index, this.random.pick(honest).index];
        if (from === to || joined.has(pairOf(from, to))) continue;
        joined.add(pairOf(from, to));
        flows.push(this.#traffic.send(from, to, REACH_BYTES));
      }
      network.runUntil(() => flows.every(({ isDone, isBroken }) => isDone || isBroken), REACH_MS, 50);
      for (const flow of flows) {
        const { from, to, isDone, reason } = flow;
        if (!isDone) this.#check.fail("reach", `node ${from} does not reach node ${to}: ${reason}`);
        this.#traffic.close(flow);
      }
    }
  }
}

const pairOf = (a: number, b: number): string => `${Math.min(a, b)}-${Math.max(a, b)}`;

/** Nodes without all of which the others are still joined, each of them linked to one of those; in random order. */
function expendable({ nodes, edges }: Graph, random: Random): number[] {
  const left = new Set(Array.from({ length: nodes }, (_, i) => i));
  const without: number[] = [];
  for (const node of random.shuffled([...left])) {
    left.delete(node);
    const joined = edges.filter(([a, b]) => left.has(a) && left.has(b));
    const parts = partsOf(nodes, joined).filter(([first]) => left.has(first!));
    const hangs = (one: number) => edges.some(([a, b]) => (a === one && left.has(b)) || (b === one && left.has(a)));
    if (parts.length === 1 && left.size > 2 && [...without, node].every(hangs)) without.push(node);
    else left.add(node);
  }
  return without;
}
