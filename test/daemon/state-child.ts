/** A process of the state tests: does one task on a folder until it is killed. */
import { join } from "node:path";
import { writeAtomic } from "../../src/daemon/atomic-file.js";
import { lockFolder } from "../../src/daemon/lock.js";

const [task, folder = ""] = process.argv.slice(2);
const say = (text: string) => process.send?.(text);

function tryLock(): string {
  try {
    lockFolder(folder);
    return "locked";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

// A process whose parent went away ends.
process.on("disconnect", () => process.exit());
switch (task) {
  case "lock":
    say(tryLock() === "locked" ? "ready" : "not locked");
    break;
  case "race":
    process.once("message", () => say(tryLock()));
    say("ready");
    break;
  case "write":
    await writeAtomic(join(folder, "file"), "z".repeat(100_000));
    say("ready");
    for (let round = 0; ; round++) {
      await writeAtomic(join(folder, "file"), String.fromCharCode(97 + (round % 26)).repeat(100_000));
    }
}
