import type { Node } from "../../src/node/node.js";
import type { Host } from "../host.js";
import type { LinkEnd } from "../link.js";
import type { Network } from "../network.js";
import type { Random } from "../random.js";

/**
 * Turns a host into an adversary: a node as any other, but for what it does with the frames that leave it, what it sends beside them,
 * and what it says of others. It keeps to the wire.
 */
export type Adversary = (host: Host, network: Network, random: Random) => void;

/** Changes the node of the host: now, where there is one, and whenever it starts anew. */
export function alter(host: Host, network: Network, change: (node: Node) => void): void {
  if (host.node !== undefined) change(host.node);
  network.watch({
    handleStart: (started) => {
      if (started === host) change(host.node!);
    },
  });
}

/** Calls `act` every so often from now on, while the host runs. */
export function repeat(host: Host, network: Network, everyMs: number, act: () => void): void {
  const next = () => {
    if (host.isReading) act();
    network.schedule.after(everyMs, next);
  };
  network.schedule.after(everyMs, next);
}

/** Its links whose hello is complete and that take something now, by port. */
export function* openLinks(host: Host): Iterable<readonly [port: number, end: LinkEnd]> {
  for (const [port, number] of [...host.ports]) {
    const end = host.ends.get(number);
    if (end !== undefined && !end.isClosed && end.isWritable) yield [port, end];
  }
}
