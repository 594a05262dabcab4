import t from "tap";
import { PacketDrop } from "../../src/session/codes.js";
import { SessionKeys } from "../../src/session/keys.js";
import {
  framesOf,
  initPacket,
  keyPhaseOf,
  PACKET_NUMBER_MAX,
  PacketType,
  packetNumberOf,
  packetType,
  receiverIndexOf,
  responsePacket,
  TRANSPORT_OVERHEAD_BYTES,
  writeTransportHeader,
} from "../../src/session/packet.js";
import { config, crypto, hex, pattern, unhex } from "./support.js";

/** Keys of two ends, in phase 0. */
function ends(changes = {}) {
  const [x, y] = [pattern(32, 1), pattern(32, 2)];
  const keys = (send: Uint8Array, receive: Uint8Array) =>
    new SessionKeys(crypto, config(changes), 0xa1b2c3d4, send.slice(), receive.slice(), 0);
  return { a: keys(x, y), b: keys(y, x) };
}

t.test("packets have their layouts", async (t) => {
  t.equal(hex(initPacket(unhex("aabb"))), "01aabb");
  t.equal(hex(responsePacket(0xa1b2c3d4, unhex("ccdd"))), "02a1b2c3d4ccdd");
  const header = new Uint8Array(12);
  writeTransportHeader(header, 0xa1b2c3d4, 0xfe, 0x0102_0304_0506);
  t.equal(hex(header), "03a1b2c3d4fe010203040506");
  t.equal(receiverIndexOf(header), 0xa1b2c3d4);
  t.equal(keyPhaseOf(header), 0xfe);
  t.equal(packetNumberOf(header), 0x0102_0304_0506);
  writeTransportHeader(header, 0, 0, PACKET_NUMBER_MAX);
  t.equal(packetNumberOf(header), PACKET_NUMBER_MAX);
});

t.test("a TRANSPORT packet is sealed with its header as additional data and its number as nonce", async (t) => {
  const { a } = ends();
  const packet = a.seal(unhex("01"), 3, 0);
  t.equal(hex(packet.subarray(0, 15)), "000000 03a1b2c3d4 00 000000000000".replaceAll(" ", ""));
  const opened = new Uint8Array(1);
  const header = packet.subarray(3, 15);
  t.ok(crypto.open(pattern(32, 1), new Uint8Array(12), header, packet.subarray(15), opened));
  t.equal(hex(opened), "01");
  t.equal(hex(a.seal(unhex("01"), 0, 0).subarray(6, 12)), "000000000001");
});

t.test("a packet's length must be within its type's limits", async (t) => {
  const limits: [number, number, number][] = [
    [PacketType.HANDSHAKE_INIT, 133, 1_133],
    [PacketType.HANDSHAKE_RESPONSE, 57, 1_057],
    [PacketType.TRANSPORT, TRANSPORT_OVERHEAD_BYTES + 1, 61_440],
  ];
  for (const [type, min, max] of limits) {
    for (const [size, expected] of [
      [min - 1, undefined],
      [min, type],
      [max, type],
      [max + 1, undefined],
    ] as const) {
      t.equal(packetType(new Uint8Array(size).fill(type, 0, 1)), expected, `type ${type}, ${size} bytes`);
    }
  }
  for (const type of [0, 4, 255]) t.equal(packetType(new Uint8Array(200).fill(type)), undefined);
  t.equal(packetType(new Uint8Array(0)), undefined);
});

t.test("a changed byte anywhere in a TRANSPORT packet is refused, and the unchanged one then opens", async (t) => {
  const { a, b } = ends();
  const packet = a.seal(pattern(40), 0, 0);
  for (let at = 5; at < packet.length; at++) {
    const changed = packet.slice();
    changed[at]! ^= 0x02;
    t.ok([PacketDrop.NOT_AUTHENTIC, PacketDrop.KEY_PHASE].includes(b.open(changed) as never), `byte ${at}`);
  }
  t.equal(b.open(packet), PacketDrop.NONE);
  t.strictSame(framesOf(packet), pattern(40));
});

