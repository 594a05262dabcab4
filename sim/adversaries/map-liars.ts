import { idOf } from "../../src/router/entry.js";
import type { SignedLocator } from "../../src/router/locators.js";
import { encodeRecord } from "../../src/wire/ball.js";
import { concatBytes, toHex } from "../../src/wire/bytes.js";
import { EPOCH_HINT_MAX, ID_BYTES, SIGNATURE_BYTES } from "../../src/wire/limits.js";
import { encodeLocator } from "../../src/wire/locator.js";
import type { Host } from "../host.js";
import type { Network } from "../network.js";
import type { Random } from "../random.js";
import { type Adversary, alter, repeat } from "./adversary.js";

const SESSIONS = 8;
const CONNECT_MS = 2_000;
const FALSE_LINKS = 6;
const FALSE_DELAY_MS = 0.1;

/** Tells of a map on which it is next to everybody, and everybody next to nodes that there are not. */
export const ballPoisoner: Adversary = (host, network, random) => {
  alter(host, network, ({ router }) => {
    router.paths.balls.parts = (size, bytesMax) => {
      host.note("told false records");
      let part = falseRecord(host.key, network, random);
      for (const { key } of random.shuffled(network.hosts).slice(0, size)) {
        const longer = concatBytes(part, falseRecord(key, network, random));
        if (longer.length > bytesMax) break;
        part = longer;
      }
      return [part];
    };
  });
  befriend(host, network, random);
};

function falseRecord(key: Uint8Array, network: Network, random: Random): Uint8Array {
  const links = Array.from({ length: FALSE_LINKS }, (_, i) => {
    const id = random.chance(1, 3) ? random.bytes(ID_BYTES) : random.pick(network.hosts).key.subarray(0, ID_BYTES);
    return { port: i + 1, id, delayMs: FALSE_DELAY_MS };
  });
  return encodeRecord(key.subarray(0, ID_BYTES), links);
}

/** Hands on locators that are false, or the oldest that it ever saw. */
export const locatorLiar: Adversary = (host, network, random) => {
  const oldest = new Map<string, SignedLocator>();
  alter(host, network, ({ router: { paths } }) => {
    const known = paths.locator.bind(paths);
    paths.locator = (key) => {
      const first = oldest.get(toHex(key)) ?? known(key);
      if (first !== undefined) oldest.set(toHex(key), first);
      const isOld = first !== undefined && random.chance(1, 2);
      host.note(isOld ? "handed on an old locator" : "handed on a false locator");
      return isOld ? first : falseLocator(host, random);
    };
  });
  befriend(host, network, random);
};

/** A place right below the adversary, with an epoch above all others. */
function falseLocator({ key }: Host, random: Random): SignedLocator {
  const coordinates = [1 + random.below(5), 1 + random.below(5)];
  const place = { rootId: key.subarray(0, ID_BYTES), coordinates };
  return { bytes: encodeLocator(EPOCH_HINT_MAX - 1, [place, place, place]), signature: random.bytes(SIGNATURE_BYTES) };
}

/** Has sessions with some nodes, for what is told in sessions alone. */
function befriend(host: Host, network: Network, random: Random): void {
  const others = random.shuffled(network.hosts.filter(({ index }) => index !== host.index));
  const friends = others.slice(0, SESSIONS);
  repeat(host, network, CONNECT_MS, () => {
    const joined = new Set([...host.node!.status().sessions].map(({ key }) => idOf(key)));
    for (const { key } of friends)
      if (!joined.has(idOf(key))) {
        host.note("opened a session");
        host.act((node, nowMs) => node.connect(key, nowMs));
      }
  });
}
