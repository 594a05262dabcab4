import type { Crypto } from "../src/crypto/crypto.js";
import { churn } from "./churn.js";
import { neighboursOf } from "./graphs.js";
import {
  type Figure,
  GRAPHS,
  isMet,
  Lab,
  meanPercent,
  type Row,
  secondsUntilAllWork,
  worstPercent,
} from "./prove-row.js";
import { type Happening, happen } from "./scenario.js";
import { Ways } from "./ways.js";

/** Until a network of a thousand has settled after its start. */
const SETTLE_MS = 15_000;
/** So long first contacts are watched after something happened. */
const WATCH_S = 40;
const NODES = 1_000;

const each = (letters: string, make: (letter: string) => Row): Row[] => [...letters].map(make);
const graphOf = (letter: string, nodes = NODES) => ({ kind: GRAPHS[letter]!, nodes });

/** The first contacts on a settled network from the moment on at which something happens to it. */
function contactsAfter(letter: string, event: Happening, seed: number, crypto: Crypto) {
  const lab = new Lab(seed, crypto, graphOf(letter));
  lab.network.run(SETTLE_MS);
  const atMs = lab.network.nowMs;
  happen(lab.network, event, lab.random);
  return { contacts: lab.contactFor(WATCH_S), atMs };
}

function rootRow(name: string, question: string, event: Happening): Row[] {
  const worst: Readonly<Record<string, number>> = { R: 99.5, A: 99.5, W: 98, M: 98, G: 95 };
  return each("RAWGM", (letter) => ({
    name: `${name}-${letter}`,
    question,
    run(seed, crypto) {
      const { contacts } = contactsAfter(letter, event, seed, crypto);
      return [
        { what: "worst window", ours: worstPercent(contacts), target: worst[letter]!, unit: "%", atLeast: true },
        { what: "mean", ours: meanPercent(contacts), target: 99.8, unit: "%", atLeast: true },
      ];
    },
  }));
}

function whole(
  name: string,
  question: string,
  letters: string,
  targets: Readonly<Record<string, number>>,
  event: Happening,
): Row[] {
  return each(letters, (letter) => ({
    name: `${name}-${letter}`,
    question,
    run(seed, crypto) {
      const { contacts, atMs } = contactsAfter(letter, event, seed, crypto);
      return [
        { what: "all work again", ours: secondsUntilAllWork(contacts, atMs), target: targets[letter]!, unit: "s" },
      ];
    },
  }));
}

const coldStart: Row[] = each("RAWGM", (letter) => ({
  name: `cold-${letter}`,
  question: "1,000 nodes start at once, until every sampled pair delivers",
  run: (seed, crypto): Figure[] => {
    const lab = new Lab(seed, crypto, graphOf(letter));
    return [{ what: "whole", ours: lab.untilWhole(40), target: "GM".includes(letter) ? 12 : 5, unit: "s" }];
  },
}));

const staggered: Row[] = each("RAW", (letter) => ({
  name: `staggered-${letter}`,
  question: "1,000 nodes start within 10 s, from the last start until every sampled pair delivers",
  run: (seed, crypto): Figure[] => {
    const lab = new Lab(seed, crypto, graphOf(letter), { startMs: (index) => 10 * index + 1 });
    lab.network.run(10_000);
    return [{ what: "whole", ours: lab.untilWhole(30), target: 6, unit: "s" }];
  },
}));

const idle = (nodes: number): Row => ({
  name: `idle-${nodes}`,
  question: `${nodes} idle nodes of degree 6: bytes a second, WebSocket header included`,
  isLarge: nodes > NODES,
  run: (seed, crypto): Figure[] => {
    const lab = new Lab(seed, crypto, graphOf("R", nodes));
    lab.network.run(60_000);
    const before = lab.network.hosts.map(({ sent }) => sent.control);
    lab.network.run(120_000);
    const rates = lab.network.hosts.map(({ sent }, i) => (sent.control - before[i]!) / 120);
    return [{ what: "mean", ours: rates.reduce((sum, rate) => sum + rate, 0) / nodes, target: 60, unit: "B/s" }];
  },
});

const hub: Row = {
  name: "idle-hub",
  question: "an idle hub of 200 links or more: bytes a second",
  run: (seed, crypto): Figure[] => {
    const lab = new Lab(seed, crypto, graphOf("A", 2_000));
    const links = neighboursOf(lab.network.graph).map(({ length }) => length);
    // The hub whose number of links is nearest to what is asked for.
    const index = links.reduce(
      (best, count, i) => (Math.abs(count - 200) < Math.abs(links[best]! - 200) ? i : best),
      0,
    );
    lab.network.run(60_000);
    const host = lab.network.hosts[index]!;
    const before = host.sent.control;
    lab.network.run(120_000);
    const perSecond = (host.sent.control - before) / 120;
    return [{ what: `${links[index]} links`, ours: perSecond, target: 3_000, unit: "B/s" }];
  },
};

