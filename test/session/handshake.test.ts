import t from "tap";
import { PacketDrop, SessionCode, SessionState } from "../../src/session/codes.js";
import { NoiseInitiator } from "../../src/session/noise.js";
import { initPacket, PacketType } from "../../src/session/packet.js";
import { Pair, type Side, TestRandom, type Way } from "../pair.js";
import { crypto, pattern, RawPeer } from "./support.js";

/** Drops the first `count` packets of a type. */
function dropFirst(way: Way, type: number, count = 1): void {
  let left = count;
  way.filter = (packet) => (packet[0] === type && left-- > 0 ? undefined : packet);
}

/** Sends on both streams in both directions and reads it all. */
function exchangesBytes(pair: Pair): boolean {
  const bytes = pattern(3_000);
  for (const side of [pair.a, pair.b]) for (const stream of [0, 1]) side.send(stream, bytes, pair.nowMs, true);
  pair.flush();
  const arrived = () => [pair.a, pair.b].every((side) => [0, 1].every((s) => side.receivedBytes[s] === bytes.length));
  return pair.driveUntil(arrived, 20_000) && [pair.a, pair.b].every((side) => side.bytesOf(0).equals(bytes));
}

function counts(side: Side) {
  return {
    established: side.eventsOf("established").length,
    closed: side.eventsOf("closed").map((event) => event.code),
    sessions: side.endpoint.sessionCount,
    halfOpen: side.endpoint.halfOpenCount,
  };
}

const ONE_SESSION = { established: 1, closed: [], sessions: 1, halfOpen: 0 };

t.test(
  "a session is there for its initiator after one round trip, for its responder after one and a half",
  async (t) => {
    const pair = new Pair();
    const session = pair.connect();
    t.equal(session.state, SessionState.CONNECTING);
    t.equal(session.write(0, new Uint8Array(1), pair.nowMs), 0, "nothing is taken before");
    pair.driveUntil(() => pair.a.session !== undefined);
    t.equal(pair.nowMs, 20);
    pair.driveUntil(() => pair.b.session !== undefined);
    t.equal(pair.nowMs, 30);
    t.equal(session.initiator, true);
    t.equal(pair.b.session!.initiator, false);
    t.strictSame(pair.a.eventsOf("established")[0]!.remoteKey, pair.b.publicKey);
    t.strictSame(pair.b.eventsOf("established")[0]!.remoteKey, pair.a.publicKey);
    pair.drive();
    t.ok(exchangesBytes(pair));
    t.strictSame(counts(pair.a), ONE_SESSION);
    t.strictSame(counts(pair.b), ONE_SESSION);
  },
);

t.test("each side learns the other's locator, the responder also from the verdict", async (t) => {
  const pair = new Pair({ a: { locator: pattern(1_000) }, b: { locator: new Uint8Array(0) } });
  const packets: Uint8Array[] = [];
  pair.onPacket = (_from, packet) => packets.push(packet);
  pair.connect();
  const verdict = { ...pair.b.endpoint.handlePacket(packets[0]!, 3, false, 0) };
  t.strictSame(verdict.locator, pattern(1_000));
  t.strictSame(verdict.remoteKey, pair.a.publicKey);
  t.equal(verdict.newest, false, "a message 1 may be a replayed one");
  pair.drive();
  t.strictSame(pair.b.eventsOf("locator")[0]!.locator, pattern(1_000));
  t.strictSame(pair.a.eventsOf("locator")[0]!.locator, new Uint8Array(0));
});

t.test("a lost message is repaired, whichever it is", async (t) => {
  for (const [name, direction, type] of [
    ["message 1", "aToB", PacketType.HANDSHAKE_INIT],
    ["message 2", "bToA", PacketType.HANDSHAKE_RESPONSE],
    ["the confirmation", "aToB", PacketType.TRANSPORT],
    ["the first answer", "bToA", PacketType.TRANSPORT],
  ] as const) {
    for (const lost of [1, 2, 3]) {
      const pair = new Pair();
      dropFirst(pair[direction], type, lost);
      pair.connect();
      pair.drive();
      t.ok(exchangesBytes(pair), `${name} lost ${lost} times`);
      t.strictSame(counts(pair.a), ONE_SESSION);
      t.strictSame(counts(pair.b), ONE_SESSION);
    }
  }
});

