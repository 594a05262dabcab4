import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Benchmark } from "./benchmark.js";

const PROGRAM = fileURLToPath(new URL("programs/forwards.js", import.meta.url));
/** With little room each small object soon makes a collection due. */
const OPTIONS = ["--expose-gc", "--max-semi-space-size=1", "--max-old-space-size=64"];

/** What forwarding leaves to be collected. */
export const collections: Benchmark = {
  lines: [
    {
      name: "collections",
      what: "forwarding in the router, garbage collections in 10⁶ frames",
      unit: "",
      target: { atMost: 0 },
    },
  ],

  async run(bench) {
    const [command = "", ...args] = bench.node;
    const count = (what: string) =>
      Number(execFileSync(command, [...args, ...OPTIONS, PROGRAM, what], { encoding: "utf8" }));
    // The canary says whether a collection would be seen.
    if (count("canary") === 0) return { collections: { absent: "an object a frame is not seen either" } };
    return { collections: { ours: [count("forward"), count("forward"), count("forward")] } };
  },
};