const halves: Row = {
  name: "halves-R",
  question: "cut in halves; healed by one link: all first contacts work again",
  run: (seed, crypto): Figure[] => {
    const lab = new Lab(seed, crypto, graphOf("R"));
    lab.network.run(SETTLE_MS);
    const cutMs = lab.network.nowMs;
    happen(lab.network, { do: "cut-in-halves" }, lab.random);
    const cut = secondsUntilAllWork(lab.contactFor(WATCH_S), cutMs);
    const healMs = lab.network.nowMs;
    happen(lab.network, { do: "heal-one" }, lab.random);
    const healed = secondsUntilAllWork(lab.contactFor(WATCH_S), healMs);
    return [
      { what: "cut", ours: cut, target: 12, unit: "s" },
      { what: "healed", ours: healed, target: 5, unit: "s" },
    ];
  },
};

const churning: Row[] = each("RAWGM", (letter) => ({
  name: `churn-${letter}`,
  question: "a tenth of the nodes leaves and comes back every minute: first contacts that succeed",
  run: (seed, crypto): Figure[] => {
    const lab = new Lab(seed, crypto, graphOf(letter));
    lab.network.run(SETTLE_MS);
    churn(lab.network, lab.random.fork(), 0.1 * NODES, 60_000);
    const target = letter === "M" ? 90 : letter === "G" ? 98 : 99;
    return [{ what: "mean", ours: meanPercent(lab.contactFor(60)), target, unit: "%", atLeast: true }];
  },
}));

const healthy: Row[] = each("RAWGM", (letter) => ({
  name: `healthy-${letter}`,
  question: "nothing fails: first contacts, and hops of the first reply's way over the fewest there are",
  run: (seed, crypto): Figure[] => {
    const lab = new Lab(seed, crypto, graphOf(letter));
    lab.network.run(SETTLE_MS);
    const contacts = lab.contactFor(20);
    const ways = Ways.now(lab.network);
    const stretches = contacts
      .filter(({ answeredMs }) => answeredMs !== undefined)
      .map(({ from, to, hops }) => hops / ways.hops(from, to));
    const mean = stretches.reduce((sum, stretch) => sum + stretch, 0) / stretches.length;
    return [
      { what: "succeed", ours: meanPercent(contacts), target: 99.8, unit: "%", atLeast: true },
      { what: "mean stretch", ours: mean, target: 1.7, unit: "" },
    ];
  },
}));

/** What `now` gives is milliseconds of CPU time: the only figures that depend on the machine. */
const speed = (now: () => number): Row => ({
  name: "speed",
  question: "1,000 nodes, 100 first contacts a second, churn of 10 % a minute: seconds of theirs in one of CPU",
  run: (seed, crypto): Figure[] => {
    const lab = new Lab(seed, crypto, graphOf("R"));
    lab.network.run(SETTLE_MS);
    churn(lab.network, lab.random.fork(), 0.1 * NODES, 30_000);
    lab.contacts.start(100);
    const startMs = now();
    lab.network.run(30_000);
    return [{ what: "ratio", ours: 30_000 / (now() - startMs), target: 10, unit: "×", atLeast: true }];
  },
});

const size = (now: () => number, memoryBytes: () => number): Row => ({
  name: "size",
  question: "10,000 nodes from cold until every sampled pair delivers",
  isLarge: true,
  run: (seed, crypto): Figure[] => {
    const startMs = now();
    const lab = new Lab(seed, crypto, graphOf("R", 10_000));
    const wholeS = lab.untilWhole(60);
    return [
      { what: "virtual time", ours: wholeS, target: 60, unit: "s" },
      { what: "CPU time", ours: (now() - startMs) / 60_000, target: 30, unit: "min" },
      { what: "memory", ours: memoryBytes() / 2 ** 30, target: 16, unit: "GiB" },
    ];
  },
});

const LINKS_BY: Readonly<Record<string, number>> = { R: 8, A: 8, W: 8, G: 15, M: 15 };

/** The table: what routing must show. `now` and `memoryBytes` are the machine's. */
export function proveRows(now: () => number, memoryBytes: () => number): readonly Row[] {
  return [
    ...coldStart,
    ...staggered,
    idle(NODES),
    idle(4_000),
    hub,
    ...healthy,
    ...rootRow("root-dies", "the best root of a tree dies: first contacts", { do: "power-off", nodes: { rootOf: 0 } }),
    ...rootRow("root-wobbles", "the best root is away 5 s of every 15: first contacts", {
      do: "turn",
      nodes: { rootOf: 0 },
      into: "wobbler",
    }),
    ...rootRow("root-drops", "the best root drops all it should forward: first contacts", {
      do: "turn",
      nodes: { rootOf: 0 },
      into: "silent-dropper",
    }),
    ...whole("links-die", "2 % of links die silently: all first contacts work again", "RAWGM", LINKS_BY, {
      do: "cut",
      links: { share: 0.02 },
    }),
    ...whole("relays-die", "10 relays die: all first contacts work again", "RAWGM", LINKS_BY, {
      do: "power-off",
      nodes: { random: 10 },
    }),
    halves,
    ...churning,
    speed(now),
    size(now, memoryBytes),
  ];
}

/** True where every figure meets its target. */
export const areMet = (figures: readonly Figure[]): boolean => figures.every(isMet);
