import t from "tap";
import { createLog } from "../../src/daemon/logs.js";

t.test("a log is JSON, a line each, from its level up", async (t) => {
  const lines: string[] = [];
  const log = createLog("info", false, (line) => lines.push(line));
  log.debug("hidden");
  log.info({ peer: "a", code: 3 }, "link down");
  log.error({ err: new Error("broken") }, "fault");
  t.match(
    lines.map((line) => JSON.parse(line)),
    [
      { level: 30, time: Number, peer: "a", code: 3, msg: "link down" },
      { level: 50, msg: "fault", err: { message: "broken", stack: /logs\.test/ } },
    ],
  );
});

t.test("on a terminal it is text that no other node can steer", async (t) => {
  const lines: string[] = [];
  const log = createLog("debug", true, (line) => lines.push(line));
  log.warn({ reason: "gone\u001b[2J\nnow", code: 3 }, "link down");
  log.error({ err: new Error("broken") }, "fault");
  t.match(lines[0], /^\d\d:\d\d:\d\d warn {2}link down {2}reason=gone\ufffd\[2J\ufffdnow code=3\n$/);
  t.match(lines[1], /^\d\d:\d\d:\d\d error fault\nError: broken\n {4}at /);
});
