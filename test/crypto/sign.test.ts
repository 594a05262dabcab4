import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { KEY_BYTES, SIGNATURE_BYTES } from "../../src/crypto/crypto.js";
import { SignTag, signedMessage } from "../../src/crypto/sign.js";
import * as limits from "../../src/wire/limits.js";
import { hex, native, text } from "./support.js";

const tags = Object.values(SignTag);

interface Message {
  readonly tag: SignTag;
  readonly network: Uint8Array;
  readonly fixed: Uint8Array;
  readonly last: Uint8Array;
}

t.test("the signed bytes are tag, zero, network id, zero, fields", async (t) => {
  const message = signedMessage(SignTag.HEARTBEAT, text("net"), hex("00ff"), hex(""), hex("01"));
  t.same(message, Uint8Array.from([...text("pinyon/1 heartbeat"), 0, ...text("net"), 0, 0x00, 0xff, 0x01]));
});

t.test("tags are distinct ASCII without a zero byte, and none begins like JSON, DER or a TLS handshake", async (t) => {
  t.equal(new Set(tags).size, tags.length);
  for (const tag of tags) t.match(tag, /^pinyon\/1 [a-z ]+$/);
});

t.test("a signature under one tag or network is worth nothing under another", async (t) => {
  const identity = native.identityFromSeed(new Uint8Array(32));
  const field = text("field");
  for (const tag of tags) {
    const signature = native.sign(signedMessage(tag, text("net"), field), identity);
    for (const other of tags)
      for (const network of ["net", "ne", ""]) {
        const verdict = native.verify(signedMessage(other, text(network), field), signature, identity.publicKey);
        t.equal(verdict, tag === other && network === "net");
      }
  }
});

t.test("two different messages never have the same signed bytes", async () => {
  // Few values, so that shifted ones would meet.
  const fewBytes = (min: number, max: number) => fc.uint8Array({ min, max: min + 1, minLength: 0, maxLength: max });
  const anyMessage = fc.record({
    tag: fc.constantFrom(SignTag.LOCATOR, SignTag.HEARTBEAT),
    network: fewBytes(1, 2),
    fixed: fc.uint8Array({ max: 1, minLength: 2, maxLength: 2 }),
    last: fewBytes(0, 2),
  });
  const bytesOf = ({ tag, network, fixed, last }: Message): string =>
    Buffer.from(signedMessage(tag, network, fixed, last)).toString("hex");
  fc.assert(
    fc.property(anyMessage, anyMessage, (a, b) => {
      assert.equal(bytesOf(a) === bytesOf(b), JSON.stringify(a) === JSON.stringify(b));
    }),
    { numRuns: 2_000 },
  );
});

t.test("a network id with a zero byte is our own error", async (t) => {
  t.throws(() => signedMessage(SignTag.LOCATOR, hex("6100"), hex("01")), { name: "RangeError" });
});

t.test("sizes are the wire's", async (t) => {
  t.equal(KEY_BYTES, limits.KEY_BYTES);
  t.equal(SIGNATURE_BYTES, limits.SIGNATURE_BYTES);
});
