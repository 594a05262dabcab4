import type { Scenario } from "../scenario.js";

const COMMON = {
  graph: { kind: "random", nodes: 40 },
  forS: 25,
  contactsPerS: 20,
} as const satisfies Partial<Scenario>;

/** Attacks by saying what is not so: the other rows of PROTOCOL.md's table of attacks. */
export const LIES: readonly Scenario[] = [
  {
    name: "false-coordinates",
    about: "a node announces a nearer place than its parent gave it",
    attack: "draw traffic by false coordinates; the parent's signature over the port stands against it",
    ...COMMON,
    events: [{ atS: 8, do: "turn", nodes: [11], into: "coordinate-liar" }],
  },
  {
    name: "forged-signatures",
    about: "a node changes heartbeats, edges and registrations that others signed",
    attack:
      "invent seqs, edges and children of others; their signatures stand against it, the first bad one closes the link",
    ...COMMON,
    events: [{ atS: 8, do: "turn", nodes: [11], into: "forger" }],
  },
  {
    name: "replay",
    about: "a node sends old heartbeats, announcements, registrations, probes and packets again",
    attack: "have old words taken for new ones; seq, epoch, nonce and packet number stand against it",
    ...COMMON,
    flows: 3,
    flowBytes: 300_000,
    flowsAtS: 9,
    events: [{ atS: 8, do: "turn", nodes: { busiestIn: 0 }, into: "replayer" }],
  },
  {
    name: "forged-reports",
    about: "a node reports roots as lost whose child it is not",
    attack: "have living roots given up; the reporter's edge to the root, signed by both, stands against it",
    ...COMMON,
    events: [{ atS: 8, do: "turn", nodes: [11], into: "report-forger" }],
  },
  {
    name: "crying-wolf",
    about: "children of the roots report them lost, ask for seqs that none gave, and call routes broken",
    attack:
      "have living roots given up, and routes changed without end; a new seq answers, reports are limited, ROUTE_BROKEN is a hint",
    ...COMMON,
    flows: 3,
    flowBytes: 300_000,
    flowsAtS: 9,
    events: [{ atS: 8, do: "turn", nodes: { busiestIn: 0 }, into: "wolf-crier" }],
  },
  {
    name: "poisoned-balls",
    about: "a node tells of a map on which it is next to everybody",
    attack: "draw routes by false records; a candidate is probed before it is used, four at a time",
    ...COMMON,
    flows: 8,
    flowBytes: 50_000,
    flowsAtS: 10,
    events: [{ atS: 8, do: "turn", nodes: [11], into: "ball-poisoner" }],
  },
  {
    name: "false-locators",
    about: "a node hands on old and false locators to its peers, which seek nodes that went away",
    attack: "lead searches astray; the key's own signature and epoch stand against it, and a probe decides",
    ...COMMON,
    forS: 40,
    events: [
      { atS: 8, do: "turn", nodes: [11], into: "locator-liar" },
      { atS: 14, do: "power-off", nodes: [3, 13, 23, 33] },
    ],
  },
];
