import { PACKET_DROP_LABEL, PacketDrop } from "../src/session/codes.js";
import type { Network } from "./network.js";

/** Packets that no node may ever be handed: they were for another key, or somebody changed them. */
const NEVER = [PacketDrop.MALFORMED, PacketDrop.HANDSHAKE_INVALID, PacketDrop.KEY_MISMATCH, PacketDrop.NOT_AUTHENTIC];

/** What is wrong with a network, in words; nothing in a sound one. True at every moment, whatever fails, where all nodes are honest. */
export function faultsOf(network: Network): string[] {
  const faults: string[] = [];
  for (const { index, node } of network.hosts) {
    if (node === undefined) continue;
    const { config } = node;
    const status = node.status();
    const within = (what: string, value: number, max: number) => {
      if (value > max) faults.push(`node ${index}: ${what} ${value} > ${max}`);
    };
    within("links", status.links.length, config.linksMax);
    within("links in hello", status.linksInHello, config.hellosMax + config.linksMax);
    within("ports", status.ports, config.portsMax);
    within("requests", status.requests, config.requestsMax);
    within("sessions", status.sessions.length, config.sessions.sessionsMax);
    within("half-open sessions", status.sessionsHalfOpen, config.sessions.halfOpenMax);
    // No key but those of the other nodes can be below a node.
    for (const { tableSize } of status.trees) within("keys in a tree", tableSize, network.hosts.length - 1);
    const { drops } = status.counters.sessions;
    for (const drop of NEVER) within(`packets dropped as ${PACKET_DROP_LABEL[drop]}`, drops[drop]!, 0);
    within("frames that broke a rule", status.counters.router.violations, 0);
  }
  return faults;
}