t.test("a packet opens once, in any order within the window", async (t) => {
  const { a, b } = ends();
  const packets = Array.from({ length: 3_000 }, () => a.seal(unhex("01"), 0, 0));
  const again = [5, 1_000].map((number) => packets[number]!.slice());
  t.equal(b.open(packets[1_000]!), PacketDrop.NONE);
  t.equal(b.openedNewest, true);
  t.equal(b.open(packets[5]!), PacketDrop.NONE);
  t.equal(b.openedNewest, false);
  t.equal(b.open(again[0]!), PacketDrop.REPLAYED);
  t.equal(b.open(again[1]!), PacketDrop.REPLAYED);
  t.equal(b.open(packets[2_999]!), PacketDrop.NONE);
  t.equal(b.open(packets[6]!), PacketDrop.REPLAYED, "too old to tell");
  t.equal(b.open(packets[984]!), PacketDrop.NONE, "just within the window");
});

t.test("keys are replaced after so many packets, and both ends follow", async (t) => {
  const { a, b } = ends({ rekeyPackets: 4 });
  for (let i = 0; i < 20; i++) {
    t.equal(b.open(a.seal(unhex("01"), 0, i)), PacketDrop.NONE);
    a.handleAcknowledged(i);
  }
  t.strictSame(a.phases, { sent: 4, received: 0 });
  t.strictSame(b.phases, { sent: 0, received: 4 });
});

t.test("keys are replaced after so long", async (t) => {
  const { a, b } = ends({ rekeyMs: 1_000 });
  const open = (nowMs: number) => b.open(a.seal(unhex("01"), 0, nowMs));
  t.equal(open(999), PacketDrop.NONE);
  t.equal(a.phases.sent, 0);
  a.handleAcknowledged(0);
  t.equal(open(1_000), PacketDrop.NONE);
  t.equal(a.phases.sent, 1);
});

t.test("a key is not replaced again before the peer has shown that it follows", async (t) => {
  const { a, b } = ends({ rekeyPackets: 2 });
  for (let i = 0; i < 10; i++) a.seal(unhex("01"), 0, 0);
  t.equal(a.phases.sent, 0);
  a.handleAcknowledged(3);
  t.equal(a.rekeyUnconfirmed, false);
  const first = a.seal(unhex("01"), 0, 0);
  t.equal(a.phases.sent, 1);
  t.equal(a.rekeyUnconfirmed, true);
  a.handleAcknowledged(9);
  t.equal(a.rekeyUnconfirmed, true, "a packet under the old key shows nothing");
  a.handleAcknowledged(10);
  t.equal(a.rekeyUnconfirmed, false);
  t.equal(b.open(first), PacketDrop.NONE);
});

t.test("packets under the old key open until it is forgotten", async (t) => {
  const { a, b } = ends({ rekeyPackets: 3 });
  const old = [0, 1, 2].map(() => a.seal(unhex("01"), 0, 0));
  a.handleAcknowledged(0);
  const fresh = a.seal(unhex("01"), 0, 0);
  t.equal(keyPhaseOf(fresh), 1);
  t.equal(b.open(fresh), PacketDrop.NONE);
  t.equal(b.openedRekeyed, true);
  t.equal(b.open(old[1]!), PacketDrop.NONE, "late, under the old key");
  t.equal(b.openedRekeyed, false);
  b.forgetOldKey();
  t.equal(b.open(old[2]!), PacketDrop.KEY_PHASE);
});

t.test("a forged key phase moves nothing", async (t) => {
  const { a, b } = ends();
  const packet = a.seal(unhex("01"), 0, 0);
  for (let phase = 1; phase < 256; phase++) {
    const forged = packet.slice();
    forged[5] = phase;
    t.equal(b.open(forged), phase === 1 ? PacketDrop.NOT_AUTHENTIC : PacketDrop.KEY_PHASE);
  }
  t.strictSame(b.phases, { sent: 0, received: 0 });
  t.equal(b.open(packet), PacketDrop.NONE);
});
