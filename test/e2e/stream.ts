import type { MeshNode } from "./mesh.js";
import type { SendOrder, StreamReport } from "./stream-node.js";

type Done = Extract<StreamReport, { sha256: string }>;

/** Sends bytes from one node that runs `stream-node.js` to another; `onProgress` is told of each mebibyte that arrives. */
export async function stream(
  from: MeshNode,
  to: MeshNode,
  sizeBytes: number,
  onProgress: (receivedBytes: number) => void = () => {},
): Promise<{ sent: Done; received: Done }> {
  const sent = done(from, "sent", () => {});
  const received = done(to, "received", onProgress);
  const order: SendOrder = { send: to.name, sizeBytes };
  from.process!.send(order);
  return { sent: await sent, received: await received };
}

function done(node: MeshNode, type: Done["type"], onProgress: (receivedBytes: number) => void): Promise<Done> {
  const process = node.process!;
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      process.off("message", onMessage).off("exit", onExit);
      finish();
    };
    const onMessage = (message: unknown) => {
      const report = message as StreamReport;
      if (report.type === "progress") onProgress(report.receivedBytes);
      else if (report.type === "failed") settle(() => reject(new Error(`${node.label}: ${report.reason}`)));
      else if (report.type === type) settle(() => resolve(report));
    };
    const onExit = () => settle(() => reject(new Error(`${node.label} ended`)));
    process.on("message", onMessage).on("exit", onExit);
  });
}
