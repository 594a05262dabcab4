/** Peers that hold valid keys and break the rules, and others that hold none. Meanwhile an honest peer is served. */
import fc from "fast-check";
import t from "tap";
import { PacketDrop, SessionCode, SessionState } from "../../src/session/codes.js";
import { SESSION_DEFAULTS } from "../../src/session/config.js";
import {
  AckFrame,
  writeAck,
  writeClose,
  writePing,
  writeReset,
  writeStreamHeader,
  writeWindow,
} from "../../src/session/frames.js";
import { fuzzRuns } from "../fuzz/runs.js";
import { Pair, type SideOptions, TestRandom } from "../pair.js";
import { pattern, RawPeer, unhex } from "./support.js";

/** Frames as bytes. */
function frames(...writers: ((out: Uint8Array, at: number) => number)[]): Uint8Array {
  const out = new Uint8Array(61_440);
  let at = 0;
  for (const write of writers) at = write(out, at);
  return out.slice(0, at);
}

const ping = (out: Uint8Array, at: number) => writePing(out, at);

function stream(number: number, offset: number, data: Uint8Array, fin = false) {
  return (out: Uint8Array, at: number) => {
    const start = writeStreamHeader(out, at, number, offset, data.length, fin);
    out.set(data, start);
    return start + data.length;
  };
}

function ack(ranges: [number, number][], marked = 0) {
  const frame = new AckFrame();
  Object.assign(frame, { largest: ranges[0]![1], marked, rangeCount: ranges.length });
  ranges.forEach(([start, end], i) => {
    frame.starts[i] = start;
    frame.ends[i] = end;
  });
  return (out: Uint8Array, at: number) => writeAck(out, at, 61_440, frame);
}

/** An honest pair, and a peer of b that says what it likes over an established session. */
function withHostile(b: SideOptions = {}) {
  const pair = Pair.connected({ b });
  pair.drive();
  const peer = new RawPeer(pair.b.endpoint);
  const honest = pair.b.session!;
  peer.handshake(pair.b.publicKey, pair.nowMs);
  const say = (...writers: ((out: Uint8Array, at: number) => number)[]) => peer.say(frames(...writers), pair.nowMs);
  say(ping);
  pair.flush();
  const session = pair.b.endpoint.session(peer.publicKey)!;
  pair.b.session = honest;
  return { pair, peer, say, session };
}

/** True where the honest pair still carries bytes. */
function servesHonestPeer(pair: Pair): boolean {
  const bytes = pattern(20_000);
  const before = pair.b.receivedBytes[0]!;
  pair.a.send(0, bytes, pair.nowMs);
  pair.flush();
  pair.driveUntil(() => pair.b.receivedBytes[0]! >= before + bytes.length, 5_000);
  return pair.b.bytesOf(0).subarray(before).equals(bytes);
}

t.test("a peer that breaks a rule is told the code, and an honest one is served meanwhile", async (t) => {
  const data = new Uint8Array(100);
  const raw = (text: string) => (out: Uint8Array, at: number) => {
    out.set(unhex(text), at);
    return at + unhex(text).length;
  };
  const offences: [string, number, ((out: Uint8Array, at: number) => number)[]][] = [
    ["an unknown frame", SessionCode.MALFORMED, [raw("3f")]],
    ["a frame cut off", SessionCode.MALFORMED, [ping, raw("1005")]],
    ["a length that lies", SessionCode.MALFORMED, [raw("10 00 4400 6161")]],
    ["a third stream", SessionCode.MALFORMED, [raw("03 02 00")]],
    ["an acknowledgement of a packet never sent", SessionCode.ACK_INVALID, [ack([[0, 1_000_000]])]],
    ["an acknowledgement of the largest number", SessionCode.ACK_INVALID, [ack([[1, 2 ** 53 - 1]])]],
    ["bytes beyond the window", SessionCode.FLOW_CONTROL, [stream(0, SESSION_DEFAULTS.receiveWindowBytes, data)]],
    ["bytes far beyond the window", SessionCode.FLOW_CONTROL, [stream(1, 2 ** 53 - 101, data)]],
    ["a byte after the end", SessionCode.FINAL_SIZE, [stream(0, 0, data, true), stream(0, 100, data)]],
    ["an end that moves", SessionCode.FINAL_SIZE, [stream(0, 0, data, true), stream(0, 0, data.subarray(1), true)]],
  ];
  for (const [name, code, writers] of offences) {
    const { pair, peer, say, session } = withHostile();
    peer.hear(pair.nowMs);
    t.equal(say(...writers), PacketDrop.NONE, name);
    t.match(peer.hear(pair.nowMs), [new RegExp(`^CLOSE ${code} .+`)]);
    t.equal(session.state, SessionState.CLOSING);
    t.equal(say(ping), PacketDrop.NONE);
    t.match(peer.hear(pair.nowMs), [new RegExp(`^CLOSE ${code} .+`)], "again, as it goes on");
    pair.flush();
    t.match(pair.b.eventsOf("closed"), [{ code }]);
    t.ok(servesHonestPeer(pair));
    pair.driveFor(5_000);
    t.equal(say(ping), PacketDrop.NO_SESSION);
  }
});

