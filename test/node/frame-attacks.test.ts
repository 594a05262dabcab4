import t, { type Test } from "tap";
import { line } from "../../sim/graphs.js";
import { Network } from "../../sim/network.js";
import { Traffic } from "../../sim/traffic.js";
import { Trust } from "../../src/router/trust.js";
import { utf8 } from "../../src/wire/bytes.js";
import { CloseCode, DropReason } from "../../src/wire/codes.js";
import { ANNOUNCE, HEARTBEAT, REG, RegOp } from "../../src/wire/control.js";
import { dataHeaderBytes, writeDataHeader } from "../../src/wire/data.js";
import { encodeEdge } from "../../src/wire/edge.js";
import { HOP_LIMIT, REG_ENTRY_BYTES, ROUTE_HOPS_MAX } from "../../src/wire/limits.js";
import { crypto, identityOf } from "./hello-pair.js";
import { Stranger, simTerms } from "./stranger.js";

/** The node that is attacked: the only way between the honest nodes 0 and 2. */
const VICTIM = 1;
const HOPS_AT = 3;
const INDEX_AT = 13;
const networkId = utf8("sim");

function makeNetwork(): Network {
  const network = new Network({ seed: 7, graph: line(3), crypto });
  network.run(2_000);
  return network;
}

const closedBy = (network: Network, code: CloseCode) => network.node(VICTIM).linkStats.closed[code]!;
const droppedFor = (network: Network, reason: DropReason) => network.node(VICTIM).router.stats.drops[-reason]!;

function honestAreServed(t: Test, network: Network): void {
  t.ok(network.pings(0, 2), "an honest ping passes");
  const flow = new Traffic(network).send(2, 0, 100_000);
  network.runUntil(() => flow.isDone || flow.isBroken, 5_000);
  t.ok(flow.isDone && !flow.isCorrupt, "an honest session passes");
  for (const node of [0, 2])
    t.same(network.node(node).linkStats.closed, new Array(21).fill(0), "no honest link closed");
}

/** DATA for node 2 that has come to the victim by one hop of its route. */
function arrived(network: Network, route: readonly number[]): Uint8Array {
  const frame = new Uint8Array(dataHeaderBytes(route.length) + 100);
  writeDataHeader(frame, route, new Uint8Array(8), network.key(2));
  frame[HOPS_AT] = 1;
  frame[INDEX_AT] = 1;
  return frame;
}

t.test(
  "a source route back out of its port goes no further on it, and one beyond the hop limit is dropped and counted",
  async (t) => {
    const network = makeNetwork();
    const stranger = Stranger.acquainted(network, VICTIM, simTerms(1));
    const toStranger = stranger.acquaintance!.theirPort;
    const status = network.node(VICTIM).status();
    const toTwo = status.links.find(({ key }) => key.every((byte, i) => byte === network.key(2)[i]))!.port;
    const before = droppedFor(network, DropReason.HOP_LIMIT);
    const tired = arrived(network, [1, toTwo]);
    tired[HOPS_AT] = HOP_LIMIT;
    for (let i = 0; i < 50; i++) stranger.send(arrived(network, [1, toStranger]), tired);
    network.run(200);
    t.equal(droppedFor(network, DropReason.HOP_LIMIT), before + 50);
    t.notOk(stranger.isClosed, "a relay could have brought them");
    t.notOk(
      stranger.received.some((message) => message[1] === 0x30),
      "no DATA came back: what fell back went to its destination by KEY",
    );
    honestAreServed(t, network);
  },
);

t.test("a source route of 128 hops, an index outside it and lengths that lie cost the link", async (t) => {
  const network = makeNetwork();
  const outside = arrived(network, [1, 2]);
  outside[INDEX_AT] = 3;
  const lying = arrived(network, [1, 2]);
  lying[60] = 200;
  const short = arrived(network, [1, 2]);
  short[dataHeaderBytes(2) - 1]! += 1;
  const cases = [arrived(network, new Array(ROUTE_HOPS_MAX + 1).fill(1)), outside, lying, short];
  for (const [i, frame] of cases.entries()) {
    const stranger = Stranger.acquainted(network, VICTIM, simTerms(1 + i));
    stranger.send(frame);
    network.runUntil(() => stranger.isClosed, 1_000);
    t.equal(stranger.code, CloseCode.MALFORMED, `case ${i}`);
  }
  t.equal(closedBy(network, CloseCode.MALFORMED), cases.length);
  t.equal(droppedFor(network, DropReason.MALFORMED), cases.length);
  honestAreServed(t, network);
});

t.test("an invented edge, root, and registration cost the link; an invented heartbeat is counted", async (t) => {
  const network = makeNetwork();
  const { trees, links } = network.node(VICTIM).status();
  const signed = (seed: number) => new Trust(crypto, network.verdicts, identityOf(seed), networkId);
  const nothing = { delayMs: 0, keepPrefix: 0, keepSuffix: 0 };
  const announced = (seed: number, edges: Uint8Array[], signature: Uint8Array) =>
    ANNOUNCE.encode({ tree: 0, root: identityOf(seed).publicKey, seq: 9, signature, ...nothing, edges });
  /** An edge below a root that the neighbour made up, which never gave it a port. */
  const edgeOf = (seed: number) =>
    encodeEdge(identityOf(seed).publicKey, 1, 5, 6, new Uint8Array(64).fill(1), new Uint8Array(64).fill(2));
  const cases: [string, (seed: number) => Uint8Array][] = [
    ["an edge", (seed) => announced(200, [edgeOf(seed)], signed(200).signHeartbeat(0, 9))],
    ["a root", (seed) => announced(seed, [], new Uint8Array(64).fill(1))],
    ["a root's seq", (seed) => announced(seed, [], signed(seed).signHeartbeat(0, 8))],
    [
      "a registration",
      () => REG.encode({ tree: 0, op: RegOp.ATTACH, dels: [], adds: [new Uint8Array(REG_ENTRY_BYTES).fill(3)] }),
    ],
  ];
  for (const [i, [what, frameOf]] of cases.entries()) {
    const stranger = Stranger.acquainted(network, VICTIM, simTerms(1 + i));
    stranger.send(frameOf(1 + i));
    network.runUntil(() => stranger.isClosed, 1_000);
    t.equal(stranger.code, CloseCode.BAD_EDGE, what);
  }
  t.equal(closedBy(network, CloseCode.BAD_EDGE), cases.length);
  const liar = Stranger.acquainted(network, VICTIM, simTerms(100));
  const { heartbeatsIgnored } = network.node(VICTIM).router.stats;
  const root = trees[0]!.root!;
  for (let seq = 1; seq <= 20; seq++)
    liar.send(HEARTBEAT.encode({ tree: 0, root, seq: 2 ** 47 + seq, signature: new Uint8Array(64) }));
  network.run(100);
  t.equal(network.node(VICTIM).router.stats.heartbeatsIgnored, heartbeatsIgnored + 20);
  const after = network.node(VICTIM).status();
  t.same(
    after.trees.map(({ root: key, tableSize }) => [key, tableSize]),
    trees.map(({ root: key, tableSize }) => [key, tableSize]),
    "roots and tables are as they were",
  );
  t.equal(after.links.length, links.length + 1);
  honestAreServed(t, network);
});
