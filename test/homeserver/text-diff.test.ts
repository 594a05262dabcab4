import fc from "fast-check";
import t from "tap";
import { changedLines, diffLines, unifiedDiff } from "../../src/homeserver/text-diff.js";

/** Of `count` lines, one each. */
const lines = (count: number, prefix = "line") =>
  Array.from({ length: count }, (_, index) => `${prefix} ${index + 1}\n`).join("");

t.test("a diff has the unified form: hunks of three lines around each change", async (t) => {
  const before = lines(20);
  const after = `${before.replace("line 5\n", "line five\n").replace("line 18\n", "")}the end`;
  t.equal(
    unifiedDiff("/etc/x.yaml", before, after),
    `--- /etc/x.yaml
+++ /etc/x.yaml
@@ -2,7 +2,7 @@
 line 2
 line 3
 line 4
-line 5
+line five
 line 6
 line 7
 line 8
@@ -15,6 +15,6 @@
 line 15
 line 16
 line 17
-line 18
 line 19
 line 20
+the end
\\ No newline at end of file
`,
  );
  t.equal(unifiedDiff("x", before, before), "");
  t.equal(unifiedDiff("x", undefined, "a\nb\n"), "--- /dev/null\n+++ x\n@@ -0,0 +1,2 @@\n+a\n+b\n");
  t.equal(unifiedDiff("x", "a\n", undefined), "--- x\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n");
  t.equal(
    unifiedDiff("x", "a\nb", "a\nb\n"),
    "--- x\n+++ x\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n",
    "a newline at the end is a difference",
  );
});

t.test("both texts can be read from a diff, and no line is changed in vain", async (t) => {
  const text = fc
    .array(fc.constantFrom("a", "b", "c", ""), { maxLength: 12 })
    .map((all) => all.map((line) => `${line}\n`).join(""));
  const every = fc.check(
    fc.property(text, text, (before, after) => {
      const diff = diffLines(before, after);
      const read = (other: string) =>
        diff
          .filter(({ sign }) => sign !== other)
          .map((line) => `${line.text}\n`)
          .join("");
      const common = diff.filter(({ sign }) => sign === " ").length;
      return read("+") === before && read("-") === after && common === commonLines(before, after);
    }),
  );
  t.notOk(every.failed, JSON.stringify(every.counterexample));
});

/** The most lines that two texts have in common in the same order, by trying all. */
function commonLines(before: string, after: string): number {
  const old = before.split("\n").slice(0, -1);
  const young = after.split("\n").slice(0, -1);
  let row = new Array<number>(young.length + 1).fill(0);
  for (const line of old) {
    const next = [0];
    for (const [index, other] of young.entries()) {
      next.push(line === other ? row[index]! + 1 : Math.max(row[index + 1]!, next[index]!));
    }
    row = next;
  }
  return row.at(-1)!;
}

t.test("texts that have nothing in common are shown whole, whatever their size", async (t) => {
  const diff = diffLines(lines(5_000, "old"), lines(5_000, "new"));
  t.equal(diff.length, 10_000);
  t.match(diff[0], { sign: "-", text: "old 1", line: 1 });
  t.match(diff.at(-1), { sign: "+", text: "new 5000", line: 5_000 });
});

t.test("the places of a change are named by the lines of the text that has it", async (t) => {
  const before = lines(30);
  const changed = before
    .replace("line 3\n", "")
    .replace("line 10\nline 11\n", "x\ny\n")
    .replace("line 20\n", "line 20\nz\n");
  t.equal(changedLines(before, changed), "lines taken out after line 2, lines 9-10, line 20");
  t.equal(changedLines(before, before.slice("line 1\n".length)), "lines taken out at the top");
  const everySecond = before.replaceAll(/line (\d*[02468])\n/g, "changed\n");
  t.match(changedLines(before, everySecond), /^line 2, line 4, .*line 20 and 5 places more$/);
});