t.test("message 1 goes again with growing gaps, then the handshake has failed", async (t) => {
  const pair = new Pair();
  pair.aToB.cut = true;
  const sentMs: number[] = [];
  pair.onPacket = () => sentMs.push(pair.nowMs);
  pair.connect();
  pair.driveFor(60_000);
  t.strictSame(sentMs, [0, 500, 1_500, 3_500, 7_500]);
  t.strictSame(counts(pair.a), { established: 0, closed: [SessionCode.HANDSHAKE_TIMEOUT], sessions: 0, halfOpen: 0 });
  t.equal(pair.a.endpoint.pollTimeout(), Number.POSITIVE_INFINITY, "nothing is left of it");
});

t.test("connect gives the session that there is, connecting or established", async (t) => {
  const pair = new Pair();
  const session = pair.connect();
  t.equal(pair.connect(), session);
  pair.drive();
  t.equal(pair.connect(), session);
  t.equal(pair.a.endpoint.session(pair.b.publicKey), session);
  session.close(SessionCode.DONE, "", pair.nowMs);
  t.not(pair.connect(), session, "a closed one is not given");
});

t.test("a shared secret makes a session, another or a missing one does not", async (t) => {
  const secret = pattern(32, 5);
  const pair = Pair.connected({ a: { secret }, b: { secret } });
  t.ok(exchangesBytes(pair));

  for (const [a, b, invalidAt] of [
    [secret, pattern(32, 6), "a"],
    [secret, undefined, "b"],
    [undefined, secret, "b"],
  ] as const) {
    const pair = new Pair({ a: a ? { secret: a } : {}, b: b ? { secret: b } : {} });
    pair.connect();
    pair.driveFor(20_000);
    t.strictSame(counts(pair.a).closed, [SessionCode.HANDSHAKE_TIMEOUT]);
    t.equal(pair.b.eventsOf("established").length, 0);
    t.equal(pair[invalidAt].endpoint.stats.drops[PacketDrop.HANDSHAKE_INVALID], 5);
  }
});

t.test("a node of another network is not answered", async (t) => {
  const pair = new Pair({ a: { networkId: "one" }, b: { networkId: "two" } });
  pair.connect();
  pair.driveFor(20_000);
  t.equal(pair.b.endpoint.stats.drops[PacketDrop.HANDSHAKE_INVALID], 5);
  t.equal(pair.b.endpoint.halfOpenCount, 0);
  t.equal(pair.bToA.packets, 0);
});

t.test("an Ed25519 key that is not that of the Noise static key is refused", async (t) => {
  const pair = new Pair();
  const own = crypto.identityFromSeed(pattern(32, 7));
  const victim = crypto.identityFromSeed(pattern(32, 8));
  const responder = crypto.identityFromSeed(new TestRandom(4 + 1).bytes(32));
  t.strictSame(responder.publicKey, pair.b.publicKey);
  for (const [claimed, drop] of [
    [victim.publicKey, PacketDrop.KEY_MISMATCH],
    [new Uint8Array(32), PacketDrop.KEY_MISMATCH],
    [own.publicKey, PacketDrop.NONE],
  ] as const) {
    const noise = NoiseInitiator.begin(
      {
        crypto,
        prologue: Buffer.concat([Buffer.from("pinyon/1 session\0"), Buffer.from("test")]),
        static: { secret: own.x25519Secret, public: own.x25519Public },
      },
      responder.x25519Public,
      pattern(32, 9 + drop),
      Buffer.concat([new Uint8Array(4), claimed, new Uint8Array(5)]),
    )!;
    t.equal(pair.b.endpoint.handlePacket(initPacket(noise.message), 1, false, 0).drop, drop);
    t.equal(pair.b.endpoint.stats.drops[drop] !== 0, true);
  }
  t.equal(pair.b.endpoint.halfOpenCount, 1);
  pair.connect();
  pair.drive();
  t.ok(exchangesBytes(pair), "an honest peer is served meanwhile");
});

