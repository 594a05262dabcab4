import { churn } from "../churn.js";
import type { Happening } from "../scenario.js";
import { Ways } from "../ways.js";
import { Lab, meanPercent, secondsUntilAllWork, worstPercent } from "./lab.js";
import { each, type Figure, graphOf, mean, type Row, relaysOf, targetOf } from "./row.js";

/** So long first contacts are watched after something happened. */
const WATCH_S = 40;
const STEADY_S = 20;

function healthy(nodes: number): Row[] {
  return each("RASWGM", (letter) => ({
    name: `healthy-${letter}`,
    question: "nothing fails: first contacts, and hops of the first reply's way over the fewest there are",
    run(seed, machine): Figure[] {
      const lab = Lab.settled(seed, machine, graphOf(letter, nodes));
      const contacts = lab.contactFor(STEADY_S);
      const ways = Ways.now(lab.network);
      const stretches = contacts
        .filter(({ answeredMs }) => answeredMs !== undefined)
        .map(({ from, to, hops }) => hops / ways.hops(from, to));
      return [
        { what: "succeed", ours: meanPercent(contacts), target: 99.8, unit: "%", atLeast: true },
        { what: "mean stretch", ours: mean(stretches), target: 1.7, unit: "" },
      ];
    },
  }));
}

function root(name: string, what: string, nodes: number, event: Happening): Row[] {
  return each("RASWGM", (letter) => ({
    name: `${name}-${letter}`,
    question: `the best root of a tree ${what}: first contacts`,
    run(seed, machine): Figure[] {
      const lab = Lab.settled(seed, machine, graphOf(letter, nodes));
      lab.happen(event);
      const contacts = lab.contactFor(WATCH_S);
      const worst = targetOf(letter, { RAS: 99.5, WM: 98, G: 95 });
      return [
        { what: "worst window", ours: worstPercent(contacts), target: worst, unit: "%", atLeast: true },
        { what: "mean", ours: meanPercent(contacts), target: 99.8, unit: "%", atLeast: true },
      ];
    },
  }));
}

function hostile(nodes: number): Row[] {
  return each("RASWMG", (letter) => ({
    name: `hostile-${letter}`,
    question: "the roots of all three trees drop all that they should forward: first contacts",
    run(seed, machine): Figure[] {
      const lab = Lab.settled(seed, machine, graphOf(letter, nodes));
      const roots = [0, 1, 2].map((tree) => lab.rootOf(tree).index);
      lab.happen({ do: "turn", nodes: [...new Set(roots)], into: "silent-dropper" });
      const target = targetOf(letter, { RAS: 99, W: 97, M: 90, G: 80 });
      return [{ what: "mean", ours: meanPercent(lab.contactFor(STEADY_S)), target, unit: "%", atLeast: true }];
    },
  }));
}

/** Seconds from what happens until all first contacts work again. */
function secondsAfter(lab: Lab, event: Happening): number {
  const atMs = lab.network.nowMs;
  lab.happen(event);
  return secondsUntilAllWork(lab.contactFor(WATCH_S), atMs);
}

function mending(name: string, what: string, nodes: number, event: Happening): Row[] {
  return each("RASWGM", (letter) => ({
    name: `${name}-${letter}`,
    question: `${what}: all first contacts work again, detection included`,
    run(seed, machine): Figure[] {
      const ours = secondsAfter(Lab.settled(seed, machine, graphOf(letter, nodes)), event);
      return [{ what: "after", ours, target: targetOf(letter, { RASW: 8, GM: 15 }), unit: "s" }];
    },
  }));
}

const halves = (nodes: number): Row => ({
  name: "halves-R",
  question: "cut in halves; healed by one link: all first contacts work again",
  run(seed, machine): Figure[] {
    const lab = Lab.settled(seed, machine, graphOf("R", nodes));
    return [
      { what: "cut", ours: secondsAfter(lab, { do: "cut-in-halves" }), target: 12, unit: "s" },
      { what: "healed", ours: secondsAfter(lab, { do: "heal-one" }), target: 5, unit: "s" },
    ];
  },
});

function churning(nodes: number): Row[] {
  return each("RASWGM", (letter) => ({
    name: `churn-${letter}`,
    question: "a tenth of the nodes leaves and comes back every minute: first contacts",
    run(seed, machine): Figure[] {
      const lab = Lab.settled(seed, machine, graphOf(letter, nodes));
      churn(lab.network, lab.random.fork(), 0.1 * nodes, 60_000);
      const target = targetOf(letter, { RASW: 99, G: 98, M: 90 });
      return [{ what: "mean", ours: meanPercent(lab.contactFor(60)), target, unit: "%", atLeast: true }];
    },
  }));
}

/** What one who looks for a key for the first time sees. */
export function contactRows(nodes: number): Row[] {
  const best = { rootOf: 0 };
  const relays = relaysOf(nodes);
  return [
    ...healthy(nodes),
    ...root("root-dies", "dies", nodes, { do: "power-off", nodes: best }),
    ...root("root-wobbles", "is away 5 s of every 15", nodes, { do: "turn", nodes: best, into: "wobbler" }),
    ...root("root-drops", "drops all that it should forward", nodes, {
      do: "turn",
      nodes: best,
      into: "silent-dropper",
    }),
    ...hostile(nodes),
    ...mending("links-die", "2 % of links die silently", nodes, { do: "cut", links: { share: 0.02 } }),
    ...mending("relays-die", `${relays} relays die`, nodes, { do: "power-off", nodes: { random: relays } }),
    halves(nodes),
    ...churning(nodes),
  ];
}
