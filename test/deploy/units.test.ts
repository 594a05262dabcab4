import { execFile } from "node:child_process";
import { promisify } from "node:util";
import t from "tap";
import { filesIn, ROOT } from "../tidy/repository.js";
import { whyMissing } from "./programs.js";

const run = promisify(execFile);

/** The most that a unit may lay open, in tenths of what `systemd-analyze security` says. */
const EXPOSURE_MAX = 15;

const skip = whyMissing("systemd-analyze");

t.test("what a service may do is little, by the judgement of systemd itself", { skip }, async (t) => {
  const units = filesIn("deploy", ".service");
  t.ok(units.includes("deploy/pinyon.service"));
  for (const unit of units) {
    const judged = ["security", "--offline=true", "--no-pager", `--threshold=${EXPOSURE_MAX}`, ROOT + unit];
    const { stdout } = await run("systemd-analyze", judged);
    t.comment(`${unit}: ${/exposure level .*: ([\d.]+)/.exec(stdout)?.[1]}`);
  }
  const open = t.testdir({ "open.service": "[Service]\nExecStart=/bin/true\n" });
  await t.rejects(
    run("systemd-analyze", ["security", "--offline=true", "--threshold=15", `${open}/open.service`]),
    "a unit that closes nothing does not pass",
  );
});