t.test("the same message 1 again brings the same message 2 and no state", async (t) => {
  const pair = new Pair();
  const raw = new RawPeer(pair.b.endpoint);
  const init = raw.init(pair.b.publicKey);
  for (let i = 0; i < 5; i++) {
    t.equal(pair.b.endpoint.handlePacket(init.slice(), 1, false, i).drop, PacketDrop.NONE);
    raw.collect(i);
  }
  t.equal(raw.sent.length, 5);
  for (const packet of raw.sent) t.strictSame(packet, raw.sent[0]);
  t.equal(pair.b.endpoint.halfOpenCount, 1);
});

t.test("a replayed message 1 does nothing to the session that it made", async (t) => {
  const pair = new Pair();
  const inits: Uint8Array[] = [];
  pair.aToB.filter = (packet) => {
    if (packet[0] === PacketType.HANDSHAKE_INIT) inits.push(packet.slice());
    return packet;
  };
  pair.connect();
  pair.drive();
  const before = pair.bToA.packets;
  for (let i = 0; i < 10; i++) pair.aToB.inject(inits[0]!, pair.nowMs + i);
  pair.drive();
  t.equal(pair.b.endpoint.stats.drops[PacketDrop.HANDSHAKE_REPLAYED], 10);
  t.equal(pair.b.endpoint.halfOpenCount, 0);
  t.equal(pair.bToA.packets, before, "it is not answered");
  t.ok(exchangesBytes(pair));
  t.strictSame(counts(pair.b), ONE_SESSION);
});

t.test("replayed messages 1 of earlier sessions cost a half-open slot each and disturb nothing", async (t) => {
  const pair = new Pair();
  const inits: Uint8Array[] = [];
  pair.aToB.filter = (packet) => {
    if (packet[0] === PacketType.HANDSHAKE_INIT) inits.push(packet.slice());
    return packet;
  };
  for (let i = 0; i < 4; i++) {
    pair.connect();
    pair.drive();
    if (i < 3) pair.a.session!.close(SessionCode.DONE, "", pair.nowMs);
    pair.flush();
    pair.drive();
  }
  t.equal(inits.length, 4);
  const session = pair.b.session;
  for (let i = 0; i < 3; i++) pair.aToB.inject(inits[i]!, pair.nowMs + i);
  pair.driveFor(100);
  t.equal(pair.b.endpoint.halfOpenCount, 3);
  t.equal(pair.a.endpoint.stats.drops[PacketDrop.NO_SESSION], 3, "the answers meet nobody");
  t.ok(exchangesBytes(pair));
  t.equal(pair.b.session, session);
});

t.test("old messages 1 replayed all the time do not hold up a handshake", async (t) => {
  const pair = new Pair();
  const old: Uint8Array[] = [];
  pair.aToB.filter = (packet) => {
    if (packet[0] === PacketType.HANDSHAKE_INIT) old.push(packet.slice());
    return packet;
  };
  pair.connect();
  pair.drive();
  pair.a.session!.close(SessionCode.DONE, "", pair.nowMs);
  pair.flush();
  pair.drive();

  const startMs = pair.nowMs;
  for (let afterMs = 0; afterMs < 1_000; afterMs += 15) pair.aToB.inject(old[0]!, startMs + afterMs);
  pair.connect();
  pair.a.send(0, pattern(5_000), startMs);
  pair.driveUntil(() => pair.b.receivedBytes[0] === 5_000, 9_000);
  t.ok(pair.b.bytesOf(0).equals(pattern(5_000)));
  t.ok(pair.nowMs - startMs < 500, "no retry was needed");
  t.equal(pair.b.endpoint.stats.drops[PacketDrop.NO_SESSION], 0);
  t.ok(pair.b.endpoint.halfOpenCount <= 1, "the replayed one has a slot");
  t.equal(pair.a.eventsOf("established").length, 2);
  t.equal(pair.b.eventsOf("established").length, 2);
});

t.test("an older handshake of a peer, confirmed late, does not replace its newer session", async (t) => {
  const pair = new Pair();
  const { endpoint, publicKey } = pair.b;
  const older = new RawPeer(endpoint, 101);
  const newer = new RawPeer(endpoint, 101);
  newer.random.bytes(7);
  older.handshake(publicKey, 0);
  newer.handshake(publicKey, 1);
  t.equal(endpoint.halfOpenCount, 2);
  t.equal(newer.say(new Uint8Array([1]), 2), PacketDrop.NONE);
  t.equal(older.say(new Uint8Array([1]), 3), PacketDrop.NO_SESSION);
  t.equal(endpoint.sessionCount, 1);
  t.equal(endpoint.halfOpenCount, 0);
  t.ok(newer.hear(4).length > 0, "the newer one goes on");
});

