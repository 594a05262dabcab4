import t, { type Test } from "tap";
import { DISCOVERED_PEERS_MAX, RECONCILE_MS } from "../../src/daemon/limits.js";
import { Peers } from "../../src/daemon/peers.js";
import { SECOND_DIAL_MS } from "../../src/link/config.js";
import { parsePeerUri } from "../../src/link/peer-uri.js";
import { keyToName } from "../../src/wire/name.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";

/* Dialling is tested in test/link; here it is whether and when. Nothing listens on port 9 of this host. */

const OWN = new Uint8Array(32).fill(0x80);
const key = (first: number) => Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? first : 1));
const hex = (one: Uint8Array) => Buffer.from(one).toString("hex");
const uri = (first: number, more = "", port = 9) =>
  parsePeerUri(`wss://127.0.0.1:${port}/?key=${hex(key(first))}${more}`);
const lan = (first: number, addresses = ["127.0.0.1"]) => ({ key: key(first), addresses, port: 9 });

function scene(t: Test, allowed: (key: Uint8Array) => boolean = () => true) {
  const timers = new VirtualTimers();
  const linked = new Set<string>();
  const peers = new Peers({
    key: OWN,
    timers,
    random: () => 0,
    onLink: () => {},
    isLinked: (one) => linked.has(hex(one)),
    isAllowed: allowed,
  });
  t.teardown(() => peers.stop());
  const dials = () => peers.dialerStats.dials;
  /** A dial has failed. */
  const failed = () => until("a dial fails", () => peers.list().some(({ lastError }) => lastError !== null));
  return { timers, linked, peers, dials, failed };
}

t.test("a peer is dialled at once, and rests while the node has a link to it by whatever way", async (t) => {
  const { timers, linked, peers, dials, failed } = scene(t);
  t.match(peers.add(uri(1), "config"), { origin: "config", linked: false, names: [keyToName(key(1))] });
  t.equal(dials(), 1);
  await failed();
  t.match(peers.list()[0]?.lastError, /nothing listens/);
  linked.add(hex(key(1)));
  peers.reconcile();
  timers.advance(60_000);
  t.equal(dials(), 1, "it rests");
  t.match(peers.list()[0], { linked: true });
  linked.clear();
  timers.advance(RECONCILE_MS);
  t.equal(dials(), 2, "the link is gone");
});

t.test("a peer is added once; added peers are kept, and removed by URI, name or key", async (t) => {
  const { peers } = scene(t);
  peers.add(uri(1), "config");
  for (const [first, text] of [
    [2, `wss://127.0.0.1:9/?key=${hex(key(2))}`],
    [5, `wss://127.0.0.1:9?key=${hex(key(5)).toUpperCase()}`],
    [6, `wss://${keyToName(key(6)).split(".")[0]}@127.0.0.1:9`],
    [3, keyToName(key(3))],
    [4, hex(key(4))],
  ] as const) {
    peers.add(uri(first, "&password=opensesame"), "added");
    t.throws(() => peers.add(uri(first, "&password=opensesame"), "added"), { code: "PINYON_PEER" });
    t.match(peers.added(), [/password=opensesame/], "what is kept has the password");
    t.notMatch(JSON.stringify(peers.list()), /opensesame/, "what is shown has not");
    t.equal(peers.remove(text).length, 1);
    t.same(peers.added(), []);
  }
  const own = parsePeerUri(`wss://127.0.0.1:9/?key=${hex(OWN)}`);
  t.throws(() => peers.add(own, "added"), { code: "PINYON_SELF", message: /this node's own/ });
  t.equal(peers.add(own, "config").linked, false, "a config file may be the same on all nodes");
  t.throws(() => peers.remove(hex(key(1))), { code: "PINYON_PEER", message: /stands in the config file/ });
  t.throws(() => peers.remove("wss://nobody.example"), { code: "PINYON_PEER", message: /is no peer/ });
});

t.test("of several URIs of one node that with the lower priority is tried first", async (t) => {
  const { timers, peers, dials, failed } = scene(t);
  peers.add(uri(1, "&priority=0"), "config");
  peers.add(uri(1, "&priority=1", 10), "config");
  timers.advance(RECONCILE_MS / 2);
  t.equal(dials(), 1);
  await failed();
  timers.advance(RECONCILE_MS / 2);
  t.equal(peers.list().filter(({ lastError }) => lastError !== null).length, 1);
  t.equal(dials(), 3, "both, now that the first has failed");
});

t.test("of two neighbours on the LAN the smaller key dials at once, the other later", async (t) => {
  const { timers, peers, dials } = scene(t);
  peers.handleLanPeer(lan(0xff));
  t.equal(dials(), 1);
  peers.handleLanPeer(lan(1));
  t.equal(dials(), 1);
  timers.advance(SECOND_DIAL_MS + RECONCILE_MS);
  t.equal(dials(), 2);
  t.same(
    peers.list().map(({ origin }) => origin),
    ["discovered", "discovered"],
  );
});

t.test("where the smaller key dialled in time the other does not", async (t) => {
  const { timers, linked, peers, dials } = scene(t);
  peers.handleLanPeer(lan(1));
  linked.add(hex(key(1)));
  timers.advance(2 * SECOND_DIAL_MS);
  t.equal(dials(), 0);
});

t.test("a neighbour's addresses are tried one after the other, and stay one peer", async (t) => {
  const { timers, peers, failed } = scene(t);
  peers.handleLanPeer(lan(0xff, ["127.0.0.1", "127.0.0.2", "127.0.0.3"]));
  for (const host of ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.3"]) {
    t.match(
      peers.list().map((peer) => peer.uri),
      [new RegExp(`^wss://${host}:9/`)],
    );
    await failed();
    timers.advance(RECONCILE_MS);
  }
});

t.test("a neighbour that is a peer already, linked or not allowed is not dialled", async (t) => {
  const { linked, peers, dials } = scene(t, (one) => one[0] !== 0xf3);
  peers.add(uri(0xf1), "added");
  linked.add(hex(key(0xf2)));
  for (const first of [0xf1, 0xf2, 0xf3]) peers.handleLanPeer(lan(first));
  t.equal(peers.list().length, 1);
  t.equal(dials(), 1);
});

t.test("neighbours beyond their limit find room only where one is not linked", async (t) => {
  const { linked, peers } = scene(t);
  for (let first = 0x81; first <= 0x81 + DISCOVERED_PEERS_MAX; first++) peers.handleLanPeer(lan(first));
  t.equal(peers.list().length, DISCOVERED_PEERS_MAX);
  const names = () => peers.list().flatMap((peer) => peer.names);
  t.notOk(names().includes(keyToName(key(0x81))), "the oldest made room");
  for (let first = 0x82; first < 0xff; first++) linked.add(hex(key(first)));
  peers.handleLanPeer(lan(0xff));
  t.notOk(names().includes(keyToName(key(0xff))), "no linked one makes room");
});
