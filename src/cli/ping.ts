import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import type { ControlClient } from "../daemon/control-client.js";
import type { PingResult } from "../daemon/control-protocol.js";
import { ErrorCode, messageOf, pinyonCode } from "../daemon/errors.js";
import { ExitCode } from "./exit.js";
import { count, print, printJson, rtt } from "./output.js";
import { withDaemon } from "./settings.js";

interface PingOptions {
  readonly count: number;
  readonly interval: number;
  readonly json?: true;
}

/** One ping's outcome. */
type Attempt = { readonly seq: number } & (PingResult | { readonly error: string });

export function pingCommand(): Command {
  return new Command("ping")
    .description("ask a node for an answer, over and over, and say how long it took")
    .argument("<node>", "its name or key")
    .option("-c, --count <n>", "how many times; 0: until Ctrl-C", readCount, 4)
    .option("-i, --interval <seconds>", "from one to the next", readInterval, 1)
    .option("--json", "as JSON at the end, times in milliseconds")
    .action(async (target: string, options: PingOptions, command: Command) => {
      const attempts: Attempt[] = [];
      try {
        await withDaemon(command, (client) => pingAll(client, target, options, attempts));
      } catch (error) {
        if (attempts.length > 0) printSummary(attempts, options);
        throw error;
      }
      const answered = printSummary(attempts, options);
      if (answered === 0) process.exitCode = ExitCode.FAILED;
    });
}

/** Pings until there are enough, or Ctrl-C, and adds each outcome to `attempts` as it comes. */
async function pingAll(
  client: ControlClient,
  target: string,
  options: PingOptions,
  attempts: Attempt[],
): Promise<void> {
  const { signal, interrupted } = interruption();
  while (!signal.aborted) {
    const attempt = await Promise.race([pingOnce(client, target, attempts.length + 1), interrupted]);
    if (attempt === undefined) break;
    attempts.push(attempt);
    if (!options.json) print(attemptLine(attempt));
    if (attempts.length === options.count) break;
    await sleep(options.interval * 1_000, undefined, { signal }).catch(() => {});
  }
}

/** Ctrl-C ends the pings, not the summary; a second one ends all. */
function interruption(): { signal: AbortSignal; interrupted: Promise<undefined> } {
  const controller = new AbortController();
  const interrupted = new Promise<undefined>((resolve) => {
    process.once("SIGINT", () => {
      controller.abort();
      resolve(undefined);
    });
  });
  return { signal: controller.signal, interrupted };
}

async function pingOnce(client: ControlClient, target: string, seq: number): Promise<Attempt> {
  try {
    return { seq, ...(await client.request({ verb: "ping", target })) };
  } catch (error) {
    if (pinyonCode(error) !== ErrorCode.UNREACHABLE) throw error;
    return { seq, error: messageOf(error) };
  }
}

function attemptLine(attempt: Attempt): string {
  if ("error" in attempt) return `no answer: seq=${attempt.seq} ${attempt.error}`;
  return `answer from ${attempt.name}: seq=${attempt.seq} hops=${attempt.hops} time=${rtt(attempt.rttMs)}`;
}

type Answer = Extract<Attempt, PingResult>;

/** Gives how many pings were answered. */
function printSummary(attempts: readonly Attempt[], { json }: PingOptions): number {
  const answers = attempts.filter((attempt) => "rttMs" in attempt);
  if (json) printJson(summary(attempts, answers));
  else print(...summaryLines(attempts, answers));
  return answers.length;
}

function summary(attempts: readonly Attempt[], answers: readonly Answer[]) {
  const times = answers.map(({ rttMs }) => rttMs);
  const mean = times.reduce((sum, rttMs) => sum + rttMs, 0) / times.length;
  const spread = times.length === 0 ? undefined : { min: Math.min(...times), mean, max: Math.max(...times) };
  return { sent: attempts.length, answered: answers.length, rttMs: spread, attempts };
}

function summaryLines(attempts: readonly Attempt[], answers: readonly Answer[]): string[] {
  const { sent, answered, rttMs } = summary(attempts, answers);
  const lost = sent === 0 ? 0 : Math.round((100 * (sent - answered)) / sent);
  const counts = `${count(sent, "ping")}, ${count(answered, "answer")}, ${lost} % lost`;
  if (rttMs === undefined) return [counts];
  return [counts, `round trip min/mean/max: ${rtt(rttMs.min)} / ${rtt(rttMs.mean)} / ${rtt(rttMs.max)}`];
}

function readCount(text: string): number {
  const value = Number(text);
  if (/^\d{1,9}$/.test(text)) return value;
  throw new InvalidArgumentError("expected a whole number, 0 for no end.");
}

function readInterval(text: string): number {
  const value = Number(text);
  if (value >= 0.01 && value <= 86_400) return value;
  throw new InvalidArgumentError("expected seconds, at least 0.01.");
}
