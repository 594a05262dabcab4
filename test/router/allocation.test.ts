import { execFileSync } from "node:child_process";
import { PerformanceObserver } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import t from "tap";
import { dataFrame, line, StaticMesh } from "./static-mesh.js";

const FORWARDS = 1_000_000;

/** Forwards a frame a million times through a relay's queue; the canary makes one small object each time. */
function forwardMany(isCanary: boolean): number {
  const mesh = new StaticMesh(line(3));
  const { forwarder, queues } = mesh.nodes[1]!;
  const [ingress, egress] = [mesh.portTo(1, 0), mesh.portTo(1, 2)];
  const fresh = dataFrame(mesh.key(2), [egress], { payload: 1_300 });
  const frame = fresh.slice();
  let kept: unknown;
  let sent = 0;
  const forward = (times: number) => {
    for (let i = 0; i < times; i++) {
      frame.set(fresh);
      if (forwarder.forward(frame, ingress, i) !== egress || queues.pollReady() < 0) throw new Error("not forwarded");
      if (queues.pop(egress) === frame && queues.pop(egress) === undefined) sent++;
      if (isCanary) kept = { i };
    }
  };
  forward(20_000); // compiled, and the rings grown
  const collections = countCollections();
  forward(FORWARDS);
  if (kept === null || sent !== FORWARDS + 20_000) throw new Error("not sent");
  setTimeout(() => process.stdout.write(String(collections())), 50);
  return sent;
}

function countCollections(): () => number {
  let count = 0;
  const observer = new PerformanceObserver((entries) => {
    count += entries.getEntries().length;
  });
  observer.observe({ entryTypes: ["gc"] });
  return () => count;
}

if (process.argv[2] !== undefined) {
  forwardMany(process.argv[2] === "canary");
} else {
  const collectionsOf = (what: string): number => {
    const file = fileURLToPath(import.meta.url);
    const options = ["--max-semi-space-size=1", "--max-old-space-size=64", file, what];
    return Number(execFileSync(process.execPath, options, { encoding: "utf8" }));
  };

  t.test("a million forwards by source route allocate nothing that must be collected", async (t) => {
    const collections = collectionsOf("forward");
    t.ok(collections <= 2, `${collections} collections`);
  });

  t.test("one small object a forward would be seen", async (t) => {
    t.ok(collectionsOf("canary") >= 10);
  });
}
