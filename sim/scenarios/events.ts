import type { Scenario } from "../scenario.js";

/** What happens to any network: starts, losses, cuts, churn. */
export const EVENTS: readonly Scenario[] = [
  {
    name: "cold-start",
    about: "all nodes of a random graph start at once",
    graph: { kind: "random", nodes: 300 },
    forS: 20,
    contactsPerS: 50,
    events: [],
  },
  {
    name: "root-dies",
    about: "the best root of a tree loses power",
    graph: { kind: "random", nodes: 300 },
    forS: 40,
    contactsPerS: 50,
    events: [{ atS: 15, do: "power-off", nodes: { rootOf: 0 } }],
  },
  {
    name: "links-die",
    about: "a fiftieth of all links dies in silence",
    graph: { kind: "random", nodes: 300 },
    forS: 45,
    contactsPerS: 50,
    events: [{ atS: 15, do: "cut", links: { share: 0.02 } }],
  },
  {
    name: "halves",
    about: "the network is cut in halves, and one link heals it",
    graph: { kind: "random", nodes: 200 },
    forS: 60,
    contactsPerS: 50,
    events: [
      { atS: 15, do: "cut-in-halves" },
      { atS: 45, do: "heal-one" },
    ],
  },
  {
    name: "churn",
    about: "a tenth of the nodes leaves and comes back every minute",
    graph: { kind: "random", nodes: 300 },
    forS: 75,
    contactsPerS: 50,
    events: [{ atS: 15, do: "churn", sharePerMinute: 0.1, forS: 60 }],
  },
];
