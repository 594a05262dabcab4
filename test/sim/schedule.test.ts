import fc from "fast-check";
import t from "tap";
import { Schedule } from "../../sim/schedule.js";

t.test(
  "things happen in the order of their times, and at one time in the order in which they were asked for",
  async () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }), (times) => {
        const schedule = new Schedule();
        const happened: { timeMs: number; asked: number }[] = [];
        for (const [asked, timeMs] of times.entries()) {
          schedule.at(timeMs, () => happened.push({ timeMs: schedule.nowMs, asked }));
        }
        while (schedule.step(100));
        const expected = times
          .map((timeMs, asked) => ({ timeMs, asked }))
          .sort((a, b) => a.timeMs - b.timeMs || a.asked - b.asked);
        return JSON.stringify(happened) === JSON.stringify(expected);
      }),
    );
  },
);

t.test("nothing happens after the end asked for, and nothing in the past", async (t) => {
  const schedule = new Schedule();
  const happened: number[] = [];
  schedule.at(10, () => {
    schedule.at(3, () => happened.push(schedule.nowMs));
    schedule.after(5, () => happened.push(schedule.nowMs));
  });
  while (schedule.step(12));
  t.same(happened, [10]);
  while (schedule.step(15));
  t.same(happened, [10, 15]);
  t.notOk(schedule.step(1_000));
});
