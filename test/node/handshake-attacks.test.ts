import t, { type Test } from "tap";
import { line } from "../../sim/graphs.js";
import { Network } from "../../sim/network.js";
import { Traffic } from "../../sim/traffic.js";
import { PacketDrop } from "../../src/session/codes.js";
import { SESSION_DEFAULTS } from "../../src/session/config.js";
import { Handshaker } from "../../src/session/handshake.js";
import { utf8 } from "../../src/wire/bytes.js";
import { dataHeaderBytes, writeDataHeader } from "../../src/wire/data.js";
import { crypto } from "./hello-pair.js";
import { Stranger, simTerms } from "./stranger.js";

/** The node that is attacked: the only way between the honest nodes 0 and 2. */
const VICTIM = 1;
const INDEX_AT = 13;

let keys = 0;

/** A true HANDSHAKE_INIT to the victim, by a key that nobody else has. */
function initOf(network: Network): Uint8Array {
  const random = (sizeBytes: number) =>
    crypto.hash(Uint8Array.of(9, ++keys, keys >>> 8, keys >>> 16)).slice(0, sizeBytes);
  const identity = crypto.identityFromSeed(random(32));
  const locator = () => new Uint8Array(0);
  const networkId = utf8("sim");
  const handshaker = new Handshaker({ crypto, identity, networkId, random, locator, config: SESSION_DEFAULTS });
  return handshaker.begin(network.key(VICTIM), keys, 0)!.transmit(0, 0);
}

/** DATA for the victim that claims to have come by `ways.length` relays, whose ports these are. */
function dataOf(network: Network, packet: Uint8Array, ways: readonly number[]): Uint8Array {
  const frame = new Uint8Array(dataHeaderBytes(ways.length) + packet.length);
  frame.set(packet, dataHeaderBytes(ways.length));
  writeDataHeader(frame, ways, new Uint8Array(8), network.key(VICTIM));
  frame[INDEX_AT] = ways.length;
  return frame;
}

/** While the flood goes on, and after it, the victim finds others, opens sessions, and asks nobody for invented keys. */
function floodHarmsNobody(t: Test, ways: readonly number[]): void {
  const network = new Network({ seed: 7, graph: line(3), crypto });
  network.run(2_000);
  const strangers = [1, 2, 3].map((seed) => Stranger.acquainted(network, VICTIM, simTerms(seed)));
  const startMs = network.nowMs;
  const flood = () => {
    for (const stranger of strangers) for (let i = 0; i < 5; i++) stranger.send(dataOf(network, initOf(network), ways));
    if (network.nowMs < startMs + 7_000) network.schedule.after(40, flood);
  };
  flood();
  network.run(4_000);
  const flow = new Traffic(network).send(VICTIM, 2, 50_000);
  network.runUntil(() => flow.isDone || flow.isBroken, 3_000);
  t.ok(flow.isDone, "the victim opens a session");
  t.ok(network.pings(VICTIM, 0), "the victim finds a key");
  t.ok(network.pings(0, 2), "an honest ping passes");
  const { sessionsHalfOpen, counters } = network.node(VICTIM).status();
  t.ok(sessionsHalfOpen > 500, "the flood was one");
  t.ok(sessionsHalfOpen <= SESSION_DEFAULTS.halfOpenMax);
  t.ok(counters.sessions.drops[PacketDrop.HANDSHAKE_RATE]! > 100, "what is above the rate is counted");
  t.ok(
    strangers.every(({ isClosed }) => !isClosed),
    "a relay could have brought them",
  );
  network.run(20_000);
  const before = network.node(VICTIM).router.paths.stats.probesSent;
  network.run(20_000);
  const probes = network.node(VICTIM).router.paths.stats.probesSent - before;
  t.ok(probes < 100, `${probes} probes after the flood`);
}

t.test(
  "handshakes of invented keys that came by no way back are answered to nobody, and searched for neither",
  async (t) => {
    floodHarmsNobody(t, []);
  },
);

t.test("handshakes of invented keys with invented ways back leave room for the node's own searches", async (t) => {
  floodHarmsNobody(t, [1, 9]);
});