t.test("a closed session answers late packets more and more rarely", async (t) => {
  const { pair, peer, say } = withHostile();
  say(
    (out, at) => writeReset(out, at, 0, 5),
    (out) => out.fill(0xff, 0, 10).length && 12,
  );
  peer.hear(pair.nowMs);
  let answers = 0;
  for (let i = 0; i < 1_000; i++) {
    say(ping);
    answers += peer.hear(pair.nowMs).length;
  }
  t.equal(answers, 10);
});

t.test("frames of one packet after a close, and packets after it, do nothing", async (t) => {
  const { pair, say } = withHostile();
  t.equal(
    say((out, at) => writeClose(out, at, 300, "so long"), stream(0, 0, pattern(10))),
    PacketDrop.NONE,
  );
  t.equal(say(ping), PacketDrop.NO_SESSION);
  pair.flush();
  t.match(pair.b.eventsOf("closed"), [{ code: 300, reason: "so long" }]);
  t.ok(servesHonestPeer(pair));
});

t.test("where segments overlap with other content the first wins", async (t) => {
  const { pair, say, session } = withHostile();
  say(stream(0, 2, Buffer.from("cd")));
  say(stream(0, 0, Buffer.from("XXXXXX")));
  say(stream(0, 0, Buffer.from("YYYYYYYY")));
  t.equal(Buffer.from(session.read(0)!).toString(), "XXcdXXYY");
  t.ok(servesHonestPeer(pair));
});

t.test("a peer that acknowledges everything at once, or every other packet, only harms itself", async (t) => {
  const { pair, peer, say, session } = withHostile();
  session.write(1, pattern(10_000), pair.nowMs);
  peer.hear(pair.nowMs);
  for (let i = 0; i < 50; i++) {
    session.write(1, pattern(10_000), pair.nowMs);
    peer.collect(pair.nowMs);
    const sent = peer.keys!.openedNumber + peer.sent.length;
    if (sent > 3)
      say(
        ack(
          [
            [sent - 1, sent - 1],
            [sent - 3, sent - 3],
          ].map(([x, y]) => [x!, y!]),
        ),
      );
    peer.hear(pair.nowMs);
  }
  t.equal(session.state, SessionState.ESTABLISHED);
  t.ok(session.bytesInFlight <= session.windowBytes);
  t.ok(servesHonestPeer(pair));
});

t.test("marks that fall, or rise without end, do no more than slow the peer's own session", async (t) => {
  const { pair, peer, say, session } = withHostile();
  for (const marked of [2 ** 53 - 1, 0, 5, 2 ** 40]) {
    session.write(1, pattern(3_000), pair.nowMs);
    peer.hear(pair.nowMs);
    t.equal(say(ack([[0, peer.keys!.openedNumber]], marked)), PacketDrop.NONE);
  }
  t.ok(session.windowBytes >= 2_400);
  t.ok(servesHonestPeer(pair));
});

