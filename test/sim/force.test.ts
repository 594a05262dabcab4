import { PROBE_BYTES_SENT, REPLY_BYTES_RECEIVED } from "../../sim/adversaries/reflectors.js";
import { PROBE_REPLY_FACTOR_MAX } from "../../src/wire/limits.js";
import { type Expectation, testAttack } from "./attack.js";

const INVENTED_QUOTA = 150;

/** Attacks by force, and by what they cost. */
const FORCE: readonly Expectation[] = [
  {
    scenario: "invented-children",
    behaviour: "registers up to the quota of its port and no further; the child is told, and honest keys stay",
    share: 0.98,
    refused: { "regsRefused.full": 500, refusalsUntold: 1 },
    // In each table above it that of one port.
    tableKeysMax: INVENTED_QUOTA + 39,
    also: (t, { deeds }) => t.ok(deeds["registered an invented key"]! > 10 * INVENTED_QUOTA),
  },
  {
    scenario: "invented-paths",
    behaviour: "has no more signatures checked than the budget of its link, and nothing is believed meanwhile",
    share: 0.98,
    refused: { checksDelayed: 50 },
  },
  { scenario: "probe-flood", behaviour: "is answered, and nobody else waits for it", share: 0.98 },
  {
    scenario: "frame-flood",
    behaviour: "fills its own share of the queues alone",
    share: 0.98,
    refused: { "drops.queue_full": 50, "drops.no_way": 100 },
    also: (t, { flows }) => t.ok(flows.pauseMsMax < 2_000, `a pause of ${flows.pauseMsMax} ms`),
  },
  {
    scenario: "winding-routes",
    behaviour: "takes its ingress's turns alone, and what waits is its own; a route that turns back ends there",
    share: 0.98,
    refused: { "drops.no_way": 30 },
    also: (t, { flows }) => t.ok(flows.pauseMsMax < 2_000, `a pause of ${flows.pauseMsMax} ms`),
  },
  {
    scenario: "reflection",
    behaviour: "gets no more than three times what it sends, and replies nobody asked for go no further",
    share: 0.98,
    refused: { "drops.unasked": 1_000 },
    also: (t, { deeds }) => {
      const [sent, received] = [deeds[PROBE_BYTES_SENT]!, deeds[REPLY_BYTES_RECEIVED]!];
      t.ok(received > 0 && received <= PROBE_REPLY_FACTOR_MAX * sent, `${received} bytes for ${sent}`);
    },
  },
  {
    scenario: "unpadded-requests",
    behaviour: "is answered by the end of its link",
    share: 0.98,
    refused: { "closed.malformed": 20, "drops.malformed": 20 },
  },
  {
    scenario: "wormhole",
    behaviour: "is a link like any other, and found dead when it goes silent",
    share: 0.98,
    refused: { "closed.dead": 1 },
  },
];

for (const expectation of FORCE) testAttack(expectation);
