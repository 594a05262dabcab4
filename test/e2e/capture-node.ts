/**
 * `pinyon run` for a relay under watch: whatever its links deliver, freed of TLS and of WebSocket's masks, is written to a file before the
 * router gets it. The test is told what the relay carries, by destination.
 */
import { openSync, writevSync } from "node:fs";
import { Overlay } from "../../src/driver/overlay.js";
import type { Link } from "../../src/link/link.js";
import { dataDestination, isData } from "../../src/wire/data.js";
import { keyToName } from "../../src/wire/name.js";
import { type CaptureReport, capturePath } from "./capture.js";

const FLUSH_MS = 10;

/** Puts `handle` before whoever takes the messages of a link. */
function watch(link: Link, handle: (message: Uint8Array) => void): void {
  // Reading begins when the link's own property is set.
  const own = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(link), "onMessage")!;
  Object.defineProperty(link, "onMessage", {
    get: () => own.get!.call(link),
    set: (take: (message: Uint8Array) => void) => {
      own.set!.call(link, (message: Uint8Array) => {
        handle(message);
        take(message);
      });
    },
  });
}

function capture(folder: string): void {
  const file = openSync(capturePath(folder), "a", 0o600);
  const carriedBytes: Record<string, number> = {};
  let capturedBytes = 0;
  let waiting: Uint8Array[] = [];
  const handle = (message: Uint8Array) => {
    // The router edits the message in place.
    waiting.push(message.slice());
    capturedBytes += message.length;
    if (!isData(message)) return;
    const destination = keyToName(dataDestination(message));
    carriedBytes[destination] = (carriedBytes[destination] ?? 0) + message.length;
  };
  setInterval(() => {
    if (waiting.length === 0) return;
    writevSync(file, waiting);
    waiting = [];
    const report: CaptureReport = { capturedBytes, carriedBytes };
    process.send?.(report);
  }, FLUSH_MS).unref();
  const { attach } = Overlay.prototype;
  Overlay.prototype.attach = function (link, expected) {
    watch(link, handle);
    attach.call(this, link, expected);
  };
}

const folder = process.argv[2]!;
capture(folder);
process.argv.splice(2, 1, "--state", folder, "run");
await import("../../src/cli/main.js");
