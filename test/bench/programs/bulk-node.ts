/** A daemon that sends and takes streams of bytes, as the benchmark says. */
import { readConfig } from "../../../src/daemon/config-file.js";
import { Daemon } from "../../../src/daemon/daemon.js";
import { createLog } from "../../../src/daemon/logs.js";
import { configPath } from "../../../src/daemon/state-folder.js";
import { chooseCrypto } from "../../../src/driver/choose-crypto.js";
import type { OverlaySession } from "../../../src/driver/overlay-session.js";
import { nameToKey } from "../../../src/wire/name.js";
import { pause } from "../figures.js";
import { Flow, Meter } from "./flow.js";
import { serve } from "./serve.js";

const folder = process.argv[2]!;
/** What came in, by the key of its sender in hex. */
const meters = new Map<string, Meter>();
let flow: Flow | undefined;

function take({ ask, answer, remoteKey }: OverlaySession): void {
  const name = Buffer.from(remoteKey).toString("hex");
  const meter = meters.get(name) ?? new Meter();
  meters.set(name, meter);
  ask.resume();
  answer.on("data", (chunk: Buffer) => meter.count(chunk.length));
}

const daemon = await Daemon.start({
  folder,
  config: readConfig(configPath(folder)),
  crypto: chooseCrypto(process.env),
  log: createLog("error", false, (line) => process.stderr.write(line)),
  onSession: take,
});

serve({
  open: async ({ to }: { to: string }) => {
    const { ask } = await daemon.overlay.connect(nameToKey(to)!);
    flow = new Flow(ask);
  },
  send: () => flow!.start(),
  stop: () => flow!.stop(),
  /** Bytes a second that come in from each sender. */
  measure: ({ durationMs }: { durationMs: number }) =>
    Promise.all([...meters.values()].map((meter) => meter.measure(durationMs))),
  /** How long pings take, in ms, each some time after the answer to the last. */
  pings: async ({ to, durationMs, gapMs }: { to: string; durationMs: number; gapMs: number }) => {
    const taken: number[] = [];
    for (const endMs = performance.now() + durationMs; performance.now() < endMs; await pause(gapMs)) {
      const startMs = performance.now();
      const { ok } = await daemon.overlay.ping(nameToKey(to)!);
      // One that is not answered took at least this long.
      taken.push(ok ? performance.now() - startMs : durationMs);
    }
    return taken;
  },
});
