import { type Expectation, testAttack } from "./attack.js";

/** Attacks by silence. */
const SILENCE: readonly Expectation[] = [
  {
    scenario: "root-drops",
    behaviour: "where the best root of a tree drops everything, the other trees find every key",
    share: 0.99,
    also: (t, { deeds }) => t.ok(deeds["dropped a frame that it should have sent on"]! > 50),
  },
  {
    scenario: "root-drops-contacts",
    behaviour: "where it drops probes alone, the other trees find every key, and sessions do not notice",
    share: 0.99,
    also: (t, { deeds }) => t.ok(deeds["dropped a probe that it should have sent on"]! > 50),
  },
  {
    scenario: "root-wobbles",
    behaviour: "where it comes and goes, its links are found dead, and the other trees find every key",
    share: 0.98,
    refused: { "closed.dead": 5, rootLostsIgnored: 1 },
  },
  {
    scenario: "all-roots-drop",
    behaviour: "where one attacker is root of all trees, detours find most keys, and routes in use go on",
    share: 0.85,
    also: (t, { flows }) => t.ok(flows.pauseMsMax < 1_000, `a pause of ${flows.pauseMsMax} ms`),
  },
  {
    scenario: "parent-drops",
    behaviour: "where a parent black-holes its children, the other trees find every key",
    share: 0.98,
    also: (t, { deeds }) => t.ok(deeds["dropped a frame that it should have sent on"]! > 20),
  },
  {
    scenario: "route-drops",
    behaviour: "where a relay of a route goes silent, the sender finds it out and goes by its spare",
    share: 0.98,
    also: (t, { flows, deeds }) => {
      t.ok(deeds["dropped a frame that it should have sent on"]! > 10);
      t.ok(flows.pauseMsMax < 4_000, `a pause of ${flows.pauseMsMax} ms`);
    },
  },
];

for (const expectation of SILENCE) testAttack(expectation);
