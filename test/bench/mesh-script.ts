import { makeGraph } from "../../sim/graph-spec.js";
import { type Graph, neighboursOf } from "../../sim/graphs.js";
import { Random } from "../../sim/random.js";
import { partsOf } from "../../sim/random-graphs.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { rankOf } from "../../src/router/rank.js";
import { compareBytes } from "../../src/wire/bytes.js";
import { TREE_COUNT } from "../../src/wire/limits.js";
import type { Bed, FlowState, MeshPlan } from "../e2e/bed.js";

/** A plan with all that a script does to the mesh: the same on every bed. */
export interface ScriptPlan extends MeshPlan {
  /** Ordered pairs of nodes for first contacts, each once. */
  readonly pairs: readonly (readonly [number, number])[];
  readonly flows: readonly (readonly [number, number])[];
  /** The best key of each tree. */
  readonly roots: readonly number[];
  /** Sets of edges that die one after another, and relays that do. */
  readonly cutEdges: readonly (readonly number[])[];
  readonly relays: readonly number[];
}

/** The figure by which a simulated mesh is made as late as the machine. */
export const LINK_EXCESS = "a link's round trip beyond its delay, ms";

/** Figures by what they say, in the order of the table. */
export type Figures = Map<string, number>;

const SETTLE_MS = 15_000;
const IDLE_MS = 60_000;
const STRETCH_CONTACTS = 100;
const CONTACTS_PER_S = 8;
/** How long first contacts are watched after something happened. */
const WATCH_MS = 12_000;
/** A longer pause of a flow is noticed. */
const PAUSE_MS = 300;
/** Sets of links that die, one after another. */
const CUTS = 4;
const PING_GAP_MS = 50;
/** As in `prove`: who is found within this succeeds, and who is not asks again after that. */
const CONTACT_MS = 2_000;
const RETRY_MS = 1_000;
const FLOWS = 20;
const COLD_STEP_MS = 50;
const COLD_MS_MAX = 60_000;

/** A random mesh of degree 6 with delays of 5 to 50 ms, of which a share of the links and of the nodes will die, and stays one part. */
export function makePlan(nodes: number, seed: number): ScriptPlan {
  const crypto = nativeCrypto();
  for (let random = new Random(seed); ; random = random.fork()) {
    const graph = makeGraph({ kind: "random", nodes, degree: 6 }, random);
    const seeds = Array.from({ length: nodes }, () => random.bytes(32));
    const keys = seeds.map((bytes) => crypto.identityFromSeed(bytes).publicKey);
    const indices = keys.map((_, index) => index);
    const roots = Array.from({ length: TREE_COUNT }, (_, tree) => {
      const ranks = keys.map((key) => rankOf(crypto, tree, key));
      return indices.reduce((best, index) => (compareBytes(ranks[index]!, ranks[best]!) > 0 ? index : best));
    });
    const order = random.shuffled(indices.filter((index) => !roots.includes(index)));
    const relays = order.slice(0, Math.max(1, Math.round(nodes / 10)));
    const cutCount = Math.max(2, Math.round(graph.edges.length / 10));
    const cutEdges = Array.from({ length: CUTS }, () =>
      random.shuffled(graph.edges.map((_, i) => i)).slice(0, cutCount),
    );
    if (!staysWhole(graph, cutEdges, [roots[0]!, ...relays])) continue;
    const lasting = indices.filter((index) => index !== roots[0] && !relays.includes(index));
    const pairs = random.shuffled(lasting.flatMap((a) => lasting.flatMap((b) => (a === b ? [] : [[a, b] as const]))));
    return { graph, seeds, pairs, flows: drawFlows(lasting, random), roots, cutEdges, relays };
  }
}

/** True where the links that die leave one part, and the nodes that die do. */
function staysWhole(
  { nodes, edges }: Graph,
  cutEdges: readonly (readonly number[])[],
  gone: readonly number[],
): boolean {
  const left = edges.filter((edge) => !edge.some((node) => gone.includes(node)));
  const isWhole = (cut: readonly number[]) =>
    partsOf(
      nodes,
      edges.filter((_, i) => !cut.includes(i)),
    ).length === 1;
  return cutEdges.every(isWhole) && partsOf(nodes, left).length === 1 + gone.length;
}

/** Pairs of nodes, none of them both ways, as each pair has one session. */
function drawFlows(nodes: readonly number[], random: Random): (readonly [number, number])[] {
  const flows = new Map<string, readonly [number, number]>();
  const most = Math.min(FLOWS, (nodes.length * (nodes.length - 1)) / 2);
  while (flows.size < most) {
    const [from, to] = [random.pick(nodes), random.pick(nodes)];
    if (from !== to) flows.set([from, to].sort((a, b) => a - b).join(), [from, to]);
  }
  return [...flows.values()];
}