t.test("a second answer is confirmed even where nothing but that is to be said", async (t) => {
  const config = { receiveWindowBytes: 65_536 }; // what the protocol gives anyway: no WINDOW frame is due
  const pair = new Pair({ a: { config }, b: { config: { ...config, halfOpenMax: 1 } } });
  pair.connect();
  pair.driveUntil(() => pair.b.endpoint.halfOpenCount === 1);
  pair.b.endpoint.handlePacket(new RawPeer(pair.b.endpoint, 101).init(pair.b.publicKey), 7, false, pair.nowMs);
  pair.driveUntil(() => pair.b.session !== undefined, 5_000);
  t.equal(pair.b.endpoint.stats.halfOpenEvicted, 2, "the first slot was taken, and taken back");
  pair.drive();
  t.ok(exchangesBytes(pair));
  t.strictSame(counts(pair.a), ONE_SESSION);
});

t.test("replayed messages 2 are dropped", async (t) => {
  const pair = new Pair();
  const answers: Uint8Array[] = [];
  pair.bToA.filter = (packet) => {
    if (packet[0] !== PacketType.HANDSHAKE_RESPONSE) return packet;
    answers.push(packet.slice());
    pair.bToA.inject(packet, pair.nowMs + pair.bToA.latencyMs);
    return packet;
  };
  pair.connect();
  pair.driveUntil(() => pair.a.session !== undefined);
  t.equal(pair.a.endpoint.stats.drops[PacketDrop.HANDSHAKE_REPLAYED], 1, "before the session is confirmed");
  pair.drive();
  pair.bToA.inject(answers[0]!, pair.nowMs);
  pair.drive();
  t.equal(pair.a.endpoint.stats.drops[PacketDrop.NO_SESSION], 1, "after it");
  t.ok(exchangesBytes(pair));
  t.strictSame(counts(pair.a), ONE_SESSION);
});

t.test("forged answers are read up to a bound, and others are served meanwhile", async (t) => {
  const pair = new Pair();
  const session = pair.connect();
  const answer = new Uint8Array(100).fill(9);
  answer[0] = PacketType.HANDSHAKE_RESPONSE;
  new DataView(answer.buffer).setUint32(1, session.index);
  for (let i = 0; i < 50; i++) pair.a.endpoint.handlePacket(answer, 1, false, 0);
  const { drops } = pair.a.endpoint.stats;
  t.equal(drops[PacketDrop.HANDSHAKE_INVALID], 32);
  t.equal(drops[PacketDrop.HANDSHAKE_RATE], 18);
  const third = new RawPeer(pair.a.endpoint, 101);
  third.handshake(pair.a.publicKey, 0);
  t.equal(third.say(new Uint8Array([1]), 0), PacketDrop.NONE);
  pair.driveFor(30_000);
  t.equal(session.state, SessionState.ENDED);
  pair.connect();
  pair.drive();
  t.ok(exchangesBytes(pair), "a new attempt has another index");
});

t.test("a changed byte anywhere in a handshake packet is refused, and the handshake goes on", async (t) => {
  const sizes = { [PacketType.HANDSHAKE_INIT]: 193, [PacketType.HANDSHAKE_RESPONSE]: 117 };
  for (const [type, way] of [
    [PacketType.HANDSHAKE_INIT, "aToB"],
    [PacketType.HANDSHAKE_RESPONSE, "bToA"],
  ] as const) {
    for (let at = 0; at < sizes[type]; at += 1) {
      const pair = new Pair();
      let left = 1;
      pair[way].filter = (packet) => {
        if (packet[0] !== type || left-- <= 0) return packet;
        t.equal(packet.length, sizes[type]);
        const changed = packet.slice();
        changed[at]! ^= 0x81;
        return changed;
      };
      pair.connect();
      pair.drive();
      const receiver = type === PacketType.HANDSHAKE_INIT ? pair.b : pair.a;
      const { drops } = receiver.endpoint.stats;
      const refused =
        drops[PacketDrop.HANDSHAKE_INVALID]! + drops[PacketDrop.MALFORMED]! + drops[PacketDrop.NO_SESSION]!;
      if (refused !== 1) t.fail(`type ${type}, byte ${at}: ${refused} refused`);
      if (pair.a.session === undefined || pair.b.session === undefined) t.fail(`type ${type}, byte ${at}: no session`);
    }
  }
});

