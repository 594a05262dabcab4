import { z } from "zod";
import { TREE_DEFAULTS } from "../../src/router/config.js";
import { TREE_COUNT } from "../../src/wire/limits.js";
import { ADVERSARIES } from "../adversaries/all.js";
import { GRAPH_KINDS } from "../graph-spec.js";
import type { Scenario } from "../scenario.js";

/* The form of a scenario's file. Each `error` says what is expected there. */

const whole = (min: number, max: number) =>
  z
    .int({ error: `a whole number from ${min} to ${max}` })
    .check(
      z.gte(min, { error: `a whole number from ${min} to ${max}` }),
      z.lte(max, { error: `a whole number from ${min} to ${max}` }),
    );
const number = (min: number, what: string) => z.number({ error: what }).check(z.gte(min, { error: what }));
const seconds = number(0, "seconds, 0 or more");
const share = z
  .number({ error: "a share from 0 to 1" })
  .check(z.gte(0, { error: "a share from 0 to 1" }), z.lte(1, { error: "a share from 0 to 1" }));
const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `one of ${values.join(", ")}` });
const ratio = z.tuple([whole(0, 1e9), whole(1, 1e9)], { error: "so many of so many: [1, 500]" });

const node = whole(0, 99_999);
const tree = whole(0, TREE_COUNT - 1);
const nodes = z.union(
  [
    z.array(node),
    z.strictObject({ random: whole(1, 100_000) }),
    z.strictObject({ rootOf: tree }),
    z.strictObject({ busiestIn: tree }),
    z.strictObject({ relayOf: whole(0, 9_999) }),
  ],
  { error: "numbers of nodes, [0, 7], or {random: N}, {rootOf: TREE}, {busiestIn: TREE}, {relayOf: FLOW}" },
);
const links = z.union(
  [z.array(z.tuple([node, node])), z.strictObject({ random: whole(1, 1_000_000) }), z.strictObject({ share })],
  { error: "pairs of nodes, [[0, 1]], or {random: N}, {share: 0.02}" },
);
const adversary = oneOf(Object.keys(ADVERSARIES) as [string, ...string[]]);

const atS = seconds;
const happening = <T extends string>(what: T, fields: z.ZodRawShape) =>
  z.strictObject({ atS, do: z.literal(what), ...fields });

/** What each happening needs, by the word that `do` has. */
export const HAPPENINGS: Readonly<Record<string, z.ZodObject>> = Object.fromEntries([
  ...["stop", "resume", "crash", "power-off", "start", "start-without-disk"].map((what) => [
    what,
    happening(what, { nodes }),
  ]),
  ...["cut", "cut-one-way", "half-open", "reset", "heal"].map((what) => [what, happening(what, { links })]),
  ...["cut-in-halves", "heal-all", "heal-one"].map((what) => [what, happening(what, {})]),
  ["clock", happening("clock", { nodes, errorMs: z.number({ error: "milliseconds, of either sign" }) })],
  ["churn", happening("churn", { sharePerMinute: share, forS: seconds })],
  ["turn", happening("turn", { nodes, into: adversary })],
  [
    "wormhole",
    happening("wormhole", { between: z.tuple([node, node], { error: "two nodes: [0, 35]" }), forS: seconds }),
  ],
]);

const graph = z.strictObject(
  {
    kind: oneOf(GRAPH_KINDS),
    nodes: whole(2, 100_000),
    degree: number(1, "links a node on average, 1 or more").optional(),
    delayMs: z
      .tuple([number(0, "milliseconds"), number(0, "milliseconds")], { error: "the least and the most: [5, 50]" })
      .optional(),
  },
  { error: "{kind: …, nodes: N}" },
);
const link = z.strictObject({
  delayMs: number(0, "milliseconds, 0 or more").optional(),
  jitterMs: number(0, "milliseconds, 0 or more").optional(),
  bytesPerMs: number(1, "bytes a millisecond, 1 or more").optional(),
  bufferBytes: whole(1_024, 1e9).optional(),
  loss: ratio.optional(),
  stallMs: number(0, "milliseconds, 0 or more").optional(),
  reset: ratio.optional(),
});
const limit = number(1, "a number above 0").optional();
const trees = z.strictObject(
  Object.fromEntries(Object.keys(TREE_DEFAULTS).map((name) => [name, limit])) as Record<string, typeof limit>,
);

/** All but the events, which differ by what they do. */
export const SCENARIO = z.strictObject(
  {
    name: z.string({ error: "a name" }).optional(),
    about: z.string({ error: "a sentence" }).optional(),
    attack: z.string({ error: "a sentence" }).optional(),
    graph,
    link: link.optional(),
    startOverS: seconds.optional(),
    forS: whole(1, 1_000_000),
    contactsPerS: number(0, "first contacts a second, 0 or more").optional(),
    flows: whole(0, 10_000).optional(),
    flowBytes: whole(1, 1e9).optional(),
    flowsAtS: seconds.optional(),
    ground: z.array(node, { error: "numbers of nodes: [7]" }).check(z.maxLength(TREE_COUNT)).optional(),
    trees: trees.optional(),
    events: z.array(z.unknown(), { error: "a list of what happens" }).optional(),
  },
  { error: "a scenario: {graph: …, forS: …, events: […]}" },
);

/** The keys that may stand at a place of the file. */
export function keysAt(path: readonly PropertyKey[], value: unknown): string[] {
  if (path.length === 0) return Object.keys(SCENARIO.shape);
  if (path[0] === "graph") return Object.keys(graph.shape);
  if (path[0] === "link") return Object.keys(link.shape);
  if (path[0] === "trees") return Object.keys(trees.shape);
  const event = (value as Scenario).events[Number(path[1])];
  return path.length === 2 ? Object.keys(HAPPENINGS[event?.do ?? ""]?.shape ?? {}) : [];
}
