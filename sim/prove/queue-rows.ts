import type { Flow } from "../flow.js";
import type { Graph } from "../graphs.js";
import { Network } from "../network.js";
import { Traffic } from "../traffic.js";
import { type Figure, type Machine, quantile, type Row } from "./row.js";

/** The nodes: a relay, at one end of the slow link who receives, and at fast ones who pings and who sends. */
const [RELAY, RECEIVER, PINGER, FIRST_SENDER] = [0, 1, 2, 3];
const SENDERS = 8;
const FAST_BYTES_PER_MS = 125_000;
const FAST_MS = 0.25;
/** What the kernel takes ahead of a line. */
const KERNEL_BYTES = 512 * 1024;
const START_MS = 3_000;
const WARM_UP_MS = 10_000;
const MEASURE_MS = 8_000;
const PING_GAP_MS = 20;

/** What is limited: a link of so many Mbit/s, and the round trip between its ends. */
interface Line {
  readonly mbit: number;
  readonly roundTripMs: number;
}

interface Seen {
  /** Of the line, by the bytes of all streams there. */
  readonly share: number;
  readonly perStream: readonly number[];
  /** Of a ping, over that of one alone. */
  readonly pingMs: number;
}

/** A star around a relay, of which one link is slow. */
class Star {
  readonly network: Network;
  readonly #traffic: Traffic;
  readonly #pings: number[] = [];

  constructor(
    private readonly line: Line,
    seed: number,
    { crypto }: Machine,
  ) {
    const { mbit, roundTripMs } = line;
    const edges = Array.from({ length: FIRST_SENDER! + SENDERS - 1 }, (_, i) => [i + 1, RELAY!] as const);
    const isSlow = (_: unknown, edge: number) => edges[edge]![0] === RECEIVER;
    const graph: Graph = {
      nodes: edges.length + 1,
      edges,
      delaysMs: edges.map((edge, i) => (isSlow(edge, i) ? roundTripMs / 2 - FAST_MS : FAST_MS)),
      bytesPerMs: edges.map((edge, i) => (isSlow(edge, i) ? 125 * mbit : FAST_BYTES_PER_MS)),
    };
    this.network = new Network({ seed, graph, crypto, link: { bufferBytes: KERNEL_BYTES } });
    this.network.run(START_MS);
    this.#traffic = new Traffic(this.network);
  }

  /** Streams of bytes without end, and pings from one node to another beside them. */
  measure(streams: readonly (readonly [from: number, to: number])[], from: number, to: number): Seen {
    const { network } = this;
    this.#ping(from, to);
    network.run(2_000);
    const idleMs = quantile(this.#pings, 0.5);
    const flows = streams.map(([a, b]) => this.#traffic.send(a, b, Number.POSITIVE_INFINITY));
    network.run(WARM_UP_MS);
    const bytesOf = ({ receivedBytes }: Flow) => receivedBytes;
    const before = flows.map(bytesOf);
    this.#pings.length = 0;
    network.run(MEASURE_MS);
    const perStream = flows.map((flow, i) => (bytesOf(flow) - before[i]!) / (125 * this.line.mbit * MEASURE_MS));
    const share = perStream.reduce((sum, one) => sum + one, 0);
    return { share, perStream, pingMs: quantile(this.#pings, 0.99) - idleMs };
  }

  #ping(from: number, to: number): void {
    const { network } = this;
    const startMs = network.nowMs;
    network.ask("ping", from, network.key(to), ({ ok }) => {
      this.#pings.push(ok ? network.nowMs - startMs : Number.POSITIVE_INFINITY);
      network.schedule.after(PING_GAP_MS, () => this.#ping(from, to));
    });
  }
}

/** Jain's index of fairness: 1 where all have the same. */
function fairness(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  return (sum * sum) / (values.length * values.reduce((total, value) => total + value * value, 0));
}

const senders = Array.from({ length: SENDERS }, (_, i) => [FIRST_SENDER! + i, RECEIVER!] as const);

function queueRow(line: Line): Row {
  const { mbit, roundTripMs } = line;
  // Where packets of 1,200 bytes are all that a line is quick with, their headers take a tenth; eight sessions have two each at least.
  const share = mbit > 1 ? 0.9 : 0.75;
  const [oneMs, manyMs] = mbit > 1 ? [40, 60] : [80, 250];
  return {
    name: `queue-${mbit}-${roundTripMs}`,
    question: `link of ${mbit} Mbit/s and ${roundTripMs} ms: streams, and pings beside them at p99`,
    run(seed, machine): Figure[] {
      const star = () => new Star(line, seed, machine);
      const there = star().measure([[FIRST_SENDER!, RECEIVER!]], PINGER!, RECEIVER!);
      const away = star().measure([[RECEIVER!, FIRST_SENDER!]], RECEIVER!, PINGER!);
      const both = star().measure(
        [
          [FIRST_SENDER!, RECEIVER!],
          [RECEIVER!, FIRST_SENDER! + 1],
        ],
        PINGER!,
        RECEIVER!,
      );
      const many = star().measure(senders, PINGER!, RECEIVER!);
      const shareOf = (what: string, ours: number) => ({ what, ours, target: share, unit: "", atLeast: true });
      const pingOf = (what: string, ours: number, target: number) => ({ what, ours, target, unit: "ms" });
      return [
        shareOf("one stream", there.share),
        pingOf("ping", there.pingMs, oneMs),
        shareOf("from its end", away.share),
        pingOf("ping", away.pingMs, oneMs),
        { ...shareOf("both ways, the less", Math.min(...both.perStream)), target: 0.4 },
        pingOf("ping", both.pingMs, 2 * oneMs),
        { what: "eight streams", ours: many.share, target: mbit < 100 ? 0.8 : share, unit: "", atLeast: true },
        pingOf("ping", many.pingMs, manyMs),
        { what: "fairness", ours: fairness(many.perStream), target: 0.95, unit: "", atLeast: true },
      ];
    },
  };
}

/** What waits before a slow link, and for whom. */
export const queueRows = (): Row[] =>
  [1, 10, 100].flatMap((mbit) => [5, 40, 200].map((roundTripMs) => queueRow({ mbit, roundTripMs })));
