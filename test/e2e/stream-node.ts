/**
 * A daemon in a process of its own that exchanges streams of bytes with its like, as the test that started it says: `send` opens a
 * session and sends, the other end reports what it received.
 */
import { createHash } from "node:crypto";
import { readConfig } from "../../src/daemon/config-file.js";
import { Daemon } from "../../src/daemon/daemon.js";
import { createLog } from "../../src/daemon/logs.js";
import { configPath } from "../../src/daemon/state-folder.js";
import { chooseCrypto } from "../../src/driver/choose-crypto.js";
import type { OverlaySession } from "../../src/driver/overlay-session.js";
import { nameToKey } from "../../src/wire/name.js";

/** What a test asks of the process. */
export interface SendOrder {
  readonly send: string;
  readonly sizeBytes: number;
}

/** What the process tells the test: each mebibyte received, and what came in all, or was sent. */
export type StreamReport =
  | { readonly type: "progress"; readonly receivedBytes: number }
  | {
      readonly type: "received" | "sent";
      readonly sizeBytes: number;
      readonly sha256: string;
      /** The longest time without a byte, and from the first byte to the last. */
      readonly pauseMs: number;
      readonly durationMs: number;
    }
  | { readonly type: "failed"; readonly reason: string };

const CHUNK_BYTES = 65_536;
const PROGRESS_BYTES = 1_048_576;
const report = (text: StreamReport) => process.send?.(text);

async function receive({ answer }: OverlaySession): Promise<void> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  let pauseMs = 0;
  let firstMs = 0;
  let lastMs = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const nowMs = performance.now();
    if (sizeBytes === 0) firstMs = nowMs;
    else pauseMs = Math.max(pauseMs, nowMs - lastMs);
    lastMs = nowMs;
    const before = Math.floor(sizeBytes / PROGRESS_BYTES);
    sizeBytes += chunk.length;
    hash.update(chunk);
    if (Math.floor(sizeBytes / PROGRESS_BYTES) > before) report({ type: "progress", receivedBytes: sizeBytes });
  }
  if (sizeBytes === 0) return;
  const durationMs = lastMs - firstMs;
  report({ type: "received", sizeBytes, sha256: hash.digest("hex"), pauseMs, durationMs });
}

async function send(daemon: Daemon, { send: name, sizeBytes }: SendOrder): Promise<void> {
  const { ask } = await daemon.overlay.connect(nameToKey(name)!);
  const hash = createHash("sha256");
  const startedMs = performance.now();
  for (let sentBytes = 0; sentBytes < sizeBytes; sentBytes += CHUNK_BYTES) {
    const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, sizeBytes - sentBytes), `${sentBytes} `);
    hash.update(chunk);
    await new Promise<void>((resolve, reject) => ask.write(chunk, (error) => (error ? reject(error) : resolve())));
  }
  ask.end();
  const durationMs = performance.now() - startedMs;
  report({ type: "sent", sizeBytes, sha256: hash.digest("hex"), pauseMs: 0, durationMs });
}

function failed(error: unknown): void {
  report({ type: "failed", reason: String(error) });
}

const folder = process.argv[2]!;
const daemon = await Daemon.start({
  folder,
  config: readConfig(configPath(folder)),
  crypto: chooseCrypto(process.env),
  log: createLog("error", false, (line) => process.stderr.write(line)),
  onSession: (session) => {
    // Only the side that is asked takes the stream up; the other reads the end of an unused one.
    session.ask.resume();
    receive(session).catch(failed);
  },
});
process.on("message", (order) => void send(daemon, order as SendOrder).catch(failed));
process.on("disconnect", () => process.exit());