t.test("a peer that restarts gets a new session in place of the old", async (t) => {
  const pair = Pair.connected();
  t.ok(exchangesBytes(pair));
  const old = pair.a.session!;
  pair.restartB();
  pair.b.endpoint.connect(pair.a.publicKey, pair.nowMs);
  pair.flush();
  pair.driveUntil(() => pair.a.eventsOf("established").length === 2);
  t.strictSame(counts(pair.a), { established: 2, closed: [SessionCode.REPLACED], sessions: 1, halfOpen: 0 });
  t.equal(old.state, SessionState.ENDED);
  t.equal(pair.a.session!.initiator, false);
  pair.drive();
  t.ok(exchangesBytes(pair));
});

t.test("an old session stays until a packet under the new keys authenticates", async (t) => {
  const pair = Pair.connected();
  const session = pair.a.session;
  pair.restartB();
  pair.bToA.filter = (packet) => (packet[0] === PacketType.TRANSPORT ? undefined : packet);
  pair.b.endpoint.connect(pair.a.publicKey, pair.nowMs);
  pair.flush();
  pair.driveFor(5_000);
  t.equal(pair.a.session, session);
  t.equal(pair.a.endpoint.halfOpenCount, 1);
});

t.test("both asking at once get one session, the smaller key's", async (t) => {
  for (let seed = 1; seed <= 40; seed++) {
    const pair = new Pair({ seed });
    const random = new TestRandom(seed);
    for (const way of pair.ways) {
      way.lossPerMille = seed % 4 === 0 ? 200 : 0;
      way.reorderPerMille = seed % 2 === 0 ? 300 : 0;
      way.latencyMs = 5 + random.below(30);
    }
    pair.connect();
    pair.driveFor(random.below(80));
    pair.b.endpoint.connect(pair.a.publicKey, pair.nowMs);
    pair.flush();
    pair.driveFor(9_000);
    for (const way of pair.ways) way.lossPerMille = 0;
    t.ok(pair.a.session !== undefined && pair.b.session !== undefined, `seed ${seed}: both have a session`);
    t.not(pair.a.session?.initiator, pair.b.session?.initiator, `seed ${seed}: one of them is its initiator`);
    t.equal(pair.a.endpoint.sessionCount + pair.b.endpoint.sessionCount, 2);
    t.ok(exchangesBytes(pair), `seed ${seed}: bytes pass`);
    t.equal(pair.a.session?.state, SessionState.ESTABLISHED);
  }
  const pair = new Pair();
  pair.connect();
  pair.b.endpoint.connect(pair.a.publicKey, pair.nowMs);
  pair.flush();
  pair.drive();
  const smaller = Buffer.compare(pair.a.publicKey, pair.b.publicKey) < 0 ? pair.a : pair.b;
  t.equal(smaller.session!.initiator, true);
  t.equal(smaller.endpoint.stats.drops[PacketDrop.HANDSHAKE_CROSSED], 1);
  t.strictSame(counts(pair.a), ONE_SESSION, "nothing was closed on the way");
  t.strictSame(counts(pair.b), ONE_SESSION);
});

t.test("a flood of handshakes at one ingress leaves the others served", async (t) => {
  const pair = new Pair({ b: { config: { halfOpenMax: 16 } } });
  const { endpoint } = pair.b;
  pair.connect();
  for (let i = 0; i < 500; i++) {
    const peer = new RawPeer(endpoint, 1_000 + i);
    endpoint.handlePacket(peer.init(pair.b.publicKey), 7, false, 0);
  }
  t.equal(endpoint.stats.drops[PacketDrop.HANDSHAKE_RATE], 500 - endpoint.config.handshakesBurst / 2);
  t.equal(endpoint.halfOpenCount, 16, "half-open sessions are bounded");
  t.equal(endpoint.stats.halfOpenEvicted, endpoint.config.handshakesBurst / 2 - 16);
  pair.drive();
  t.ok(exchangesBytes(pair), "an honest peer at another ingress is served meanwhile");
});