/** What first contacts and flows noticed of something that happened. */
interface Seen {
  readonly contacts: number;
  readonly failed: number;
  /** From the moment on until the last contact that failed had begun. */
  readonly workMs: number;
  /** The longest of each flow. */
  readonly pausesMs: readonly number[];
  readonly cpuS: number | undefined;
}

/** One first contact. */
interface Contact {
  readonly atMs: number;
  readonly hops: number | undefined;
  readonly pair: readonly [number, number];
}

/** Does the same to a mesh, whatever it is made of, and gives the figures. `say` is told what goes on. */
export class MeshScript {
  readonly #figures: Figures = new Map();
  #nextPair = 0;

  constructor(
    private readonly bed: Bed,
    private readonly plan: ScriptPlan,
    private readonly say: (text: string) => void = () => {},
  ) {}

  async run(): Promise<Figures> {
    await this.#coldStart();
    await this.bed.pause(SETTLE_MS);
    await this.#idle();
    await this.#firstStretch();
    this.say(`${this.plan.flows.length} flows begin`);
    for (const [from, to] of this.plan.flows) await this.bed.flow(from, to);
    await this.bed.pause(SETTLE_MS);
    await this.#linkExcess();
    await this.#linksDie();
    await this.#nodesDie("the best root of a tree dies", this.plan.roots.slice(0, 1));
    await this.#nodesDie(`${this.plan.relays.length} relays die`, this.plan.relays);
    await this.#countLostBytes();
    return this.#figures;
  }

