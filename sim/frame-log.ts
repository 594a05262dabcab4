import { dataHops } from "../src/wire/data.js";
import { Kind } from "../src/wire/kinds.js";
import { probeIndex } from "../src/wire/probe.js";
import type { Host } from "./host.js";
import type { LinkEnd } from "./link.js";
import type { Watcher } from "./watcher.js";

/** A DATA or PROBE frame on its way. */
export interface FrameRecord {
  /** Who sent it first; an adversary that it passed may have changed it and is its source from then on. */
  source: Host;
  /** Nodes that it reached, the sender not among them. */
  hops: number;
  /** For each arrival, the node and how the frame was going; the checker of loops has it. */
  readonly visits: number[];
}

/** Knows each DATA and PROBE frame again wherever it is met: relays edit it in place, and send the same buffer on. */
export class FrameLog implements Watcher {
  /** The frame that arrives now, where it is one of these. */
  current: FrameRecord | undefined;
  readonly #records = new WeakMap<ArrayBufferLike, FrameRecord>();

  handleTransmit(host: Host, _end: LinkEnd, message: Uint8Array): void {
    const kind = message[1];
    if (kind !== Kind.DATA && kind !== Kind.PROBE) return;
    const known = this.#records.get(message.buffer);
    if (known !== undefined) {
      if (host.tamper !== undefined) known.source = host;
    } else if ((kind === Kind.DATA ? dataHops(message) : probeIndex(message)) <= 1)
      this.#records.set(message.buffer, { source: host, hops: 0, visits: [] });
  }

  handleDelivery(_host: Host, _end: LinkEnd, message: Uint8Array): void {
    this.current = this.#records.get(message.buffer);
    if (this.current !== undefined) this.current.hops++;
  }
}
