import type { Scenario } from "../scenario.js";

const COMMON = {
  graph: { kind: "random", nodes: 40 },
  forS: 25,
  contactsPerS: 20,
} as const satisfies Partial<Scenario>;
const FLOWS = { flows: 3, flowBytes: 300_000, flowsAtS: 5 } as const;

/** Attacks by silence, by force and by what they cost: a scenario for each row of PROTOCOL.md's table, with those of lies.ts. */
export const ATTACKS: readonly Scenario[] = [
  {
    name: "root-drops",
    about: "the best root of a tree drops all that it should forward",
    attack: "grind a key until it is the best root of a tree, then drop; three ranks stand against it",
    ...COMMON,
    ground: [7],
    events: [{ atS: 8, do: "turn", nodes: [7], into: "silent-dropper" }],
  },
  {
    name: "root-drops-contacts",
    about: "the best root of a tree forwards all but what finds keys",
    attack: "grind a key until it is the best root of a tree, then drop probes alone; three ranks stand against it",
    ...COMMON,
    ...FLOWS,
    ground: [7],
    events: [{ atS: 8, do: "turn", nodes: [7], into: "contact-dropper" }],
  },
  {
    name: "root-wobbles",
    about: "the best root of a tree is away five seconds of every fifteen",
    attack: "grind a key until it is the best root of a tree, then come and go; three ranks stand against it",
    ...COMMON,
    forS: 40,
    ground: [7],
    events: [{ atS: 5, do: "turn", nodes: [7], into: "wobbler" }],
  },
  {
    name: "all-roots-drop",
    about: "one attacker with three ground keys is root of all three trees, and drops",
    attack: "grind a key for each tree, then drop; remembered locators, detours and session peers stand against it",
    ...COMMON,
    ...FLOWS,
    ground: [7, 17, 27],
    events: [{ atS: 8, do: "turn", nodes: [7, 17, 27], into: "silent-dropper" }],
  },
  {
    name: "parent-drops",
    about: "the parent of the largest part of a tree black-holes its children",
    attack: "drop what goes up and down through it in its tree; the other trees stand against it",
    ...COMMON,
    events: [{ atS: 8, do: "turn", nodes: { busiestIn: 0 }, into: "silent-dropper" }],
  },
  {
    name: "route-drops",
    about: "a relay on the route of a session drops what it should forward",
    attack: "drop in silence on a route in use; end-to-end acknowledgement and the spare stand against it",
    ...COMMON,
    ...FLOWS,
    flowBytes: 3_000_000,
    link: { bytesPerMs: 500 },
    events: [{ atS: 7, do: "turn", nodes: { relayOf: 0 }, into: "silent-dropper" }],
  },
  {
    name: "invented-children",
    about: "a node registers invented keys below itself without end",
    attack: "fill subtree tables with keys of its own making; the quota of each child port stands against it",
    ...COMMON,
    trees: { childKeysMax: 150 },
    events: [{ atS: 8, do: "turn", nodes: [11], into: "child-inventor" }],
  },
  {
    name: "invented-paths",
    about: "a node announces ever new paths of its own making",
    attack: "have neighbours check signatures without end; the budget of signatures of each link stands against it",
    ...COMMON,
    forS: 14,
    trees: { signaturesPerSecond: 512, signaturesBurst: 1_024 },
    events: [{ atS: 8, do: "turn", nodes: [11], into: "path-inventor" }],
  },
  {
    name: "probe-flood",
    about: "a node looks for a hundred keys a second",
    attack:
      "have relays and targets work for its probes; rates per ingress and the budget of signatures stand against it",
    ...COMMON,
    events: [{ atS: 8, do: "turn", nodes: [11], into: "prober" }],
  },
  {
    name: "frame-flood",
    about: "a node sends frames for keys that nobody has, as fast as its links take them",
    attack: "fill queues; fair queueing by ingress and by flow stands against it",
    ...COMMON,
    ...FLOWS,
    forS: 14,
    link: { bytesPerMs: 1_000 },
    events: [{ atS: 6, do: "turn", nodes: [11], into: "flooder" }],
  },
  {
    name: "winding-routes",
    about:
      "a node sends large frames to and fro through the network by routes of 127 hops, and by routes that turn back",
    attack: "spend the bandwidth of many links with one frame; a cost of bytes × hops to its ingress stands against it",
    ...COMMON,
    ...FLOWS,
    forS: 20,
    link: { bytesPerMs: 1_000 },
    events: [{ atS: 8, do: "turn", nodes: [11], into: "winder" }],
  },
  {
    name: "reflection",
    about: "a node has others answer its probes, and hands the answers to neighbours that asked for none",
    attack:
      "direct replies at others; replies ≤ 3 × the probe, no more than were asked for by that port, stand against it",
    ...COMMON,
    events: [{ atS: 8, do: "turn", nodes: [11], into: "reflector" }],
  },
  {
    name: "unpadded-requests",
    about: "a node asks with a quarter of the bytes that a probe and a request for a ball must have",
    attack: "have others send more bytes than it sends; the padding that layouts demand stands against it",
    ...COMMON,
    events: [{ atS: 8, do: "turn", nodes: [11], into: "unpadder" }],
  },
  {
    name: "wormhole",
    about: "two attackers join two far nodes by a private line, which goes silent later",
    attack: "be the best link, then drop; it works as a real link, its delay is measured, and its silence is found",
    ...COMMON,
    graph: { kind: "grid", nodes: 36 },
    forS: 40,
    events: [{ atS: 8, do: "wormhole", between: [0, 35], forS: 10 }],
  },
];
