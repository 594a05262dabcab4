import t from "tap";
import { openStage } from "./open-stage.js";
import { demoSteps, FURTHER_STEPS } from "./steps/all.js";
import { whyNoSynapse } from "./synapse-install.js";

t.setTimeout(600_000);
/** How long B is stopped: the demo takes two minutes. */
const AWAY_MS = 10_000;

const why = whyNoSynapse();
if (why === undefined) {
  const stage = await openStage(t, (line) => t.comment(line));
  for (const { title, run } of [...demoSteps({ awayMs: AWAY_MS }), ...FURTHER_STEPS]) {
    t.test(title, async (t) => {
      const { text } = await run(stage);
      t.pass(text);
    });
  }
} else {
  t.test("two Synapses across the mesh", { skip: why }, async () => {});
}
