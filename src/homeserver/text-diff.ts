/** Lines around a change that a diff shows. */
const CONTEXT_LINES = 3;
/** Changed lines above which a diff is not searched for: both texts are shown whole. Bounds its memory: 8 MB. */
const CHANGED_LINES_MAX = 1_000;

/** Places that a sentence names. */
const PLACES_MAX = 10;

/** One line of a comparison. */
export interface DiffLine {
  readonly sign: " " | "-" | "+";
  /** Without its end. */
  readonly text: string;
  /** Its number, from 1, in the text that has it; of a line of both, in the new one. */
  readonly line: number;
}

/** The difference of two texts in the unified form; one undefined: the file is new, or goes. Empty where there is none. */
export function unifiedDiff(path: string, before: string | undefined, after: string | undefined): string {
  const lines = diffLines(before ?? "", after ?? "");
  const hunks = hunksOf(lines);
  if (hunks.length === 0) return "";
  const head = [`--- ${before === undefined ? "/dev/null" : path}`, `+++ ${after === undefined ? "/dev/null" : path}`];
  return [...head, ...hunks.flatMap((hunk) => hunkText(lines, hunk))].map((line) => `${line}\n`).join("");
}

/** Where a text was changed, for a sentence: `line 3, lines 7-9, lines taken out after line 12`. */
export function changedLines(before: string, after: string): string {
  const places: string[] = [];
  let last = 0;
  let run: DiffLine[] = [];
  for (const line of [...diffLines(before, after), undefined]) {
    if (line !== undefined && line.sign !== " ") {
      run.push(line);
      continue;
    }
    const added = run.filter(({ sign }) => sign === "+").map(({ line: number }) => number);
    const [from = 0, to = from] = [added[0], added.at(-1)];
    if (added.length > 0) places.push(from === to ? `line ${from}` : `lines ${from}-${to}`);
    else if (run.length > 0)
      places.push(last === 0 ? "lines taken out at the top" : `lines taken out after line ${last}`);
    last = line?.line ?? last;
    run = [];
  }
  const more = places.length - PLACES_MAX;
  return places.slice(0, PLACES_MAX).join(", ") + (more > 0 ? ` and ${more} places more` : "");
}

/** Both texts, line by line: what is of both, only of the first (`-`), only of the second (`+`). */
export function diffLines(before: string, after: string): DiffLine[] {
  const old = linesOf(before);
  const young = linesOf(after);
  const way = shortestWay(old, young);
  if (way !== undefined) return way;
  return [
    ...old.map((text, index) => ({ sign: "-" as const, text, line: index + 1 })),
    ...young.map((text, index) => ({ sign: "+" as const, text, line: index + 1 })),
  ];
}

/** Lines without their ends; a last line that has no end says so, since it differs from one that has. */
function linesOf(text: string): string[] {
  if (text === "") return [];
  const lines = text.split("\n");
  if (lines.pop() !== "") return [...lines, `${text.slice(text.lastIndexOf("\n") + 1)}\n\\ No newline at end of file`];
  return lines;
}

/** Myers, "An O(ND) Difference Algorithm" (1986): the greedy form, with the front of every round kept for the way back. */
function shortestWay(old: readonly string[], young: readonly string[]): DiffLine[] | undefined {
  const max = Math.min(old.length + young.length, CHANGED_LINES_MAX);
  const fronts: Int32Array[] = [];
  let front = new Int32Array(3);
  for (let changes = 0; changes <= max; changes++) {
    const next = new Int32Array(2 * changes + 5);
    const at = (diagonal: number) => front[diagonal + changes] ?? 0;
    for (let diagonal = -changes; diagonal <= changes; diagonal += 2) {
      const down = diagonal === -changes || (diagonal !== changes && at(diagonal - 1) < at(diagonal + 1));
      let x = changes === 0 ? 0 : down ? at(diagonal + 1) : at(diagonal - 1) + 1;
      while (x < old.length && x - diagonal < young.length && old[x] === young[x - diagonal]) x++;
      next[diagonal + changes + 1] = x;
      if (x >= old.length && x - diagonal >= young.length) return wayBack(old, young, [...fronts, next]);
    }
    fronts.push(next);
    front = next;
  }
  return undefined;
}

function wayBack(old: readonly string[], young: readonly string[], fronts: readonly Int32Array[]): DiffLine[] {
  const lines: DiffLine[] = [];
  let x = old.length;
  let y = young.length;
  const same = () => lines.push({ sign: " ", text: young[--y]!, line: y + 1 });
  for (let changes = fronts.length - 1; changes > 0; changes--) {
    const before = fronts[changes - 1]!;
    const at = (diagonal: number) => before[diagonal + changes] ?? 0;
    const diagonal = x - y;
    const down = diagonal === -changes || (diagonal !== changes && at(diagonal - 1) < at(diagonal + 1));
    const fromX = down ? at(diagonal + 1) : at(diagonal - 1);
    const fromY = fromX - (down ? diagonal + 1 : diagonal - 1);
    for (; x > fromX && y > fromY; x--) same();
    if (down) lines.push({ sign: "+", text: young[--y]!, line: y + 1 });
    else lines.push({ sign: "-", text: old[--x]!, line: x + 1 });
  }
  for (; x > 0 && y > 0; x--) same();
  return lines.reverse();
}

type Hunk = readonly [from: number, to: number];

function hunksOf(lines: readonly DiffLine[]): Hunk[] {
  const hunks: [number, number][] = [];
  for (const [index, { sign }] of lines.entries()) {
    if (sign === " ") continue;
    const from = Math.max(0, index - CONTEXT_LINES);
    const to = Math.min(lines.length, index + CONTEXT_LINES + 1);
    const last = hunks.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = to;
    else hunks.push([from, to]);
  }
  return hunks;
}

function hunkText(lines: readonly DiffLine[], [from, to]: Hunk): string[] {
  const count = (of: readonly DiffLine[], other: "+" | "-") => of.filter(({ sign }) => sign !== other).length;
  const hunk = lines.slice(from, to);
  const range = (other: "+" | "-") => {
    const size = count(hunk, other);
    const before = count(lines.slice(0, from), other);
    return `${size === 0 ? before : before + 1},${size}`;
  };
  return [`@@ -${range("+")} +${range("-")} @@`, ...hunk.map(({ sign, text }) => sign + text)];
}
