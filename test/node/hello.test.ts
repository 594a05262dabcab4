import fc from "fast-check";
import t from "tap";
import { Hello } from "../../src/node/hello.js";
import { equalBytes, utf8 } from "../../src/wire/bytes.js";
import { CloseCode } from "../../src/wire/codes.js";
import { PING } from "../../src/wire/control.js";
import { CERT, HELLO, PROOF } from "../../src/wire/hello.js";
import { Kind } from "../../src/wire/kinds.js";
import { EPOCH_MAX, HELLO_BYTES_MAX, PROTOCOL_VERSION } from "../../src/wire/limits.js";
import { identityOf, shakeHands, termsOf } from "./hello-pair.js";

t.test("two nodes know each other after six messages, with the same epoch and matching ports and halves", async (t) => {
  const { dialler, listener, messages, code } = shakeHands(termsOf(1), termsOf(2, { leaf: true }));
  t.equal(code, undefined);
  t.same(
    messages.map(({ from, bytes }) => [from, bytes[1]]),
    [
      ["dialler", Kind.HELLO],
      ["listener", Kind.HELLO],
      ["dialler", Kind.PROOF],
      ["listener", Kind.PROOF],
      ["listener", Kind.CERT],
      ["dialler", Kind.CERT],
    ],
  );
  const ours = dialler.acquaintance!;
  const theirs = listener.acquaintance!;
  t.same(ours.key, identityOf(2).publicKey);
  t.same(theirs.key, identityOf(1).publicKey);
  t.equal(ours.leaf, true);
  t.equal(theirs.leaf, false);
  t.equal(ours.linkEpoch, theirs.linkEpoch);
  t.equal(ours.theirPort, theirs.port.number);
  t.equal(theirs.theirPort, ours.port.number);
  t.ok(equalBytes(ours.ourHalf, theirs.theirHalf) && equalBytes(ours.theirHalf, theirs.ourHalf));
  t.ok(ours.rttMs > 0 && theirs.rttMs > 0);
  t.ok(messages.every(({ bytes }) => bytes.length <= HELLO_BYTES_MAX));
});

t.test("the listener is silent, and neither signs nor gives a port, until the dialler's proof holds", async (t) => {
  let claims = 0;
  const listenerTerms = termsOf(2, { claim: () => void claims++ });
  const listener = new Hello(listenerTerms, { dialled: false }, 0);
  t.equal(listener.pollTransmit(), undefined);
  const { code, messages } = shakeHands(termsOf(1), listenerTerms, {}, (bytes, _from, index) => {
    if (index === 2) bytes[bytes.length - 1]! ^= 1;
    return bytes;
  });
  t.equal(code, CloseCode.SIGNATURE);
  t.equal(messages.length, 3);
  t.equal(claims, 0);
});

t.test(
  "the larger of both proposals is the link epoch, and each proposal is above the last of that pair",
  async (t) => {
    const dialler = termsOf(1, { nextEpoch: () => 5 });
    const listener = termsOf(2, { nextEpoch: () => 900 });
    t.equal(shakeHands(dialler, listener).dialler.acquaintance!.linkEpoch, 900);
    t.equal(shakeHands(dialler, listener).dialler.acquaintance!.linkEpoch, 901, "though both counters stand still");
    t.equal(
      shakeHands(termsOf(1, { nextEpoch: () => 1 }), listener).listener.acquaintance!.linkEpoch,
      902,
      "lost epochs",
    );
    t.equal(shakeHands(listener, termsOf(1, { nextEpoch: () => 1 })).listener.acquaintance!.linkEpoch, 903);
  },
);

t.test("a pair whose epochs are used up is refused, and no other pair is", async (t) => {
  const listener = termsOf(2);
  const spent = termsOf(1, { nextEpoch: () => EPOCH_MAX });
  t.equal(shakeHands(spent, listener).code, undefined);
  const again = shakeHands(termsOf(1), listener);
  t.equal(again.code, CloseCode.STALE_EPOCH);
  t.equal(again.refusedBy, "listener");
  t.equal(shakeHands(spent, termsOf(2)).code, CloseCode.STALE_EPOCH, "nor does the one that spent them propose more");
  t.equal(shakeHands(termsOf(3), listener).code, undefined);
});

t.test("a reconnect keeps the port", async (t) => {
  const listener = termsOf(2);
  const first = shakeHands(termsOf(1), listener).listener.acquaintance!.port;
  const other = shakeHands(termsOf(3), listener).listener.acquaintance!.port;
  listener.ports.release(first, 0);
  t.not(other.number, first.number);
  t.equal(shakeHands(termsOf(1), listener).listener.acquaintance!.port.number, first.number);
});

