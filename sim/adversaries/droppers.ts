import { dataHops } from "../../src/wire/data.js";
import { Kind } from "../../src/wire/kinds.js";
import { probeIndex } from "../../src/wire/probe.js";
import type { Adversary } from "./adversary.js";

/** Forwards nothing that is not its own, and says nothing of it. */
export const silentDropper: Adversary = (host) => {
  host.tamper = (message) => {
    if (!isRelayed(message)) return message;
    host.note("dropped a frame that it should have sent on");
    return undefined;
  };
};

/** Forwards all but the frames that find keys. */
export const contactDropper: Adversary = (host) => {
  host.tamper = (message) => {
    if (message[1] !== Kind.PROBE || probeIndex(message) <= 1) return message;
    host.note("dropped a probe that it should have sent on");
    return undefined;
  };
};

const AWAY_MS = 5_000;
const CYCLE_MS = 15_000;

/** Is away 5 seconds of every 15, and nobody is told. */
export const wobbler: Adversary = (host, network) => {
  const wobble = () => {
    if (host.isReading) {
      host.note("went away for five seconds");
      network.stop(host.index);
    }
    network.schedule.after(AWAY_MS, () => network.resume(host.index));
    network.schedule.after(CYCLE_MS, wobble);
  };
  network.schedule.after(AWAY_MS, wobble);
};

function isRelayed(message: Uint8Array): boolean {
  if (message[1] === Kind.PROBE) return probeIndex(message) > 1;
  return message[1] === Kind.DATA && dataHops(message) > 1;
}
