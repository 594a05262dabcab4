import t from "tap";
import { PortBudgets } from "../../src/router/port-budgets.js";
import { Budget, SharedBudget } from "../../src/wire/budget.js";

/** How many of `tries` succeed. */
const count = (tries: number, take: () => boolean): number =>
  Array.from({ length: tries }, take).filter(Boolean).length;

t.test("a budget gives its burst at once, then its rate, and never saves more than its burst", async (t) => {
  const budget = new Budget(10, 5, 0);
  const at = (nowMs: number) => count(9, () => budget.take(nowMs));
  t.same([at(0), at(200), at(1_000_000)], [5, 2, 5]);
});

t.test("each port has a budget of its own", async (t) => {
  const budgets = new PortBudgets(1, 3);
  const of = (port: number) => count(9, () => budgets.take(port, 0));
  t.same([of(1), of(2)], [3, 3]);
});

t.test("a flood by some ports leaves the others their share, and takes all that nobody else wants", async (t) => {
  const budget = new SharedBudget(160, 320, 0);
  let [flood, honest] = [0, 0];
  for (let ms = 0; ms < 10_000; ms++) {
    for (const port of [1, 2, 3, 4]) if (budget.take(port, ms)) flood++;
    if (ms % 200 === 0 && budget.take(5, ms)) honest++;
  }
  t.equal(honest, 50);
  t.ok(flood > 1_600, `${flood}`);
});

t.test("more ports than are remembered still share one budget", async (t) => {
  const budget = new SharedBudget(10, 100, 0);
  let taken = 0;
  for (let port = 1; port < 1_000; port++) if (budget.take(port, 0)) taken++;
  t.equal(taken, 100);
});
