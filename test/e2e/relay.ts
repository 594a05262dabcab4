import { readFileSync } from "node:fs";
import { type CaptureReport, capturePath } from "./capture.js";
import type { MeshNode } from "./mesh.js";

/** A relay that runs `capture-node.js`. */
export class Relay {
  /** Called at each report of what it carries, every few milliseconds while it does. */
  onReport: () => void = () => {};
  #last: CaptureReport = { capturedBytes: 0, carriedBytes: {} };

  constructor(
    readonly node: MeshNode,
    /** Where others dial it: host:port. */
    readonly address: string,
  ) {}

  /** Starts it unless it runs, and waits until it does. */
  async start(): Promise<void> {
    if (this.node.runs) return;
    this.node.start();
    this.watch();
    await this.node.ready();
  }

  /** Takes the reports of its process, which has just started. */
  watch(): void {
    this.node.process?.on("message", (report) => {
      this.#last = report as CaptureReport;
      this.onReport();
    });
  }

  /** The port by which it sends to a neighbour. */
  async portTo(neighbour: MeshNode): Promise<number> {
    const { hops } = await this.node.trace(neighbour);
    return hops[0]!.port!;
  }

  /** Bytes of all that its links delivered since its start. */
  get capturedBytes(): number {
    return this.#last.capturedBytes;
  }

  /** Bytes of the DATA frames that it carried for a node since its start. */
  carriedBytesTo(target: MeshNode): number {
    return this.#last.carriedBytes[target.name] ?? 0;
  }

  /** All that its links delivered, as its router got it. */
  captured(): Buffer {
    return readFileSync(capturePath(this.node.folder));
  }
}
