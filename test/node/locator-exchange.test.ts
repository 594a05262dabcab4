import t from "tap";
import { randomConnected } from "../../sim/graphs.js";
import { Network } from "../../sim/network.js";
import { Random } from "../../sim/random.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import type { Session } from "../../src/session/session.js";
import { equalBytes } from "../../src/wire/bytes.js";
import { encodeLocate, encodeLocated } from "../../src/wire/note.js";

const [ASKER, PEER, GONE] = [0, 20, 33];

/** A network where the asker has a session with a peer that knew a third node, which is gone. */
function withPeer(): { network: Network; session: Session } {
  const graph = randomConnected(40, 40, new Random(3));
  const network = new Network({ seed: 1, graph, crypto: nativeCrypto() });
  network.run(5_000);
  const session = network.hosts[ASKER]!.act((node, nowMs) => node.connect(network.key(PEER), nowMs))!;
  t.ok(network.pings(PEER, GONE));
  network.run(2_000);
  network.crash(GONE);
  return { network, session };
}

t.test("where a search finds nothing, a session's peer says where the key was", async (t) => {
  const { network } = withPeer();
  const { paths } = network.node(ASKER).router;
  t.equal(paths.locator(network.key(GONE)), undefined);
  t.notOk(network.pings(ASKER, GONE, 6_000), "it is gone");
  const locator = paths.locator(network.key(GONE));
  t.ok(locator !== undefined, "but its locator came");
  t.ok(equalBytes(locator!.bytes, network.node(PEER).router.paths.locator(network.key(GONE))!.bytes));
  network.restart(GONE);
  network.run(4_000);
  t.ok(network.pings(ASKER, GONE), "an old locator is no harm");
});

t.test("a locator that nobody asked for, or a false one, is not taken, and questions are limited", async (t) => {
  const { network, session } = withPeer();
  const peer = network.node(PEER).router.paths;
  const { bytes, signature } = peer.locator(network.key(GONE))!;
  const say = (...notes: Uint8Array[]) =>
    network.hosts[ASKER]!.act((node, nowMs) => {
      for (const note of notes) session.note(note);
      node.handleSessionUse(nowMs);
    });
  say(encodeLocated(network.key(7), bytes, signature));
  network.run(500);
  t.equal(peer.stats.notesIgnored, 1);
  t.equal(peer.locator(network.key(7)), undefined);
  for (let i = 0; i < 10; i++) {
    say(...Array.from({ length: 40 }, () => encodeLocate(network.key(GONE))));
    network.run(100);
  }
  t.ok(peer.stats.notesIgnored > 250, `${peer.stats.notesIgnored} of 400 were not answered`);
  // Asked for another key, the peer is handed one that its key did not sign.
  network.hosts[PEER]!.act((node, nowMs) => node.ping(new Uint8Array(32).fill(9), nowMs));
  network.run(600);
  say(encodeLocated(new Uint8Array(32).fill(9), bytes, signature));
  network.run(500);
  t.equal(peer.stats.locatorsBad, 1);
  t.ok(network.pings(PEER, ASKER));
});
