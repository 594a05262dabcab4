import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Figure, Row } from "../prove/row.js";

/** One row on one seed. */
export interface Job {
  readonly row: Row;
  readonly seed: number;
}

/** What came of a job: figures, or why there are none. */
export type Outcome = { readonly figures: readonly Figure[] } | { readonly crash: string };

const WORKER = fileURLToPath(new URL("./prove-worker.js", import.meta.url));
/** Of what a process that crashed said, the end is kept. */
const ERRORS_BYTES = 4_000;

/** Runs jobs in processes of their own, so many at a time, those that measure CPU time after all others and alone. */
export async function runJobs(
  jobs: readonly Job[],
  nodes: number,
  workers: number,
  done: (job: Job, outcome: Outcome) => void,
): Promise<void> {
  const inTurn = async (queue: Job[]) => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) done(job, await runJob(job, nodes));
  };
  const beside = jobs.filter(({ row }) => row.isTimed !== true);
  await Promise.all(Array.from({ length: workers }, () => inTurn(beside)));
  await inTurn(jobs.filter(({ row }) => row.isTimed === true));
}

/** A process for each job: none sees what another left behind, and one that crashes takes nothing with it. */
function runJob({ row, seed }: Job, nodes: number): Promise<Outcome> {
  const child = fork(WORKER, [row.name, String(seed), String(nodes)], {
    serialization: "advanced",
    stdio: ["ignore", "inherit", "pipe", "ipc"],
  });
  const endChild = () => child.kill();
  process.once("exit", endChild);
  let figures: readonly Figure[] | undefined;
  let errors = "";
  child.on("message", (message) => {
    figures = message as readonly Figure[];
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-ERRORS_BYTES);
  });
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      process.off("exit", endChild);
      if (figures !== undefined) resolve({ figures });
      else resolve({ crash: `${errors.trim()}\nended with ${signal ?? code}`.trim() });
    });
  });
}
