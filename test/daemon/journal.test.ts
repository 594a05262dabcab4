import { appendFileSync, existsSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { Journal, type UseQuery } from "../../src/daemon/journal.js";
import { JOURNAL_BYTES_MAX, JOURNAL_MS, JOURNAL_PENDING_MAX, REPORTED_USES_MAX } from "../../src/daemon/limits.js";
import type { Use } from "../../src/federation/use.js";
import { tempFolder } from "./temp-folder.js";

const USE: Use = {
  way: "exit",
  key: "ab".repeat(32),
  host: "matrix.example",
  address: "8.0.0.1",
  port: 8448,
  beganMs: 1_000,
  sizeBytes: 10,
  tookMs: 100,
};
const ALL: UseQuery = { way: "exit", host: undefined, key: undefined, sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER };

function journal(t: Test, folder = tempFolder(t)) {
  const clock = { nowMs: 1_000 };
  const warnings: string[] = [];
  const path = join(folder, "uses");
  return {
    made: new Journal(
      path,
      () => clock.nowMs,
      (text) => warnings.push(text),
    ),
    path,
    clock,
    warnings,
    folder,
  };
}

t.test("uses are found by way, host, address, node and time", async (t) => {
  const { made, path } = journal(t);
  made.append(USE);
  made.append({ ...USE, host: "sub.matrix.example", address: "8.0.0.2", beganMs: 2_000 });
  made.append({ ...USE, way: "gateway", host: "8.0.0.1", key: "cd".repeat(32) });
  const count = async (query: Partial<UseQuery>) => (await made.find({ ...ALL, ...query })).count;
  t.same((await made.find(ALL)).uses[0], USE);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.same(
    [
      await count({}),
      await count({ host: "matrix.example" }),
      await count({ host: "trix.example" }),
      await count({ host: "8.0.0.2" }),
      await count({ key: "cd".repeat(32) }),
      await count({ way: "gateway", key: "cd".repeat(32), host: "8.0.0.1" }),
      await count({ untilMs: 999 }),
      await count({ sinceMs: 1_100, untilMs: 1_100 }),
      await count({ sinceMs: 1_101 }),
    ],
    [2, 2, 0, 1, 0, 1, 0, 1, 1],
  );
});

t.test("a journal goes on after a crash in the middle of a line, and what is damaged is left out", async (t) => {
  const { made, path, folder } = journal(t);
  made.append(USE);
  made.append(USE);
  await made.written();
  truncateSync(path, statSync(path).size - 5);
  appendFileSync(path, "");
  const { made: next } = journal(t, folder);
  t.equal((await next.find(ALL)).count, 1);
  next.append(USE);
  t.equal((await next.find(ALL)).count, 2);
  appendFileSync(path, '{"way":"exit"}\n\u0000\n{}\n');
  t.equal((await next.find(ALL)).count, 2);
});

t.test("it is bounded by size and by time, and a report by count", async (t) => {
  const { made, path, clock } = journal(t);
  const long: Use = { ...USE, host: "x".repeat(200_000) };
  for (let i = 0; i < (2.5 * JOURNAL_BYTES_MAX) / 200_000; i++) {
    made.append({ ...long, beganMs: i });
    if (i % 20 === 0) await made.written();
  }
  await made.written();
  const sizes = [path, `${path}.old`].map((each) => statSync(each).size);
  t.ok(sizes.every((sizeBytes) => sizeBytes > 0 && sizeBytes <= JOURNAL_BYTES_MAX));
  clock.nowMs += JOURNAL_MS + 1;
  made.append(USE);
  await made.written();
  t.equal(readFileSync(path, "utf8").split("\n").length, 2, "what is a month old begins a new file");
  clock.nowMs += JOURNAL_MS + 1;
  for (let i = 0; i < REPORTED_USES_MAX + 500; i++) made.append({ ...USE, beganMs: i });
  const { count, uses } = await made.find(ALL);
  t.same([count, uses.length, uses.at(-1)?.beganMs], [REPORTED_USES_MAX + 501, REPORTED_USES_MAX, 1_499]);
});

t.test("where it cannot be written the node goes on, says so once and counts", async (t) => {
  const { made, path, warnings, folder } = journal(t, "/proc/none");
  made.append(USE);
  await made.written();
  made.append(USE);
  await made.written();
  t.same([made.errors, warnings.length], [2, 1]);
  t.match(warnings[0], `${folder}/uses: cannot be written`);
  for (let i = 0; i < JOURNAL_PENDING_MAX + 10; i++) made.append(USE);
  t.ok(made.errors >= 11, "what waits is bounded");
  await made.written();
  t.notOk(existsSync(path));
});