  /** Until the best key of each tree knows all others below itself: then each tree leads from every node to every other. */
  async #coldStart(): Promise<void> {
    this.say("all links are dialled at once");
    const beforeS = this.bed.cpuS();
    await this.bed.open();
    const { roots, graph } = this.plan;
    const startMs = this.bed.nowMs();
    for (;;) {
      const sizes = await Promise.all(roots.map((root, tree) => this.bed.keysBelow(root, tree)));
      const tookMs = this.bed.nowMs() - startMs;
      if (sizes.every((size) => size === graph.nodes - 1)) {
        this.#note("cold start: all trees whole, s", tookMs / 1_000);
        const cpuS = this.bed.cpuS();
        if (cpuS !== undefined && beforeS !== undefined) this.#note("cold start: CPU of all nodes, s", cpuS - beforeS);
        return;
      }
      if (tookMs > COLD_MS_MAX) throw new Error(`the trees are not whole: ${sizes.join()} keys below their roots`);
      await this.bed.pause(COLD_STEP_MS);
    }
  }

  async #idle(): Promise<void> {
    this.say(`idle for ${IDLE_MS / 1_000} s`);
    const [before, beforeMs] = [this.bed.sentBytes(), this.bed.nowMs()];
    await this.bed.pause(IDLE_MS);
    const bytesPerS = (this.bed.sentBytes() - before) / ((this.bed.nowMs() - beforeMs) / 1_000);
    this.#note("idle: bytes sent a second, a node", bytesPerS / this.plan.graph.nodes);
  }

  async #firstStretch(): Promise<void> {
    this.say(`${STRETCH_CONTACTS} first contacts`);
    const contacts = await this.#contactFor((1_000 * STRETCH_CONTACTS) / CONTACTS_PER_S);
    const neighbours = neighboursOf(this.plan.graph);
    const stretches = contacts.flatMap(({ hops, pair }) =>
      hops === undefined ? [] : [hops / hopsBetween(neighbours, pair)],
    );
    this.#note("first packet: stretch in hops", mean(stretches));
  }

  /** How much longer a round trip over a link takes than its delay twice, with the flows going on: what the machine adds. */
  async #linkExcess(): Promise<void> {
    const { edges, delaysMs = [] } = this.plan.graph;
    const excessesMs: number[] = [];
    for (const [edge, [from, to]] of edges.entries()) {
      const answer = await this.bed.ping(from, to);
      if (answer?.hops === 1) excessesMs.push(answer.rttMs - 2 * delaysMs[edge]!);
      await this.bed.pause(PING_GAP_MS);
    }
    this.#note(LINK_EXCESS, mean(excessesMs));
  }

  async #linksDie(): Promise<void> {
    const { cutEdges } = this.plan;
    const what = `${cutEdges[0]!.length} links die silently, ${cutEdges.length} times`;
    const seen: Seen[] = [];
    for (const edges of cutEdges) {
      seen.push(await this.#watch(what, async () => edges.forEach((edge) => void this.bed.cut(edge))));
      for (const edge of edges) this.bed.heal(edge);
      await this.bed.pause(SETTLE_MS);
    }
    this.#tell(what, seen);
  }

  async #nodesDie(what: string, nodes: readonly number[]): Promise<void> {
    const seen = await this.#watch(
      what,
      async () => void (await Promise.all(nodes.map((node) => this.bed.powerOff(node)))),
    );
    this.#tell(what, [seen]);
    await this.bed.pause(SETTLE_MS);
  }

  /** What first contacts and flows notice of something that happens. */
  async #watch(what: string, happen: () => Promise<void>): Promise<Seen> {
    this.say(what);
    const beforeS = this.bed.cpuS();
    await this.bed.mark();
    const atMs = this.bed.nowMs();
    await happen();
    const contacts = await this.#contactFor(WATCH_MS);
    const failed = contacts.filter(({ hops }) => hops === undefined);
    const workMs = Math.max(0, ...failed.map((contact) => contact.atMs - atMs));
    const pausesMs = (await this.#flows()).map(({ pauseMs }) => pauseMs);
    const cpuS = this.bed.cpuS();
    const usedS = cpuS === undefined || beforeS === undefined ? undefined : cpuS - beforeS;
    return { contacts: contacts.length, failed: failed.length, workMs, pausesMs, cpuS: usedS };
  }

  #tell(what: string, seen: readonly Seen[]): void {
    const contacts = seen.reduce((sum, one) => sum + one.contacts, 0);
    const failed = seen.reduce((sum, one) => sum + one.failed, 0);
    const paused = seen
      .flatMap(({ pausesMs }) => pausesMs.filter((pauseMs) => pauseMs > PAUSE_MS))
      .sort((a, b) => a - b);
    this.#note(`${what}: first contacts that succeed, %`, 100 * (1 - failed / contacts));
    this.#note(`${what}: all work again after, s`, Math.max(...seen.map(({ workMs }) => workMs)) / 1_000);
    this.#note(`${what}: flows that pause over 0.3 s`, paused.length);
    this.#note(`${what}: such a pause, median, s`, (paused[paused.length >> 1] ?? 0) / 1_000);
    this.#note(`${what}: the longest pause, s`, Math.max(...seen.flatMap(({ pausesMs }) => pausesMs)) / 1_000);
    const cpuS = seen.reduce((sum, one) => sum + (one.cpuS ?? Number.NaN), 0);
    if (!Number.isNaN(cpuS)) this.#note(`${what}: CPU of all nodes, s`, cpuS);
  }

  async #countLostBytes(): Promise<void> {
    await this.bed.stopFlows();
    await this.bed.pause(SETTLE_MS);
    const flows = await this.#flows();
    this.#note(
      "flows: bytes lost or altered",
      flows.reduce((sum, flow) => sum + lostBytes(flow), 0),
    );
  }

  /** The flows of the plan, each of which has brought something. */
  async #flows(): Promise<FlowState[]> {
    const flows = await this.bed.flows();
    if (flows.length !== this.plan.flows.length) throw new Error(`${flows.length} flows of ${this.plan.flows.length}`);
    return flows;
  }

  async #contactFor(forMs: number): Promise<Contact[]> {
    const contacts: Promise<Contact>[] = [];
    for (let left = Math.round((forMs * CONTACTS_PER_S) / 1_000); left > 0; left--) {
      const pair = this.plan.pairs[this.#nextPair++ % this.plan.pairs.length]!;
      contacts.push(this.#contact(pair));
      await this.bed.pause(1_000 / CONTACTS_PER_S);
    }
    return Promise.all(contacts);
  }

  async #contact(pair: readonly [number, number]): Promise<Contact> {
    const atMs = this.bed.nowMs();
    for (;;) {
      const hops = await this.bed.lookup(...pair);
      const isInTime = this.bed.nowMs() - atMs <= CONTACT_MS;
      if (hops !== undefined || !isInTime) return { atMs, hops: isInTime ? hops : undefined, pair };
      await this.bed.pause(RETRY_MS);
    }
  }

  #note(what: string, figure: number): void {
    this.#figures.set(what, figure);
    this.say(`${what}: ${figure.toFixed(2)}`);
  }
}

function mean(figures: readonly number[]): number {
  return figures.reduce((sum, one) => sum + one, 0) / figures.length;
}

function lostBytes({ sentBytes, receivedBytes, isCorrupt }: FlowState): number {
  return isCorrupt ? sentBytes : sentBytes - receivedBytes;
}

/** The fewest hops from one node to another. */
function hopsBetween(neighbours: readonly (readonly number[])[], [from, to]: readonly [number, number]): number {
  const hops = new Map([[from, 0]]);
  for (const [at, count] of hops) {
    if (at === to) return count;
    for (const next of neighbours[at]!) if (!hops.has(next)) hops.set(next, count + 1);
  }
  return Number.NaN;
}