t.test("pieces out of order are bounded; what is refused is not acknowledged and can come again", async (t) => {
  const { pair, peer, say, session } = withHostile({ config: { receiveRangesMax: 50 } });
  peer.hear(pair.nowMs);
  for (let i = 1; i <= 60; i++) say(stream(0, 10 * i, Buffer.from("x")));
  t.equal(session.stats.receiveRangesRefused, 10);
  const refused = peer.keys!.nextNumber - 1;
  t.notMatch(peer.hear(pair.nowMs).join(), `-${refused} `);
  say(stream(0, 0, new Uint8Array(512)));
  say(stream(0, 600, Buffer.from("x")));
  t.equal(session.stats.receiveRangesRefused, 10);
  t.ok(servesHonestPeer(pair));
});

t.test("peers that scatter bytes over their windows fill the memory and nothing more", async (t) => {
  const bytesMax = 40 * 16_384;
  const { pair } = withHostile({ config: { receiveMemoryBytesMax: bytesMax } });
  const { endpoint } = pair.b;
  for (let i = 0; i < 8; i++) {
    const peer = new RawPeer(endpoint, 200 + i);
    peer.handshake(pair.b.publicKey, pair.nowMs);
    peer.say(frames(ping), pair.nowMs);
    peer.hear(pair.nowMs); // the window
    for (let block = 1; block < 20; block++) {
      peer.say(frames(stream(block % 2, block * 20_000, Buffer.from("x"))), pair.nowMs);
    }
  }
  t.equal(endpoint.memory.bytes, bytesMax);
  const refused = [...endpoint.sessions].reduce((sum, session) => sum + session.stats.receiveMemoryRefused, 0);
  t.ok(refused > 100);
  pair.flush();
  pair.b.session = endpoint.session(pair.a.publicKey)!;
  t.ok(servesHonestPeer(pair), "in order, an honest peer's bytes are always taken");
  for (const session of [...endpoint.sessions]) session.close(SessionCode.DONE, "", pair.nowMs);
  pair.driveFor(10_000);
  t.equal(endpoint.memory.bytes, 0);
});

t.test(
  "a peer that breaks a rule is held for some seconds more, however slow it seems, and so is what it sent",
  async (t) => {
    const { pair, peer, say, session } = withHostile();
    const { endpoint } = pair.b;
    pair.driveFor(20_000);
    say(ack([[0, 0]]));
    t.ok(session.rttMs > 10_000);
    for (let i = 0; i < 40; i++) say(stream(0, i * 1_000, new Uint8Array(1_000)));
    const heldBytes = endpoint.memory.bytes;
    t.ok(heldBytes >= 2 * 16_384);
    say(ack([[0, 1_000_000]]));
    t.equal(session.state, SessionState.CLOSING);
    t.match(peer.hear(pair.nowMs).at(-1), /^CLOSE/);
    t.equal(endpoint.memory.bytes, heldBytes, "it is on the account while it is held");
    t.ok(servesHonestPeer(pair));
    pair.driveFor(10_000);
    t.equal(say(ping), PacketDrop.NO_SESSION);
    t.ok(endpoint.memory.bytes <= 16_384, "but for the block that the honest peer fills");
  },
);

t.test("a peer that never acknowledges costs one congestion window", async (t) => {
  const { pair, peer, session } = withHostile();
  let taken = 0;
  for (let i = 0; i < 100; i++) {
    taken += session.write(1, pattern(100_000), pair.nowMs);
    peer.hear(pair.nowMs);
  }
  t.ok(taken < 40_000, `${taken} bytes`);
  t.ok(servesHonestPeer(pair));
});

t.test("a window beyond all reason is no harm", async (t) => {
  const { pair, peer, say, session } = withHostile();
  say((out, at) => writeWindow(out, at, 1, 2 ** 53 - 1));
  session.write(1, pattern(100_000), pair.nowMs);
  peer.hear(pair.nowMs);
  t.equal(session.state, SessionState.ESTABLISHED);
  t.ok(servesHonestPeer(pair));
});

