import { readFileSync } from "node:fs";
import t from "tap";
import type { Crypto } from "../../src/crypto/crypto.js";
import { portableCrypto } from "../../src/crypto/portable.js";
import { NoiseInitiator, type NoiseOptions, NoiseResponder, noiseNonce, rekey } from "../../src/session/noise.js";
import { crypto, hex, unhex } from "./support.js";

interface Vector {
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly init_psks?: string[];
  readonly init_static: string;
  readonly init_ephemeral: string;
  readonly init_remote_static: string;
  readonly resp_static: string;
  readonly resp_ephemeral: string;
  readonly handshake_hash: string;
  readonly messages: { readonly payload: string; readonly ciphertext: string }[];
}

const file = new URL("../../../test/vectors/noise-ik.json", import.meta.url);
const vectors: Vector[] = JSON.parse(readFileSync(file, "utf8")).vectors;

function options(crypto: Crypto, prologue: Uint8Array, secret: Uint8Array, psk?: Uint8Array): NoiseOptions {
  return { crypto, prologue, secret: psk, static: { secret, public: crypto.x25519Public(secret) } };
}

/** Two parties from fixed keys, up to message 1. */
function parties(initiatorPsk?: Uint8Array, responderPsk = initiatorPsk) {
  const prologue = new Uint8Array(4);
  const initiator = options(crypto, prologue, new Uint8Array(32).fill(1), initiatorPsk);
  const responder = options(crypto, prologue, new Uint8Array(32).fill(2), responderPsk);
  const begun = NoiseInitiator.begin(initiator, responder.static.public, new Uint8Array(32).fill(3), new Uint8Array(5));
  return { initiator, responder, begun: begun! };
}

for (const vector of vectors) {
  for (const set of [crypto, portableCrypto]) {
    t.test(`the published vector of ${vector.protocol_name} passes with the ${set.name} set`, async (t) => {
      const prologue = unhex(vector.init_prologue);
      const psk = vector.init_psks?.[0] === undefined ? undefined : unhex(vector.init_psks[0]);
      const [message1, message2, ...transport] = vector.messages;
      const initiator = NoiseInitiator.begin(
        options(set, prologue, unhex(vector.init_static), psk),
        unhex(vector.init_remote_static),
        unhex(vector.init_ephemeral),
        unhex(message1!.payload),
      )!;
      t.equal(hex(initiator.message), message1!.ciphertext);

      const responder = NoiseResponder.read(
        options(set, prologue, unhex(vector.resp_static), psk),
        unhex(message1!.ciphertext),
      )!;
      t.equal(hex(responder.payload), message1!.payload);
      t.equal(hex(responder.remoteStatic), hex(set.x25519Public(unhex(vector.init_static))));
      const answer = responder.answer(unhex(vector.resp_ephemeral), unhex(message2!.payload))!;
      t.equal(hex(answer.message), message2!.ciphertext);

      const result = initiator.readMessage2(unhex(message2!.ciphertext))!;
      t.equal(hex(result.payload), message2!.payload);
      t.equal(hex(result.handshakeHash), vector.handshake_hash);
      t.equal(hex(answer.result.handshakeHash), vector.handshake_hash);
      t.strictSame(result.initiatorKey, answer.result.initiatorKey);
      t.strictSame(result.responderKey, answer.result.responderKey);

      transport.forEach(({ payload, ciphertext }, index) => {
        const key = index % 2 === 0 ? result.initiatorKey : result.responderKey;
        const out = new Uint8Array(payload.length / 2 + 16);
        set.seal(key, noiseNonce(Math.floor(index / 2)), new Uint8Array(0), unhex(payload), out);
        t.equal(hex(out), ciphertext);
      });
    });
  }
}

t.test("a changed byte anywhere in message 1 or 2 is refused", async (t) => {
  const { responder, begun } = parties();
  const answer = NoiseResponder.read(responder, begun.message)!.answer(new Uint8Array(32).fill(4), new Uint8Array(3))!;
  for (let at = 0; at < begun.message.length; at++) {
    const message = begun.message.slice();
    message[at]! ^= 0x40;
    t.equal(NoiseResponder.read(responder, message), undefined, `message 1, byte ${at}`);
  }
  for (let at = 0; at < answer.message.length; at++) {
    const message = answer.message.slice();
    message[at]! ^= 0x40;
    t.equal(begun.readMessage2(message), undefined, `message 2, byte ${at}`);
  }
  t.ok(begun.readMessage2(answer.message), "the unchanged message 2 is still read after all of them");
});

t.test("messages that are cut off are refused", async (t) => {
  const { responder, begun } = parties();
  const answer = NoiseResponder.read(responder, begun.message)!.answer(new Uint8Array(32).fill(4), new Uint8Array(3))!;
  for (let size = 0; size < begun.message.length; size++) {
    t.equal(NoiseResponder.read(responder, begun.message.subarray(0, size)), undefined);
  }
  for (let size = 0; size < answer.message.length; size++) {
    t.equal(begun.readMessage2(answer.message.subarray(0, size)), undefined);
  }
});

t.test("another prologue, another secret, or one on one side only, is refused", async (t) => {
  const { responder, begun } = parties();
  t.equal(NoiseResponder.read({ ...responder, prologue: new Uint8Array(5) }, begun.message), undefined);
  const psk = new Uint8Array(32).fill(9);
  t.equal(NoiseResponder.read({ ...responder, secret: psk }, begun.message), undefined);

  const other = parties(psk, new Uint8Array(32).fill(8));
  const read = NoiseResponder.read(other.responder, other.begun.message)!;
  const answer = read.answer(new Uint8Array(32).fill(4), new Uint8Array(0))!;
  t.equal(other.begun.readMessage2(answer.message), undefined, "psk2 is mixed in before message 2 is sealed");
});

t.test("points of small order are refused in every place", async (t) => {
  const { initiator, responder, begun } = parties();
  const zero = new Uint8Array(32);
  t.equal(NoiseInitiator.begin(initiator, zero, new Uint8Array(32).fill(3), zero), undefined);
  const message1 = begun.message.slice();
  message1.set(zero, 0);
  t.equal(NoiseResponder.read(responder, message1), undefined);
  const answer = NoiseResponder.read(responder, begun.message)!.answer(new Uint8Array(32).fill(4), zero)!;
  const message2 = answer.message.slice();
  message2.set(zero, 0);
  t.equal(begun.readMessage2(message2), undefined);
});

t.test("a rekeyed key is what the cipher makes of zeros under the largest nonce", async (t) => {
  const key = new Uint8Array(32).fill(7);
  const nonce = unhex("00000000 ffffffffffffffff");
  const sealed = new Uint8Array(48);
  portableCrypto.seal(key, nonce, new Uint8Array(0), new Uint8Array(32), sealed);
  t.equal(hex(rekey(crypto, key)), hex(sealed.subarray(0, 32)));
});

t.test("a packet number becomes Noise's nonce, little-endian after four zero bytes", async (t) => {
  t.equal(hex(noiseNonce(0)), "000000000000000000000000");
  t.equal(hex(noiseNonce(0x0102_0304_0506)), "000000000605040302010000");
  t.equal(hex(noiseNonce(2 ** 48 - 1)), "00000000ffffffffffff0000");
});
