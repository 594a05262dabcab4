/**
 * A daemon in a process of its own that keeps flows of bytes going, as the test that started it says: `flow` opens a session and writes
 * every so often until `stop`; whoever receives notes pauses from `mark` on, and `report` asks what it saw.
 */
import { readConfig } from "../../src/daemon/config-file.js";
import { Daemon } from "../../src/daemon/daemon.js";
import { createLog } from "../../src/daemon/logs.js";
import { configPath } from "../../src/daemon/state-folder.js";
import { chooseCrypto } from "../../src/driver/choose-crypto.js";
import type { OverlaySession } from "../../src/driver/overlay-session.js";
import { keyToName, nameToKey } from "../../src/wire/name.js";
import { FlowReceiver, type FlowReport, flowBytes } from "./flow.js";

/** What a test asks of the process. */
export type FlowOrder =
  | { readonly do: "flow"; readonly to: string; readonly everyMs: number }
  | { readonly do: "mark" | "stop" | "report" };

/** What the process answers to `flow`, and to `report`. */
export type FlowAnswer =
  | { readonly type: "flowing"; readonly to: string; readonly failure?: string }
  | {
      readonly type: "report";
      readonly received: readonly FlowReport[];
      /** Bytes that this node wrote, by the receiver's name. */
      readonly sentBytes: Readonly<Record<string, number>>;
    };

const receivers: FlowReceiver[] = [];
const sentBytes: Record<string, number> = {};
const timers: NodeJS.Timeout[] = [];
const answer = (text: FlowAnswer) => void process.send?.(text);

function receive({ remoteKey, answer: stream }: OverlaySession): void {
  let receiver: FlowReceiver | undefined;
  stream.on("data", (chunk: Buffer) => {
    const nowMs = performance.now();
    if (receiver === undefined) {
      receiver = new FlowReceiver(keyToName(remoteKey), nowMs);
      receivers.push(receiver);
    }
    receiver.receive(chunk, nowMs);
  });
}

async function flow(daemon: Daemon, to: string, everyMs: number): Promise<void> {
  const { ask } = await daemon.overlay.connect(nameToKey(to)!);
  sentBytes[to] = 0;
  const write = () => {
    const bytes = flowBytes(sentBytes[to]!);
    sentBytes[to]! += bytes.length;
    ask.write(bytes);
  };
  timers.push(setInterval(write, everyMs));
  answer({ type: "flowing", to });
}

const folder = process.argv[2]!;
const daemon = await Daemon.start({
  folder,
  config: readConfig(configPath(folder)),
  crypto: chooseCrypto(process.env),
  log: createLog("error", false, (line) => process.stderr.write(line)),
  onSession: (session) => {
    session.ask.resume();
    receive(session);
  },
});
process.on("message", (message) => {
  const order = message as FlowOrder;
  const nowMs = performance.now();
  if (order.do === "flow")
    flow(daemon, order.to, order.everyMs).catch((error: unknown) =>
      answer({ type: "flowing", to: order.to, failure: String(error) }),
    );
  else if (order.do === "mark") for (const receiver of receivers) receiver.mark(nowMs);
  else if (order.do === "stop") for (const timer of timers.splice(0)) clearInterval(timer);
  else answer({ type: "report", received: receivers.map((receiver) => receiver.report(nowMs)), sentBytes });
});
process.on("disconnect", () => process.exit());
