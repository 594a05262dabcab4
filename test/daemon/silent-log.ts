import { createLog, type Log } from "../../src/daemon/logs.js";

/** A log that writes nothing. */
export function silentLog(): Log {
  return createLog("silent", false, () => {});
}
