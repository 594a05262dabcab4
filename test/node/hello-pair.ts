import type { Identity } from "../../src/crypto/crypto.js";
import { VerdictCache } from "../../src/crypto/verdicts.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { Hello, type HelloSide, type HelloTerms } from "../../src/node/hello.js";
import { Ports } from "../../src/node/ports.js";
import { utf8 } from "../../src/wire/bytes.js";
import type { CloseCode } from "../../src/wire/codes.js";

export const crypto = nativeCrypto();
const verdicts = new VerdictCache(crypto);

/** The node with the number `seed`; a larger number does not mean a larger key. */
export function identityOf(seed: number): Identity {
  return crypto.identityFromSeed(crypto.hash(Uint8Array.of(seed)).slice(0, 32));
}

let nonces = 0;

/** A node that is nothing but its terms: its ports and epochs are its own. */
export function termsOf(seed: number, overrides: Partial<HelloTerms> = {}): HelloTerms & { readonly ports: Ports } {
  const ports = new Ports({ portsMax: 100, linksMax: 100, portRestMs: 600_000 });
  let epoch = 1_000;
  return {
    ports,
    crypto,
    verdicts,
    identity: identityOf(seed),
    networkId: utf8("test"),
    secret: new Uint8Array(0),
    leaf: false,
    random: (sizeBytes) => crypto.hash(Uint8Array.of(++nonces & 0xff, nonces >>> 8)).slice(0, sizeBytes),
    admits: () => true,
    spend: () => true,
    claim: (key, nowMs) => ports.claim(key, nowMs),
    nextEpoch: () => ++epoch,
    ...overrides,
  };
}

/** What became of a hello between two nodes. */
export interface Outcome {
  readonly dialler: Hello;
  readonly listener: Hello;
  /** Who ended it, and why. */
  readonly refusedBy?: "dialler" | "listener";
  readonly code?: CloseCode;
  /** Every message, in order, as it went over the wire. */
  readonly messages: readonly { readonly from: "dialler" | "listener"; readonly bytes: Uint8Array }[];
}

/**
 * Carries the messages of a hello between two nodes, one millisecond a message, until both are silent or one refuses. `onTheWay` may
 * replace a message.
 */
export function shakeHands(
  diallerTerms: HelloTerms,
  listenerTerms: HelloTerms,
  side: Partial<HelloSide> & { readonly listenerSecret?: Uint8Array } = {},
  onTheWay: (bytes: Uint8Array, from: "dialler" | "listener", index: number) => Uint8Array = (bytes) => bytes,
): Outcome {
  const { listenerSecret, ...diallerSide } = side;
  const dialler = new Hello(diallerTerms, { dialled: true, ...diallerSide }, 0);
  const listener = new Hello(listenerTerms, { dialled: false, secret: listenerSecret }, 0);
  const messages: Outcome["messages"][number][] = [];
  for (let nowMs = 1; ; nowMs++) {
    const fromDialler = dialler.pollTransmit();
    const sent = fromDialler ?? listener.pollTransmit();
    if (sent === undefined) return { dialler, listener, messages };
    const from = fromDialler === undefined ? "listener" : "dialler";
    const bytes = onTheWay(sent, from, messages.length).slice();
    messages.push({ from, bytes: bytes.slice() });
    const code = (from === "dialler" ? listener : dialler).handleMessage(bytes, nowMs);
    if (code !== undefined) {
      return { dialler, listener, messages, refusedBy: from === "dialler" ? "listener" : "dialler", code };
    }
  }
}
