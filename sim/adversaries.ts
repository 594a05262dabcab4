import { ANNOUNCE, HEARTBEAT, REG } from "../src/wire/control.js";
import { dataHeaderBytes, dataHops, editHops, writeDataHeader } from "../src/wire/data.js";
import { Kind } from "../src/wire/kinds.js";
import { EDGE_BYTES } from "../src/wire/limits.js";
import { probeIndex } from "../src/wire/probe.js";
import type { Host } from "./host.js";
import type { Network } from "./network.js";
import type { Random } from "./random.js";

/** Turns a host into an adversary: a node as any other, but for what it does with the frames that leave it. */
export type Adversary = (host: Host, network: Network, random: Random) => void;

/** Forwards nothing that is not its own, and says nothing of it. */
const silentDropper: Adversary = (host) => {
  host.tamper = (message) => (isRelayed(message) ? undefined : message);
};

/** Forwards all but the frames that find keys. */
const contactDropper: Adversary = (host) => {
  host.tamper = (message) => (message[1] === Kind.PROBE && probeIndex(message) > 1 ? undefined : message);
};

/** Is away 5 seconds of every 15, and nobody is told. */
const wobbler: Adversary = (host, network) => {
  const wobble = () => {
    if (host.isReading) network.stop(host.index);
    network.schedule.after(5_000, () => network.resume(host.index));
    network.schedule.after(15_000, wobble);
  };
  network.schedule.after(5_000, wobble);
};

/** Claims a nearer place: another port in the last edge of its path, which its parent did not sign. */
const coordinateLiar: Adversary = (host) => {
  host.tamper = (message) => {
    const announce = message[1] === Kind.ANNOUNCE ? ANNOUNCE.decode(message) : undefined;
    if (announce === undefined || typeof announce === "number" || announce.edges.length === 0) return message;
    const edges = announce.edges.map((edge, i) => (i + 1 === announce.edges.length ? changed(edge, 33) : edge));
    return ANNOUNCE.encode({ ...announce, edges });
  };
};

/** Spoils a signature in one of a few of its announcements, heartbeats and registrations. */
const forger: Adversary = (host, _network, random) => {
  host.tamper = (message) => (random.chance(1, 4) ? forged(message, random) : message);
};

/** Says again what it said before, among what it says now. */
const replayer: Adversary = (host, network, random) => {
  const said: { readonly message: Uint8Array; readonly link: number }[] = [];
  host.tamper = (message, end) => {
    const kind = message[1]!;
    if (kind >= Kind.HEARTBEAT && kind <= Kind.DATA && said.length < 500)
      said.push({ message: message.slice(), link: end.number });
    if (said.length > 0 && random.chance(1, 3)) {
      const old = random.pick(said);
      const other = host.ends.get(random.chance(1, 2) ? old.link : end.number);
      if (other !== undefined && isUp(host, other.number))
        network.schedule.after(1, () => {
          if (!other.isClosed) other.send(old.message.slice());
        });
    }
    return message;
  };
};

/** Asks for keys without end. */
const prober: Adversary = (host, network, random) => {
  const probe = () => {
    if (host.isReading)
      for (let i = 0; i < 20; i++) network.ask("lookup", host.index, network.key(random.below(network.hosts.length)));
    network.schedule.after(200, probe);
  };
  network.schedule.after(2_000, probe);
};

const FLOOD_MS = 100;
const FLOOD_FRAMES = 40;
const FLOOD_BYTES = 1_000;

/** Sends frames for keys that nobody has, as fast as its links take them. */
const flooder: Adversary = (host, network, random) => {
  host.tamper = (message) => message;
  const flood = () => {
    for (const number of host.ports.values()) {
      const end = host.ends.get(number);
      for (let i = 0; end?.isWritable === true && host.isReading && i < FLOOD_FRAMES; i++) {
        const frame = new Uint8Array(dataHeaderBytes(0) + FLOOD_BYTES);
        writeDataHeader(frame, [], random.bytes(8), random.bytes(32));
        editHops(frame);
        host.transmit(end, frame);
      }
    }
    network.schedule.after(FLOOD_MS, flood);
  };
  network.schedule.after(5_000, flood);
};

/** By the name that scenarios give them. */
export const ADVERSARIES: Readonly<Record<string, Adversary>> = {
  "silent-dropper": silentDropper,
  "contact-dropper": contactDropper,
  wobbler,
  "coordinate-liar": coordinateLiar,
  forger,
  replayer,
  prober,
  flooder,
};

/** Those that honest nodes can tell from their kind, and who then have no way to disturb them. */
export const DETECTABLE: readonly string[] = ["coordinate-liar", "forger", "replayer", "prober", "flooder"];

function isRelayed(message: Uint8Array): boolean {
  if (message[1] === Kind.PROBE) return probeIndex(message) > 1;
  return message[1] === Kind.DATA && dataHops(message) > 1;
}

function isUp(host: Host, link: number): boolean {
  for (const up of host.ports.values()) if (up === link) return true;
  return false;
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
