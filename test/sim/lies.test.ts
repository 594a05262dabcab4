import { readFileSync } from "node:fs";
import t from "tap";
import { SCENARIOS } from "../../sim/scenarios/all.js";
import { ROOT } from "../tidy/repository.js";
import { type Expectation, testAttack } from "./attack.js";

/** Attacks by saying what is not so. */
const LIES: readonly Expectation[] = [
  {
    scenario: "false-coordinates",
    behaviour: "are not signed by the parent, and end the link",
    share: 0.98,
    refused: { "closed.bad_edge": 20 },
  },
  {
    scenario: "forged-signatures",
    behaviour: "end the link, and nothing of what they say is believed",
    share: 0.98,
    refused: { "closed.bad_edge": 20 },
  },
  {
    scenario: "replay",
    behaviour: "is known for what it is in every frame, and nobody is disturbed",
    share: 0.98,
    refused: { "packets.replayed": 10, "packets.handshake_replayed": 1, "drops.unasked": 10 },
  },
  {
    scenario: "forged-reports",
    behaviour: "of lost roots end the link, and no root is given up",
    share: 0.98,
    refused: { "closed.bad_edge": 20 },
  },
  {
    scenario: "crying-wolf",
    behaviour: "has the root answer now and then, and no more; routes that are not its own stay",
    share: 0.98,
    refused: { rootLostsIgnored: 1_000, seqRequestsIgnored: 500, "drops.unasked": 50 },
  },
  {
    scenario: "poisoned-balls",
    behaviour: "has some probes fail, and no byte go astray",
    share: 0.98,
    refused: { ballsBad: 1 },
  },
  {
    scenario: "false-locators",
    behaviour: "are refused by their signature or cost a probe",
    share: 0.98,
    refused: { locatorsBad: 1 },
  },
];

for (const expectation of LIES) testAttack(expectation);

t.test("every attack among the scenarios is tried by a test", async (t) => {
  const tests = ["silence", "force", "lies"]
    .map((name) => readFileSync(`${ROOT}test/sim/${name}.test.ts`, "utf8"))
    .join();
  for (const { name, attack } of SCENARIOS) if (attack !== undefined) t.ok(tests.includes(`scenario: "${name}"`), name);
});
