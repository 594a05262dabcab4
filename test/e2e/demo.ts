/**
 * The demo: two unmodified Synapses talk across the mesh, step by step. It ends with a table, and with exit code 1 where a line of it
 * failed.
 *
 *   --gateway   homeservers of the mesh and of the classic federation in one room, in network namespaces, instead
 *   --keep      leaves all running, and says how to log in
 *   --json      the table for a script, on stdout; all else goes to stderr
 */
import { parseArgs } from "node:util";
import { Ends } from "./ends.js";
import type { Homeserver } from "./homeserver.js";
import { failingSteps } from "./internet/failing-steps.js";
import { MIXED_STEPS } from "./internet/mixed-steps.js";
import { openMixedStage, whyNoMixedStage } from "./internet/open-mixed-stage.js";
import { openStage } from "./open-stage.js";
import { demoSteps } from "./steps/all.js";
import { type Finding, type Step, time } from "./steps/step.js";
import { PASSWORD } from "./steps/talk.js";
import { whyNoSynapse } from "./synapse-install.js";

/** How often it is looked whether npm still runs. */
const ORPHAN_MS = 500;
/** How long B is stopped, and how long both gateways are cut off. */
const AWAY_MS = 120_000;

/** A line of the table. */
interface Line extends Finding {
  readonly title: string;
  readonly passed: boolean;
  readonly durationMs: number;
}

const options = readOptions();
const startedMs = performance.now();
const ends = new Ends();

function readOptions(): { gateway?: boolean; keep?: boolean; json?: boolean } {
  try {
    const flag = { type: "boolean" } as const;
    return parseArgs({ options: { gateway: flag, keep: flag, json: flag } }).values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}. The demo takes --gateway, --keep and --json\n`);
    process.exit(2);
  }
}

function tell(text: string): void {
  const at = ((performance.now() - startedMs) / 1_000).toFixed(1).padStart(6);
  (options.json ? process.stderr : process.stdout).write(`${at} s  ${text}\n`);
}

/** Ends all that was started, then this process. */
async function end(exitCode: number): Promise<never> {
  await ends.end();
  process.exit(exitCode);
}

/** Says what goes on, where a person looks on and the line can be written over. */
function tellPending(text: string): void {
  if (process.stderr.isTTY && process.stdout.isTTY) process.stderr.write(`          …       ${text}\r`);
}

async function perform<Stage>({ title, run }: Step<Stage>, stage: Stage): Promise<Line> {
  const beganMs = performance.now();
  tellPending(title);
  try {
    const finding = await run(stage);
    tell(`ok      ${title}: ${finding.text}`);
    return { title, passed: true, durationMs: performance.now() - beganMs, ...finding };
  } catch (error) {
    const text = (error as Error).message;
    tell(`FAILED  ${title}: ${text}`);
    return { title, passed: false, durationMs: performance.now() - beganMs, text, figures: {} };
  }
}

function print(lines: readonly Line[]): void {
  const passed = lines.every((line) => line.passed);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ passed, steps: lines }, undefined, 2)}\n`);
    return;
  }
  const width = Math.max(...lines.map(({ title }) => title.length));
  const rows = lines.map((line) => {
    const took = time(line.durationMs).padStart(8);
    return `${line.passed ? "passed" : "FAILED"}  ${line.title.padEnd(width)}  ${took}  ${line.text}`;
  });
  const passedCount = lines.filter((line) => line.passed).length;
  const total = `${passedCount} of ${lines.length} passed in ${time(performance.now() - startedMs)}`;
  process.stdout.write(`\n${rows.join("\n")}\n\n${total}\n\n`);
}

/** What was shown; the first homeserver has the room, of which its Alice and everybody else's Bob are members. */
interface Shown {
  readonly lines: readonly Line[];
  readonly homeservers: readonly Homeserver[];
}

async function performAll<Stage>(steps: readonly Step<Stage>[], stage: Stage): Promise<Line[]> {
  const lines: Line[] = [];
  for (const step of steps) lines.push(await perform(step, stage));
  return lines;
}

async function showMesh(): Promise<Shown> {
  tell("A and B share no link; each has one to R1 and one to R2. A Synapse stands beside A, another beside B.");
  const stage = await openStage(ends, tell);
  const lines = await performAll(demoSteps({ awayMs: AWAY_MS }), stage);
  if (options.keep) await stage.startRelays();
  return { lines, homeservers: [stage.a, stage.b] };
}

async function showGateway(): Promise<Shown> {
  tell(
    "N and S are homeservers of the classic federation. A and B have no DNS, and reach it by the gateways G1 and G2 alone.",
  );
  const stage = await openMixedStage(ends, tell);
  const lines = await performAll([...MIXED_STEPS, ...failingSteps({ cutMs: AWAY_MS })], stage);
  return { lines, homeservers: stage.homeservers };
}

/** Leaves all running until a signal. */
async function keep(homeservers: readonly Homeserver[]): Promise<void> {
  tell("All runs on until Ctrl-C. Log in with Element or any other client:");
  for (const [index, homeserver] of homeservers.entries()) {
    tell(`  homeserver ${homeserver.url}   user ${index === 0 ? "alice" : "bob"}   password ${PASSWORD}`);
  }
  tell(`  all are in the room #hall:${homeservers[0]!.name}`);
  await new Promise(() => {});
}

async function demo(): Promise<void> {
  const why = options.gateway ? whyNoMixedStage() : whyNoSynapse();
  if (why !== undefined) {
    process.stderr.write(`The demo cannot be shown here: ${why}\n`);
    return end(2);
  }
  const { lines, homeservers } = options.gateway ? await showGateway() : await showMesh();
  print(lines);
  const passed = lines.every((line) => line.passed);
  if (!passed) for (const homeserver of homeservers) tell(`${homeserver.label} wrote last:\n${homeserver.lastLines()}`);
  if (options.keep) await keep(homeservers);
  await end(passed ? 0 : 1);
}

/** Ends what a person wants ended: steps that fail by that are no failures to tell of. */
function handleSignal(): void {
  process.stdout.write = process.stderr.write = () => true;
  void end(130);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, handleSignal);
if (process.env["npm_lifecycle_event"] !== undefined) {
  // A signal to npm alone ends npm, and we are not told.
  const { ppid } = process;
  setInterval(() => process.ppid !== ppid && handleSignal(), ORPHAN_MS).unref();
}
demo().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  void end(1);
});