t.test("each wrong hello is refused by its code, by whichever side meets it", async (t) => {
  const key = (seed: number) => identityOf(seed).publicKey;
  const secret = utf8("a secret");
  const refusals = {
    "another network": [
      shakeHands(termsOf(1), termsOf(2, { networkId: utf8("other") })),
      "listener",
      CloseCode.NETWORK,
    ],
    "the node itself": [shakeHands(termsOf(1), termsOf(1)), "listener", CloseCode.SELF],
    "not on the listener's list": [
      shakeHands(termsOf(1), termsOf(2, { admits: (asked) => !equalBytes(asked, key(1)) })),
      "listener",
      CloseCode.NOT_ALLOWED,
    ],
    "not on the dialler's list": [
      shakeHands(termsOf(1, { admits: () => false }), termsOf(2)),
      "dialler",
      CloseCode.NOT_ALLOWED,
    ],
    "another key than the pinned": [
      shakeHands(termsOf(1), termsOf(2), { expectedKeys: [key(3), key(4)] }),
      "dialler",
      CloseCode.KEY_MISMATCH,
    ],
    "no secret": [shakeHands(termsOf(1), termsOf(2, { secret })), "listener", CloseCode.SECRET],
    "another secret": [
      shakeHands(termsOf(1, { secret: utf8("guess") }), termsOf(2, { secret })),
      "listener",
      CloseCode.SECRET,
    ],
    "no budget left": [shakeHands(termsOf(1), termsOf(2, { spend: () => false })), "listener", CloseCode.BUSY],
    "no port left": [shakeHands(termsOf(1), termsOf(2, { claim: () => undefined })), "listener", CloseCode.BUSY],
  } as const;
  for (const [what, [outcome, by, code]] of Object.entries(refusals)) {
    t.equal(outcome.code, code, what);
    t.equal(outcome.refusedBy, by, what);
    t.equal(outcome.dialler.acquaintance, undefined, what);
    t.equal(outcome.listener.acquaintance, undefined, what);
  }
});

t.test(
  "what is expected passes: one of several pinned keys, the network's secret, the link's own secret",
  async (t) => {
    const secret = utf8("a secret");
    const expectedKeys = [identityOf(9).publicKey, identityOf(2).publicKey];
    t.equal(shakeHands(termsOf(1), termsOf(2), { expectedKeys }).code, undefined);
    t.equal(shakeHands(termsOf(1, { secret }), termsOf(2, { secret })).code, undefined);
    t.equal(shakeHands(termsOf(1), termsOf(2, { secret }), { secret }).code, undefined);
  },
);

t.test("another version is told as such, whatever its layout", async (t) => {
  const listener = () => new Hello(termsOf(2), { dialled: false }, 0);
  t.equal(listener().handleMessage(Uint8Array.of(0x95, Kind.HELLO, 1, 0, 0, 0), 0), CloseCode.VERSION);
  t.equal(listener().handleMessage(Uint8Array.of(0x92, Kind.HELLO, 7), 0), CloseCode.VERSION);
  const dialler = new Hello(termsOf(1), { dialled: true }, 0);
  t.equal(dialler.handleMessage(Uint8Array.of(0x92, Kind.HELLO, 7), 0), CloseCode.VERSION);
  t.equal(listener().handleMessage(Uint8Array.of(0x95, Kind.HELLO, PROTOCOL_VERSION, 0, 0, 0), 0), CloseCode.MALFORMED);
  t.equal(listener().handleMessage(Uint8Array.of(0x91, Kind.HELLO), 0), CloseCode.VERSION);
});

t.test("a replayed message of an earlier hello proves nothing, in either direction", async (t) => {
  const [dialler, listener] = [termsOf(1), termsOf(2)];
  const earlier = shakeHands(dialler, listener).messages;
  const codes = [2, 3, 4, 5].map((index) => {
    const { code, refusedBy } = shakeHands(dialler, listener, {}, (bytes, _from, at) =>
      at === index ? earlier[index]!.bytes : bytes,
    );
    return [index, refusedBy, code];
  });
  t.same(codes, [
    [2, "listener", CloseCode.SECRET],
    [3, "dialler", CloseCode.SECRET],
    [4, "dialler", CloseCode.SIGNATURE],
    [5, "listener", CloseCode.SIGNATURE],
  ]);
  const replayedHello = shakeHands(dialler, listener, {}, (bytes, _from, at) => (at === 0 ? earlier[0]!.bytes : bytes));
  t.equal(replayedHello.code, CloseCode.SECRET, "a replayed hello ends at the proof, which covers both nonces");
  t.equal(replayedHello.messages.length, 3);
});

t.test("a proof is not the other side's proof: the role is signed", async (t) => {
  const { code, refusedBy } = shakeHands(termsOf(1), termsOf(2), {}, (bytes, _from, at) => {
    if (at === 2) mirrored = bytes;
    return at === 3 ? mirrored : bytes;
  });
  t.equal(refusedBy, "dialler");
  t.equal(code, CloseCode.SECRET);
});
let mirrored: Uint8Array = new Uint8Array(0);