t.test("a replayed packet is dropped, is not the newest, and does nothing", async (t) => {
  const { pair, peer, session } = withHostile();
  const { endpoint } = pair.b;
  const packet = peer.keys!.seal(frames(stream(0, 0, pattern(10))), 0, pair.nowMs);
  const later = peer.keys!.seal(frames(ping), 0, pair.nowMs);
  const give = (bytes: Uint8Array) => ({ ...endpoint.handlePacket(bytes, 7, false, pair.nowMs) });
  t.match(give(later), { drop: PacketDrop.NONE, newest: true, remoteKey: peer.publicKey });
  t.match(give(packet), { drop: PacketDrop.NONE, newest: false }, "late is not newest");
  t.match(give(packet), { drop: PacketDrop.REPLAYED, newest: false, remoteKey: undefined });
  t.match(give(later), { drop: PacketDrop.REPLAYED, newest: false });
  t.equal(endpoint.stats.drops[PacketDrop.REPLAYED], 2);
  t.strictSame(Buffer.from(session.read(0)!), Buffer.from(pattern(10)));
  t.equal(session.read(0), undefined);
});

t.test("a packet of one session is nothing to another", async (t) => {
  const { pair, peer } = withHostile();
  let packet = peer.keys!.seal(frames(ping), 0, pair.nowMs);
  while (peer.keys!.nextNumber < 1_000) packet = peer.keys!.seal(frames(ping), 0, pair.nowMs);
  const honest = pair.b.endpoint.session(pair.a.publicKey)!;
  new DataView(packet.buffer).setUint32(1, honest.index);
  t.equal(pair.b.endpoint.handlePacket(packet, 7, false, pair.nowMs).drop, PacketDrop.NOT_AUTHENTIC);
  t.ok(servesHonestPeer(pair));
});

t.test("any bytes, in every state, are refused or taken without an error", async (t) => {
  const states: [string, () => Pair][] = [
    ["nothing", () => new Pair()],
    [
      "connecting",
      () => {
        const pair = new Pair();
        pair.b.endpoint.connect(pair.a.publicKey, 0);
        return pair;
      },
    ],
    [
      "half-open",
      () => {
        const pair = new Pair();
        new RawPeer(pair.b.endpoint).handshake(pair.b.publicKey, 0);
        return pair;
      },
    ],
    ["established", () => Pair.connected()],
    [
      "closing",
      () => {
        const pair = Pair.connected();
        pair.b.session!.close(SessionCode.DONE, "", pair.nowMs);
        return pair;
      },
    ],
  ];
  for (const [name, make] of states) {
    const pair = make();
    const seen: Uint8Array[] = [];
    pair.onPacket = (_from, packet) => seen.push(packet.slice());
    pair.a.endpoint.connect(pair.b.publicKey, pair.nowMs);
    pair.flush();
    const before = pair.b.endpoint.sessionCount;
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 1_300, size: "max" }),
        fc.constantFrom(0, 1, 2, 3),
        fc.nat(),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 3 }),
        (bytes, type, pick, flips) => {
          const base = seen[pick % (seen.length + 1)];
          const packet = base === undefined ? bytes : base.slice();
          if (base === undefined && packet.length > 0) packet[0] = type;
          for (const [at, flip] of flips) if (packet.length > 0) packet[at % packet.length]! ^= flip;
          if (pick % 5 === 0 && packet.length > 0) packet[0] = type || 1;
          const copy = packet.slice();
          const verdict = pair.b.endpoint.handlePacket(packet, pick % 3, pick % 2 === 0, pair.nowMs);
          const unchanged = Buffer.compare(copy, packet) === 0;
          return unchanged && verdict.drop >= 0 && verdict.drop < pair.b.endpoint.stats.drops.length;
        },
      ),
      { numRuns: fuzzRuns(500) },
    );
    t.ok(pair.b.endpoint.sessionCount <= Math.max(before, 1) + 1, name);
    t.ok(pair.b.endpoint.halfOpenCount <= 2);
    pair.driveFor(20_000); // the ingress has handshakes left again
    pair.connect();
    pair.driveUntil(() => pair.b.endpoint.session(pair.a.publicKey)?.state === SessionState.ESTABLISHED, 10_000);
    t.ok(servesHonestPeer(pair), `${name}: an honest peer is served`);
  }
});

