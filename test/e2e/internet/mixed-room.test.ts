import t from "tap";
import { failingSteps } from "./failing-steps.js";
import { MIXED_STEPS } from "./mixed-steps.js";
import { openMixedStage, whyNoMixedStage } from "./open-mixed-stage.js";

t.setTimeout(600_000);
/** How long both gateways are cut off: the demo takes two minutes. */
const CUT_MS = 15_000;

const why = whyNoMixedStage();
if (why === undefined) {
  const stage = await openMixedStage(t, (line) => t.comment(line));
  for (const { title, run } of [...MIXED_STEPS, ...failingSteps({ cutMs: CUT_MS })]) {
    t.test(title, async (t) => {
      const { text } = await run(stage);
      t.pass(text);
    });
  }
} else {
  t.test("homeservers of the overlay and of the classic federation in one room", { skip: why }, async () => {});
}
