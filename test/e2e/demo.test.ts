import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import t from "tap";
import { BARE_NODE } from "../daemon/bare-node.js";
import { tempFolder } from "../daemon/temp-folder.js";
import { whyNoMixedStage } from "./internet/open-mixed-stage.js";
import { eventually } from "./steps/step.js";
import { installSynapse, whyNoSynapse } from "./synapse-install.js";

t.setTimeout(300_000);
const [ENV, ...NODE] = BARE_NODE;
const DEMO = fileURLToPath(new URL("../../../test/e2e/demo.mjs", import.meta.url));

/** What the demo has just said when it is ended. The first has an empty cache to install into. */
const MOMENTS = [
  ["SIGINT", "installing synapse"],
  ["SIGINT", "starting nodes"],
  ["SIGTERM", "starting two Synapses"],
  ["SIGINT", "a room joined"],
  ["SIGINT", "starting gateways", "--gateway"],
] as const;

const why = process.platform === "linux" ? whyNoSynapse() : "processes are counted in /proc";
if (why === undefined) await installSynapse((line) => t.comment(line));
for (const [signal, moment, ...options] of MOMENTS) {
  t.test(
    `${signal} after "${moment}" ends the demo, and leaves no process and no file`,
    { skip: why ?? (options.length > 0 ? whyNoMixedStage() : undefined) ?? false },
    async (t) => {
      const folder = tempFolder(t);
      const cache = moment.startsWith("installing") ? { PINYON_CACHE: tempFolder(t) } : {};
      const env = { ...process.env, TMPDIR: folder, ...cache };
      const child = spawn(ENV, [...NODE, DEMO, ...options], { stdio: ["ignore", "pipe", "inherit"], env });
      const exit = once(child, "exit");
      let said = "";
      child.stdout.on("data", (text: Buffer) => {
        if (said.includes(moment)) return;
        said += text.toString();
        if (said.includes(moment)) child.kill(signal);
      });
      const [code] = await exit;
      t.equal(code, 130, said);
      await eventually("the end of all processes", 5_000, async () =>
        runningIn(folder).length === 0 ? true : undefined,
      );
      t.same(readdirSync(folder), []);
      if (options.length > 0) {
        const namespaces = execFileSync("ip", ["netns", "list"], { encoding: "utf8" });
        t.notOk(namespaces.includes(`pinyon-${child.pid}-`), "and no network namespace");
      }
    },
  );
}

/** Processes whose temporary folder this is. */
function runningIn(folder: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`TMPDIR=${folder}\0`);
    } catch {
      // No process, or one that has ended.
      return false;
    }
  });
}
