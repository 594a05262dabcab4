import { nameToKey } from "../wire/name.js";
import { WAKE_TIMEOUT_MS } from "./config.js";
import type { FederationOverlay, Timers } from "./overlay.js";
import { WAKE_PATH } from "./paths.js";

/** Asks the node of that server to wake this node's homeserver. True where it will; false where it cannot be reached, or will not. */
export async function askForWakeUp(
  overlay: FederationOverlay,
  timers: Timers,
  name: string,
  key = nameToKey(name),
): Promise<boolean> {
  if (key === undefined) return false;
  try {
    const node = await overlay.connect(key);
    const request = node.request({ ":method": "POST", ":authority": name, ":path": WAKE_PATH }, { endStream: true });
    return await new Promise((resolve) => {
      let status: number | undefined;
      const cancel = timers.after(WAKE_TIMEOUT_MS, () => request.destroy());
      request.once("response", (headers) => {
        status = headers[":status"];
        request.destroy();
      });
      request.once("error", () => {});
      request.once("close", () => {
        cancel();
        resolve(status === 202);
      });
    });
  } catch {
    return false;
  }
}
