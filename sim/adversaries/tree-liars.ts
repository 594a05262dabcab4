import { ANNOUNCE, HEARTBEAT, REG } from "../../src/wire/control.js";
import { Kind } from "../../src/wire/kinds.js";
import { EDGE_BYTES } from "../../src/wire/limits.js";
import type { Host } from "../host.js";
import type { Random } from "../random.js";
import { type Adversary, openLinks, repeat } from "./adversary.js";

const SAY_MS = 1_000;

/** Claims a nearer place: another port in the last edge of its path, which its parent did not sign. */
export const coordinateLiar: Adversary = (host, network) => {
  repeat(host, network, SAY_MS, () => announceAnew(host));
  host.tamper = (message) => {
    const announce = message[1] === Kind.ANNOUNCE ? ANNOUNCE.decode(message) : undefined;
    if (announce === undefined || typeof announce === "number" || announce.edges.length === 0) return message;
    host.note("announced a place that its parent did not sign");
    const edges = announce.edges.map((edge, i) => (i + 1 === announce.edges.length ? changed(edge, 33) : edge));
    return ANNOUNCE.encode({ ...announce, edges });
  };
};

/** Spoils a signature in one of a few of its announcements, heartbeats and registrations. */
export const forger: Adversary = (host, network, random) => {
  repeat(host, network, SAY_MS, () => announceAnew(host));
  host.tamper = (message) => {
    const sent = random.chance(1, 4) ? forged(message, random) : message;
    if (sent !== message) host.note("sent a frame with a signature that is not for it");
    return sent;
  };
};

/** Says again what it said before, among what it says now. */
export const replayer: Adversary = (host, network, random) => {
  const said: { readonly message: Uint8Array; readonly link: number }[] = [];
  host.tamper = (message, end) => {
    const kind = message[1]!;
    if (kind >= Kind.HEARTBEAT && kind <= Kind.DATA && said.length < 500)
      said.push({ message: message.slice(), link: end.number });
    if (said.length > 0 && random.chance(1, 3)) {
      const old = random.pick(said);
      const number = random.chance(1, 2) ? old.link : end.number;
      const other = host.ends.get(number);
      const isUp = [...host.ports.values()].includes(number);
      if (other !== undefined && isUp)
        network.schedule.after(1, () => {
          if (other.isClosed) return;
          host.note("sent an old frame again");
          other.send(old.message.slice());
        });
    }
    return message;
  };
};

/** Announces its place in each tree without being asked. */
function announceAnew(host: Host): void {
  for (const { tree, ancestry, path: edges } of host.node!.router.trees) {
    if (ancestry === undefined) continue;
    const { root, seq, signature } = ancestry;
    const frame = ANNOUNCE.encode({ tree, root, seq, signature, delayMs: 0, keepPrefix: 0, keepSuffix: 0, edges });
    for (const [, end] of openLinks(host)) host.transmit(end, frame.slice());
  }
}

function changed(bytes: Uint8Array, at: number): Uint8Array {
  if (bytes.length <= at) return bytes;
  const copy = bytes.slice();
  copy[at]! ^= 1;
  return copy;
}

function forged(message: Uint8Array, random: Random): Uint8Array {
  switch (message[1]) {
    case Kind.HEARTBEAT: {
      const heartbeat = HEARTBEAT.decode(message);
      if (typeof heartbeat === "number") return message;
      return HEARTBEAT.encode({ ...heartbeat, seq: heartbeat.seq + 1 + random.below(5) });
    }
    case Kind.ANNOUNCE: {
      const announce = ANNOUNCE.decode(message);
      if (typeof announce === "number") return message;
      if (random.chance(1, 2)) return ANNOUNCE.encode({ ...announce, seq: announce.seq + 1 + random.below(5) });
      const at = random.below(Math.max(1, announce.edges.length));
      const edges = announce.edges.map((edge, i) =>
        i === at ? changed(edge, EDGE_BYTES - 1 - random.below(128)) : edge,
      );
      return ANNOUNCE.encode({ ...announce, edges });
    }
    case Kind.REG: {
      const reg = REG.decode(message);
      if (typeof reg === "number" || reg.adds.length === 0) return message;
      const at = random.below(reg.adds.length);
      const adds = reg.adds.map((add, i) => (i === at ? changed(add, add.length - 1 - random.below(128)) : add));
      return REG.encode({ ...reg, adds });
    }
    default:
      return message;
  }
}