t.test("a flood of handshakes from behind a relay leaves the others behind it served", async (t) => {
  const { endpoint, publicKey } = new Pair().b;
  const init = (seed: number, portBefore: number) =>
    endpoint.handlePacket(new RawPeer(endpoint, seed).init(publicKey), 7, false, 0, portBefore).drop;
  for (let i = 0; i < 200; i++) init(1_000 + i, 3);
  t.equal(init(1_500, 3), PacketDrop.HANDSHAKE_RATE, "the flood has used up what it may");
  t.equal(endpoint.stats.drops[PacketDrop.HANDSHAKE_RATE], 201 - endpoint.config.handshakesBurst / 2);
  t.equal(init(1_501, 4), PacketDrop.NONE, "who comes by another port of the same relay is served");
});

t.test("an ingress gets its handshakes back with time", async (t) => {
  const { endpoint, publicKey } = new Pair().b;
  const init = (i: number, nowMs: number) =>
    endpoint.handlePacket(new RawPeer(endpoint, 5_000 + i).init(publicKey), 7, false, nowMs).drop;
  for (let i = 0; i < endpoint.config.handshakesBurst / 2; i++) t.equal(init(i, 0), PacketDrop.NONE);
  t.equal(init(100, 0), PacketDrop.HANDSHAKE_RATE);
  t.equal(init(101, 1_000 / endpoint.config.handshakesPerSecond), PacketDrop.NONE);
  t.equal(init(102, 1_000 / endpoint.config.handshakesPerSecond), PacketDrop.HANDSHAKE_RATE);
});

t.test("the ingresses that are counted are bounded", async (t) => {
  const pair = new Pair({ b: { config: { ingressesMax: 4 } } });
  const garbage = new Uint8Array(200).fill(1);
  for (let port = 0; port < 10; port++) pair.b.endpoint.handlePacket(garbage, port, false, 0);
  t.equal(pair.b.endpoint.stats.ingressesEvicted, 6);
});

t.test("a half-open session that is confirmed too late is not completed", async (t) => {
  const pair = new Pair();
  const raw = new RawPeer(pair.b.endpoint);
  raw.handshake(pair.b.publicKey, 0);
  const lateMs = pair.b.endpoint.config.handshakeTimeoutMs + 1;
  t.equal(raw.say(new Uint8Array([1]), lateMs), PacketDrop.HALF_OPEN_STALE);
  t.equal(raw.say(new Uint8Array([1]), lateMs), PacketDrop.NO_SESSION);
  t.equal(pair.b.endpoint.halfOpenCount, 0);
});

t.test("sessions are bounded: a silent one makes room, one in use does not", async (t) => {
  const pair = new Pair({ b: { config: { sessionsMax: 3 } } });
  const { endpoint, publicKey } = pair.b;
  const peers = [101, 102, 103, 104, 105].map((seed) => new RawPeer(endpoint, seed));
  const ping = new Uint8Array([1]);
  for (const peer of peers.slice(0, 3)) {
    peer.handshake(publicKey, 0);
    t.equal(peer.say(ping, 0), PacketDrop.NONE);
  }
  peers[3]!.handshake(publicKey, 1_000);
  t.equal(peers[3]!.say(ping, 1_000), PacketDrop.SESSIONS_FULL);
  t.equal(peers[3]!.say(ping, 1_000), PacketDrop.NO_SESSION, "it has to begin again");
  for (const peer of [peers[0]!, peers[2]!]) peer.say(ping, 20_000);
  peers[4]!.handshake(publicKey, 35_000);
  t.equal(peers[4]!.say(ping, 35_000), PacketDrop.NONE);
  t.equal(endpoint.stats.sessionsEvicted, 1);
  t.equal(endpoint.sessionCount, 3);
  t.equal(endpoint.session(peers[1]!.publicKey), undefined, "the one silent longest made room");
  t.match(peers[1]!.hear(35_000).at(-1), `CLOSE ${SessionCode.EVICTED} `, "and was told");
});

