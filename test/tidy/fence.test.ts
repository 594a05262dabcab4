import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { codeOnly, lineOf, PURE_FOLDERS, ROOT, read, sources } from "./repository.js";

/*
 * Two fences around the pure folders: the compiler, with no types of the platform (tsconfig.pure.json), and a scan for what every
 * engine has and a deterministic machine must not use.
 */

const run = promisify(execFile);

/** The compiler's complaints about a project file. It runs without NODE_OPTIONS, by which tap would load its hooks into it. */
async function compile(project: string): Promise<string> {
  const tsc = [process.execPath, join(ROOT, "node_modules/typescript/bin/tsc"), "--pretty", "false", "-p", project];
  try {
    await run("env", ["-u", "NODE_OPTIONS", ...tsc]);
    return "";
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return stdout + stderr;
  }
}

/** Each line must be refused by itself. Packages are imports.test.ts's business: their types may bring the platform's along. */
const PLATFORM = [
  "setTimeout(() => undefined, 1);",
  "setInterval(() => undefined, 1);",
  "setImmediate(() => undefined);",
  "queueMicrotask(() => undefined);",
  "Buffer.alloc(1);",
  "process.exit();",
  'console.log("");',
  "performance.now();",
  "crypto.getRandomValues(new Uint8Array(1));",
  "new TextEncoder();",
  "structuredClone(1);",
  'fetch("http://localhost");',
  'void import("node:fs");',
  'void import("fs");',
  'require("node:net");',
  "document.title;",
];

t.test("the compiler lets the pure folders through, and nothing of the platform into them", async (t) => {
  t.equal(await compile(join(ROOT, "tsconfig.pure.json")), "");
  const folder = t.testdir({
    "reach.ts": `export {};\n${PLATFORM.join("\n")}\n`,
    "tsconfig.json": JSON.stringify({
      extends: join(ROOT, "tsconfig.pure.json"),
      // The pure folders are compiled with it: none of their imports may bring the platform's types along.
      include: ["reach.ts", ...PURE_FOLDERS.map((name) => join(ROOT, name))],
    }),
  });
  const complaints = await compile(join(folder, "tsconfig.json"));
  for (const [i, line] of PLATFORM.entries()) t.match(complaints, `reach.ts(${i + 2},`, line);
});

interface Ban {
  readonly pattern: RegExp;
  readonly reason: string;
  /** Code that must be caught. */
  readonly canary: string;
}

const LAST_BIT: Ban = {
  pattern: /\bMath\s*\.\s*(?:a?(?:sin|cos|tan)h?|atan2|pow|exp|expm1|log|log2|log10|log1p|cbrt|hypot)\b/g,
  reason: "its last bit differs between engines: a seed would no longer give the same run everywhere",
  canary: "const x = Math.log(2);",
};
const RANDOM: Ban = {
  pattern: /\bMath\s*\.\s*random\b/g,
  reason: "randomness is passed in, so that a seed repeats a run",
  canary: "const x = Math.random();",
};
const BANS: readonly Ban[] = [
  LAST_BIT,
  RANDOM,
  {
    pattern: /\bMath\s*\[|[=,(]\s*Math\s*[;,)]|\}\s*=\s*Math\b/g,
    reason: "its functions are named where they are used, so that this scan sees them",
    canary: "const { random } = Math;",
  },
  {
    pattern: /\bDate\b|\bTemporal\b/g,
    reason: "time is passed in as nowMs, and the wall clock as wallMs at the start",
    canary: "const now = Date.now();",
  },
  {
    pattern: /\basync\b|\bawait\b|\bPromise\b|\.then\(/g,
    reason: "a machine gives its answer before it returns; who waits is the driver",
    canary: "async function f() {}",
  },
  {
    pattern: /\bWeakRef\b|\bFinalizationRegistry\b/g,
    reason: "they tell when memory is collected, which no seed repeats",
    canary: "new WeakRef(x);",
  },
  {
    pattern: /\bIntl\b|\.toLocale\w+\(|\.localeCompare\(/g,
    reason: "the answer depends on the machine's language: compare bytes or code units",
    canary: "a.localeCompare(b);",
  },
  {
    pattern: /\bttl\b|\bttlAutopurge\b/g,
    reason: "lru-cache reads a clock for it: keep the time beside the value and compare it with nowMs",
    canary: "new LRUCache({ max: 1, ttl: 5 });",
  },
  {
    pattern: /\bglobalThis\b|\beval\(|\bnew Function\(/g,
    reason: "it reaches past the compiler's fence",
    canary: 'globalThis["setTimeout"];',
  },
];

/** Where code has what is banned. */
function caught(bans: readonly Ban[], source: string): string[] {
  const code = codeOnly(source);
  return bans.flatMap(({ pattern, reason }) =>
    [...code.matchAll(pattern)].map((match) => `${lineOf(code, match.index)}: ${match[0]}: ${reason}`),
  );
}

t.test(
  "the pure folders use no clock, no chance and no promise, and sim no function that engines round apart",
  async (t) => {
    for (const file of sources(...PURE_FOLDERS)) t.same(caught(BANS, read(file)), [], file);
    for (const file of sources("sim")) t.same(caught([LAST_BIT, RANDOM], read(file)), [], file);
  },
);

t.test("every ban catches its canary, and none a comment or a text", async (t) => {
  for (const ban of BANS) {
    t.equal(caught([ban], `let a = 1;\n${ban.canary}\n`)[0]?.split(":")[0], "2", ban.canary);
    t.same(caught([ban], `// ${ban.canary}\n/* ${ban.canary} */\n"${ban.canary.replaceAll('"', "'")}";`), []);
  }
});