t.test("any frames under valid keys leave the session sound or closed", async () => {
  const number = fc.oneof(fc.nat(100), fc.nat(100_000), fc.maxSafeNat());
  const writer = fc.oneof(
    fc.constant(ping),
    fc.tuple(fc.nat(1), number, fc.uint8Array({ maxLength: 200 }), fc.boolean()).map((args) => stream(...args)),
    fc.tuple(fc.nat(1), number).map(
      ([s, limit]) =>
        (out: Uint8Array, at: number) =>
          writeWindow(out, at, s, limit),
    ),
    fc.tuple(fc.nat(30), fc.nat(30), number).map(([a, b, m]) => ack([[Math.min(a, b), Math.max(a, b)]], m)),
    fc.uint8Array({ maxLength: 12 }).map((bytes) => (out: Uint8Array, at: number) => {
      out.set(bytes, at);
      return at + bytes.length;
    }),
    { weight: 1, arbitrary: fc.nat(1).map((s) => (out: Uint8Array, at: number) => writeReset(out, at, s, 7)) },
  );
  const packet = fc.array(writer, { minLength: 1, maxLength: 4 });
  const step = fc.record({ packet, afterMs: fc.nat(300), write: fc.nat(3_000), read: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const pair = new Pair();
      const peer = new RawPeer(pair.b.endpoint);
      peer.handshake(pair.b.publicKey, 0);
      peer.say(frames(ping), 0);
      const session = pair.b.endpoint.session(peer.publicKey)!;
      let nowMs = 0;
      for (const { packet, afterMs, write, read } of steps) {
        nowMs += afterMs;
        if (pair.b.endpoint.pollTimeout() <= nowMs) pair.b.endpoint.handleTimeout(nowMs);
        const bytes = frames(...packet);
        if (bytes.length > 0) peer.say(bytes, nowMs);
        session.write(1, new Uint8Array(write), nowMs);
        if (read) session.read(0);
        peer.hear(nowMs);
        while (pair.b.endpoint.pollEvent() !== undefined);
        if (pair.b.endpoint.pollTransmit(nowMs, () => 0) !== undefined) return false;
        if (session.bytesInFlight < 0 || pair.b.endpoint.memory.bytes < 0) return false;
      }
      return session.state === SessionState.ESTABLISHED || session.bytesInFlight === 0;
    }),
    { numRuns: fuzzRuns(150) },
  );
});

t.test(
  "a long run of random losses, cuts, resets and restarts leaves two sides that understand each other",
  async (t) => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new TestRandom(seed);
      const pair = new Pair({ seed });
      for (let i = 0; i < 25; i++) {
        const way = pair.ways[random.below(2)]!;
        Object.assign(way, {
          lossPerMille: random.below(400),
          reorderPerMille: random.below(300),
          cut: random.chance(100),
        });
        const side = random.chance(500) ? pair.a : pair.b;
        const other = side === pair.a ? pair.b : pair.a;
        if (side.session === undefined) side.endpoint.connect(other.publicKey, pair.nowMs);
        if (random.chance(50)) pair.restartB();
        if (random.chance(100)) side.session?.close(SessionCode.DONE, "", pair.nowMs);
        if (random.chance(100)) side.session?.reset(random.below(2), 300);
        if (random.chance(100)) side.session?.handleRouteChanged(pair.nowMs);
        side.send(random.below(2), pattern(random.below(30_000)), pair.nowMs);
        pair.flush();
        pair.driveFor(random.below(3_000));
      }
      for (const way of pair.ways) Object.assign(way, { lossPerMille: 0, reorderPerMille: 0, cut: false });
      pair.driveFor(400_000); // what is dead has ended by now
      const fresh = Pair.connected({ seed });
      t.ok(servesHonestPeer(fresh));
      pair.connect();
      pair.driveUntil(() => pair.a.session?.state === SessionState.ESTABLISHED, 10_000);
      pair.driveFor(1_000);
      pair.a.session!.write(1, new Uint8Array([1, 2, 3]), pair.nowMs);
      pair.flush();
      pair.driveFor(1_000);
      t.equal(pair.a.session!.isWaiting, false, `seed ${seed}`);
      t.not(pair.a.session!.initiator, pair.b.session!.initiator);
    }
  },
);
