import t from "tap";
import { PACKET_DROP_LABEL, PacketDrop, SESSION_CODE_TEXT, SessionCode } from "../../src/session/codes.js";
import { PACKET_NUMBER_MAX } from "../../src/session/packet.js";
import { EndpointStats } from "../../src/session/stats.js";
import { Pair } from "../pair.js";

t.test("every session code has its own number and a text for people", async (t) => {
  const codes = Object.values(SessionCode).filter((code) => code !== SessionCode.APPLICATION);
  t.equal(new Set(codes).size, codes.length);
  t.ok(codes.every((code) => code < SessionCode.APPLICATION));
  t.strictSame(Object.keys(SESSION_CODE_TEXT).map(Number), codes);
  t.equal(new Set(Object.values(SESSION_CODE_TEXT)).size, codes.length);
});

t.test("packet drops are numbered without gaps, as they index the counters", async (t) => {
  const drops = Object.values(PacketDrop);
  t.strictSame(drops, [...drops.keys()]);
  t.equal(new EndpointStats().drops.length, drops.length);
  t.equal(PACKET_DROP_LABEL[PacketDrop.NO_SESSION], "no_session");
});

t.test("bytes that are no packet are dropped and counted", async (t) => {
  const { endpoint } = new Pair().a;
  for (const bytes of [[], [0], [1, 2, 3], [3, 0, 0, 0, 0], new Array(61_441).fill(3)]) {
    t.equal(endpoint.handlePacket(Uint8Array.from(bytes), 1, false, 0).drop, PacketDrop.MALFORMED);
  }
  t.equal(endpoint.stats.drops[PacketDrop.MALFORMED], 5);
});

t.test("a session ends when its packet numbers are used up", async (t) => {
  const pair = Pair.connected();
  pair.drive();
  const session = pair.a.session!;
  Object.defineProperty(session.keys, "nextNumber", { value: PACKET_NUMBER_MAX + 1 });
  pair.a.send(0, new Uint8Array(10), pair.nowMs);
  pair.flush();
  t.match(pair.a.eventsOf("closed"), [{ code: SessionCode.EXHAUSTED }]);
});
