import t, { type Test } from "tap";
import { type RunReport, run } from "../../sim/run.js";
import { SCENARIOS } from "../../sim/scenarios/all.js";
import { shareOf } from "../../sim/view/summary.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";

const crypto = nativeCrypto();

/** What must be seen when a scenario of an attack runs. */
export interface Expectation {
  readonly scenario: string;
  readonly behaviour: string;
  /** Of the first contacts of honest nodes from the attack on, at least this share succeeds. */
  readonly share: number;
  /** What honest nodes must have counted, each at least so often. */
  readonly refused?: Readonly<Record<string, number>>;
  /** Keys in the largest table of an honest node, at most. */
  readonly tableKeysMax?: number;
  readonly also?: (t: Test, report: RunReport) => void;
}

/** Runs the attack of the scenario: what is refused is counted, bounds hold, and honest nodes are served meanwhile. */
export function testAttack({ scenario, behaviour, share, refused = {}, tableKeysMax = 39, also }: Expectation): void {
  t.test(`${scenario}: ${behaviour}`, async (t) => {
    const report = run(SCENARIOS.find(({ name }) => name === scenario)!, 1, { crypto });
    t.same(report.violations, [], `again: npm run sim -- run ${scenario}`);
    for (const [counter, least] of Object.entries(refused)) {
      const count = report.refusals[counter] ?? 0;
      t.ok(count >= least, `${counter}: ${count} of at least ${least}`);
    }
    const served = shareOf(report.samples.filter(({ atS }) => atS > report.eventAtS!)) ?? 0;
    t.ok(served >= share, `${served} of the first contacts of honest nodes succeed`);
    t.ok(report.tableKeysMax <= tableKeysMax, `${report.tableKeysMax} keys in the largest table`);
    t.equal(report.flows.done, report.flows.count, "every byte that honest nodes sent arrives");
    also?.(t, report);
  });
}