t.test("a proof or certificate by another key is refused", async (t) => {
  const forgedHello = (bytes: Uint8Array) => {
    const hello = HELLO.decode(bytes);
    if (typeof hello === "number") throw new Error("no hello");
    return HELLO.encode({ ...hello, key: identityOf(3).publicKey });
  };
  const claimed = shakeHands(termsOf(1), termsOf(2), {}, (bytes, _from, at) => (at === 0 ? forgedHello(bytes) : bytes));
  t.equal(claimed.refusedBy, "listener");
  t.equal(claimed.code, CloseCode.SECRET, "the transcript differs");
  const certificate = shakeHands(termsOf(1), termsOf(2), {}, (bytes, _from, at) =>
    at === 5 ? CERT.encode({ signature: new Uint8Array(64).fill(7) }) : bytes,
  );
  t.equal(certificate.code, CloseCode.SIGNATURE);
  t.equal(certificate.listener.acquaintance, undefined);
});

t.test("a port of zero is malformed: it is the node itself", async (t) => {
  const { code } = shakeHands(termsOf(1), termsOf(2), {}, (bytes, _from, at) => {
    const proof = at === 2 ? PROOF.decode(bytes) : 0;
    return typeof proof === "number" ? bytes : PROOF.encode({ ...proof, port: 0 });
  });
  t.equal(code, CloseCode.MALFORMED);
});

t.test(
  "what does not belong there is unexpected: frames before the hello, messages out of order or again",
  async (t) => {
    const frame = PING.encode({ token: 1 });
    const codeAt = (index: number, replacement: (bytes: Uint8Array) => Uint8Array) =>
      shakeHands(termsOf(1), termsOf(2), {}, (bytes, _from, at) => (at === index ? replacement(bytes) : bytes)).code;
    for (let index = 0; index < 6; index++)
      t.equal(
        codeAt(index, () => frame),
        CloseCode.UNEXPECTED,
        `at ${index}`,
      );
    t.equal(
      codeAt(0, () => CERT.encode({ signature: new Uint8Array(64) })),
      CloseCode.UNEXPECTED,
    );
    const { dialler, listener, messages } = shakeHands(termsOf(1), termsOf(2));
    for (const { from, bytes } of messages) {
      t.equal(
        (from === "dialler" ? listener : dialler).handleMessage(bytes, 9),
        CloseCode.UNEXPECTED,
        "after the hello",
      );
    }
  },
);

t.test("oversize, garbage and other encodings are refused by their codes in every state", async (t) => {
  const codeAt = (index: number, bytes: Uint8Array) =>
    shakeHands(termsOf(1), termsOf(2), {}, (sent, _from, at) => (at === index ? bytes : sent)).code;
  for (let index = 0; index < 6; index++) {
    t.equal(codeAt(index, new Uint8Array(HELLO_BYTES_MAX + 1)), CloseCode.OVERSIZE);
    t.equal(codeAt(index, new Uint8Array(HELLO_BYTES_MAX)), CloseCode.MALFORMED);
    t.equal(codeAt(index, new Uint8Array(0)), CloseCode.MALFORMED);
    t.equal(codeAt(index, new Uint8Array(HELLO_BYTES_MAX).fill(0x91)), CloseCode.UNEXPECTED, "deeply nested");
  }
  const hello = shakeHands(termsOf(1), termsOf(2)).messages[0]!.bytes;
  const capabilitiesAt = 3 + 2 + "test".length;
  const widened = Uint8Array.of(...hello.subarray(0, capabilitiesAt), 0xcc, ...hello.subarray(capabilitiesAt));
  t.equal(codeAt(0, widened), CloseCode.NON_CANONICAL);
  for (let sizeBytes = 3; sizeBytes < hello.length; sizeBytes++) {
    t.equal(codeAt(0, hello.slice(0, sizeBytes)), CloseCode.MALFORMED, `cut at ${sizeBytes}`);
  }
  t.equal(codeAt(0, Uint8Array.of(...hello, 0)), CloseCode.MALFORMED, "something behind the end");
});

t.test("no bytes in any state throw, and none but the true ones make an acquaintance", async () => {
  const corrupted = fc.oneof(
    fc.uint8Array({ maxLength: HELLO_BYTES_MAX + 8 }),
    fc.tuple(fc.constantFrom(0x90, 0x92, 0x95, 0x96, 0xdc), fc.uint8Array({ maxLength: 200 })).map(([head, rest]) => {
      return Uint8Array.of(head, ...rest);
    }),
  );
  const at = fc.integer({ min: 0, max: 5 });
  fc.assert(
    fc.property(at, corrupted, (index, bytes) => {
      const { code, dialler, listener } = shakeHands(termsOf(1), termsOf(2), {}, (sent, _from, now) =>
        now === index ? bytes : sent,
      );
      const receiver = index === 0 || index === 2 || index === 5 ? listener : dialler;
      return code !== undefined && receiver.acquaintance === undefined;
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(at, fc.nat(), fc.integer({ min: 1, max: 255 }), (index, where, change) => {
      const { code } = shakeHands(termsOf(1), termsOf(2), {}, (sent, _from, now) => {
        if (now !== index) return sent;
        const flipped = sent.slice();
        flipped[where % sent.length]! ^= change;
        return flipped;
      });
      return code !== undefined;
    }),
    { numRuns: 500 },
  );
});
