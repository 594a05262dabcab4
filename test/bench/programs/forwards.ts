/**
 * Forwards a million frames by the source route through a relay's router and queue, and prints how many garbage collections that took;
 * with `canary` one small object is made for each frame.
 */
import { PerformanceObserver } from "node:perf_hooks";
import { dataFrame, line, StaticMesh } from "../../router/static-mesh.js";
import { pause } from "../figures.js";

const FORWARDS = 1_000_000;
const WARM_UP = 50_000;
const isCanary = process.argv[2] === "canary";

const mesh = new StaticMesh(line(3));
const { forwarder, queues } = mesh.nodes[1]!;
const [ingress, egress] = [mesh.portTo(1, 0), mesh.portTo(1, 2)];
const fresh = dataFrame(mesh.key(2), [egress], { payload: 1_300 });
const frame = fresh.slice();
let kept: unknown;

function forward(times: number): void {
  for (let i = 0; i < times; i++) {
    frame.set(fresh);
    const port = forwarder.forward(frame, ingress, i);
    if (port !== egress || queues.pollReady() < 0 || queues.pop(egress) !== frame || queues.pop(egress) !== undefined) {
      throw new Error("a frame was not forwarded");
    }
    if (isCanary) kept = { i };
  }
}

let collections = 0;
const observer = new PerformanceObserver((entries) => {
  collections += entries.getEntries().length;
});
forward(WARM_UP);
// What was there before is swept away, or it would be counted.
(globalThis as { gc?: () => void }).gc?.();
await pause(200);
observer.observe({ entryTypes: ["gc"] });
forward(FORWARDS);
await pause(100);
process.stdout.write(String(collections));
if (kept === null) throw new Error("nothing was kept");