t.test("sessions that others began and keep in use do not keep the node from beginning its own", async (t) => {
  const pair = new Pair({ b: { config: { sessionsMax: 3 } } });
  const { endpoint, publicKey } = pair.b;
  const peers = [101, 102, 103].map((seed) => new RawPeer(endpoint, seed));
  for (const [i, peer] of peers.entries()) {
    peer.handshake(publicKey, i);
    t.equal(peer.say(new Uint8Array([1]), i), PacketDrop.NONE);
  }
  const others = [201, 202, 203, 204].map((seed) => new RawPeer(endpoint, seed).publicKey);
  for (const key of others.slice(0, 3)) t.ok(endpoint.connect(key, 10));
  t.equal(endpoint.connect(others[3]!, 10), undefined, "its own make room for none of its own");
  t.equal(endpoint.stats.connectsRefusedFull, 1);
  t.equal(endpoint.stats.sessionsEvicted, 3);
  t.equal(endpoint.sessionCount, 3);
  t.match(peers[0]!.hear(10).at(-1), `CLOSE ${SessionCode.EVICTED} `, "who made room was told");
});

t.test("keys that are no other node's are refused by connect", async (t) => {
  const { endpoint, publicKey } = new Pair().a;
  t.equal(endpoint.connect(publicKey, 0), undefined, "ourselves");
  t.equal(endpoint.connect(new Uint8Array(32), 0), undefined, "a point of small order");
  t.equal(endpoint.connect(new Uint8Array(32).fill(0xff), 0), undefined, "no point");
  t.equal(endpoint.connect(new Uint8Array(31), 0), undefined, "no key");
  t.equal(endpoint.stats.connectsRefusedKey, 4);
});

t.test("a handshake of our own key is refused", async (t) => {
  const pair = new Pair();
  const twin = new RawPeer(pair.b.endpoint, 4 + 1);
  t.strictSame(twin.publicKey, pair.b.publicKey);
  t.equal(pair.b.endpoint.handlePacket(twin.init(pair.b.publicKey), 1, false, 0).drop, PacketDrop.SELF);
});

t.test("sizes that the protocol does not allow are refused when the node starts", async (t) => {
  const start = (config: object, secret?: Uint8Array) => () => new Pair({ a: { config, ...(secret && { secret }) } });
  t.throws(start({ packetBytes: 1_199 }), /packetBytes is 1199/);
  t.throws(start({ packetBytes: 61_441 }), /packetBytes is 61441/);
  t.throws(start({ packetBytesMax: 1_199 }), /packetBytesMax is 1199/);
  t.throws(start({ packetBytesMax: 61_441 }), /packetBytesMax is 61441/);
  t.throws(start({ receiveWindowBytes: 65_535 }), /receiveWindowBytes is 65535/);
  t.throws(start({}, new Uint8Array(31)), /secret of 31 bytes/);
  const pair = new Pair({ a: { locator: new Uint8Array(1_001) } });
  t.throws(() => pair.connect(), /locator of 1001 bytes/);
});

t.test("receiver indices that collide are drawn again", async (t) => {
  const random = new TestRandom(3);
  let draws = 0;
  let index = random.bytes(4);
  const pair = new Pair({
    b: {
      random: (sizeBytes) => {
        if (sizeBytes !== 4) return random.bytes(sizeBytes);
        if (draws++ % 3 === 2) index = random.bytes(4); // each is drawn three times
        return index;
      },
    },
  });
  const { endpoint, publicKey } = pair.b;
  const indices = new Set<number>();
  for (let i = 0; i < 50; i++) {
    const peer = new RawPeer(endpoint, 101 + i);
    peer.handshake(publicKey, i * 100);
    t.equal(peer.say(new Uint8Array([1]), i * 100), PacketDrop.NONE);
    indices.add(endpoint.session(peer.publicKey)!.index);
  }
  t.equal(indices.size, 50);
});

t.test("a source of randomness that only repeats itself refuses sessions, and ends nothing", async (t) => {
  const pair = new Pair({ b: { random: (sizeBytes) => new Uint8Array(sizeBytes).fill(9) } });
  const { endpoint, publicKey } = pair.b;
  const first = new RawPeer(endpoint, 101);
  first.handshake(publicKey, 0);
  t.equal(first.say(new Uint8Array([1]), 0), PacketDrop.NONE);
  const init = new RawPeer(endpoint, 102).init(publicKey);
  t.equal(endpoint.handlePacket(init, 1, false, 0).drop, PacketDrop.SESSIONS_FULL);
  t.equal(endpoint.connect(pair.a.publicKey, 0), undefined);
});
