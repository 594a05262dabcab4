import fc from "fast-check";
import t from "tap";
import { ring } from "../../sim/graphs.js";
import { Network } from "../../sim/network.js";
import { Traffic } from "../../sim/traffic.js";
import { BALL, BALL_REQUEST } from "../../src/wire/ball.js";
import { CloseCode } from "../../src/wire/codes.js";
import {
  ANNOUNCE,
  ANNOUNCE_REQUEST,
  HEARTBEAT,
  PING,
  PONG,
  REG,
  REG_REFUSED,
  ROOT_LOST,
  ROUTE_BROKEN,
  SEQ_REQUEST,
} from "../../src/wire/control.js";
import { dataHeaderBytes, writeDataHeader } from "../../src/wire/data.js";
import { CERT, HELLO, PROOF } from "../../src/wire/hello.js";
import { BALL_PADDING_BYTES, EDGE_BYTES, FRAME_BYTES_MAX, REG_ENTRY_BYTES } from "../../src/wire/limits.js";
import { encodeProbe, PROBE_REPLY, ProbeMode } from "../../src/wire/probe.js";
import { crypto } from "./hello-pair.js";
import { Stranger, simTerms } from "./stranger.js";

const NODES = 4;
const VICTIM = 1;
const network = new Network({ seed: 11, graph: ring(NODES), crypto });
network.run(2_000);

const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });
const key = fc.oneof(
  bytes(32),
  fc.integer({ min: 0, max: NODES - 1 }).map((index) => network.key(index)),
);
const tree = fc.integer({ min: 0, max: 2 });
const epoch = fc.oneof(fc.nat(), fc.integer({ min: 0, max: 2 ** 48 - 1 }));
const hops = fc.integer({ min: 0, max: 255 });
const signature = bytes(64);
const route = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 127 });
const routeBytes = fc
  .array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 127 })
  .map((ports) => Uint8Array.from(ports.flatMap((port) => [0, port])));

/** Frames that have their layout, of every kind, and mean nothing or nothing good. */
const wellFormed = fc.oneof(
  fc.record({ token: fc.nat() }).map((frame) => PING.encode(frame)),
  fc.record({ token: fc.nat(), clock: fc.nat() }).map((frame) => PONG.encode(frame)),
  fc.record({ tree, root: key, seq: epoch, signature }).map((frame) => HEARTBEAT.encode(frame)),
  fc
    .record({
      tree,
      root: key,
      seq: epoch,
      signature,
      delayMs: fc.integer({ min: 0, max: 60_000 }),
      keepPrefix: fc.integer({ min: 0, max: 3 }),
      keepSuffix: fc.integer({ min: 0, max: 3 }),
      edges: fc.array(bytes(EDGE_BYTES), { maxLength: 6 }),
    })
    .map((frame) => ANNOUNCE.encode(frame)),
  fc.record({ tree, flags: fc.integer({ min: 0, max: 1 }) }).map((frame) => ANNOUNCE_REQUEST.encode(frame)),
  fc.record({ tree, root: key, seq: epoch, hops }).map((frame) => SEQ_REQUEST.encode(frame)),
  fc
    .record({ tree, root: key, seq: epoch, edge: bytes(EDGE_BYTES), signature })
    .map((frame) => ROOT_LOST.encode(frame)),
  fc
    .record({
      tree,
      op: fc.integer({ min: 0, max: 2 }),
      dels: fc.array(bytes(8), { maxLength: 4 }),
      adds: fc.array(bytes(REG_ENTRY_BYTES), { maxLength: 4 }),
    })
    .map((frame) => REG.encode(frame)),
  fc
    .record({ tree, id: bytes(8), reason: fc.integer({ min: 0, max: 2 }), epoch })
    .map((frame) => REG_REFUSED.encode(frame)),
  fc
    .record({ hops, index: fc.integer({ min: 0, max: 127 }), routeId: bytes(8), back: routeBytes })
    .map((frame) => ROUTE_BROKEN.encode(frame)),
  fc
    .record({
      hops,
      index: fc.integer({ min: 0, max: 127 }),
      nonce: bytes(8),
      route: routeBytes,
      padding: fc.constant(new Uint8Array(BALL_PADDING_BYTES)),
    })
    .map((frame) => BALL_REQUEST.encode(frame)),
  fc
    .record({
      hops,
      index: fc.integer({ min: 0, max: 127 }),
      nonce: bytes(8),
      back: routeBytes,
      records: bytes(9, 100),
    })
    .map((frame) => BALL.encode(frame)),
  fc
    .record({
      hops,
      index: fc.integer({ min: 0, max: 127 }),
      nonce: bytes(8),
      key,
      back: routeBytes,
      forward: routeBytes,
      locator: bytes(6, 100),
      locatorSignature: signature,
      signature,
    })
    .map((frame) => PROBE_REPLY.encode(frame)),
  fc.tuple(fc.constantFrom(...Object.values(ProbeMode)), bytes(8), key, tree, route, bytes(27, 60)).map((fields) => {
    const [mode, nonce, target, inTree, ports, place] = fields;
    const options = { tree: inTree, ...(mode === 0 ? { route: ports } : {}), ...(mode === 2 ? { place } : {}) };
    return encodeProbe(mode, nonce, target, options);
  }),
  fc.tuple(route, bytes(8), key, bytes(0, 300), bytes(6)).map(([ports, routeId, destination, payload, edits]) => {
    const frame = new Uint8Array(dataHeaderBytes(ports.length) + payload.length);
    frame.set(payload, dataHeaderBytes(ports.length));
    writeDataHeader(frame, ports, routeId, destination);
    // Hops, bits, tree, mask, depth, index: whatever a neighbour may claim.
    for (const [i, limit] of [255, 15, 2, 7, 255, ports.length].entries()) frame[3 + 2 * i] = edits[i]! % (limit + 1);
    return frame;
  }),
  fc.constant(CERT.encode({ signature: new Uint8Array(64) })),
  fc.record({ port: fc.constant(1), linkEpoch: epoch, mac: bytes(32), signature }).map((frame) => PROOF.encode(frame)),
  fc
    .record({
      version: fc.constant(1),
      network: bytes(0, 64),
      capabilities: fc.integer({ min: 0, max: 255 }),
      key,
      nonce: bytes(32),
    })
    .map((frame) => HELLO.encode(frame)),
);

/** The same with bytes changed, cut off or added; and bytes that begin like a frame, and that do not. */
const illFormed = fc.oneof(
  fc.tuple(wellFormed, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([frame, at, change]) => {
    frame[at % frame.length]! ^= change;
    return frame;
  }),
  fc.tuple(wellFormed, fc.nat()).map(([frame, size]) => frame.slice(0, size % frame.length)),
  fc.tuple(wellFormed, bytes(1, 8)).map(([frame, more]) => Uint8Array.of(...frame, ...more)),
  fc.tuple(fc.integer({ min: 0x90, max: 0x9f }), bytes(0, 600)).map(([head, rest]) => Uint8Array.of(head, ...rest)),
  bytes(0, 600),
  fc.integer({ min: 1, max: FRAME_BYTES_MAX }).map((size) => new Uint8Array(size).fill(0x91)),
  fc.constant(new Uint8Array(FRAME_BYTES_MAX + 1).fill(0x9b)),
);

let seed = 0;
/** Codes that a neighbour which breaks a rule is told. */
const TOLD = new Set<number>([
  CloseCode.MALFORMED,
  CloseCode.NON_CANONICAL,
  CloseCode.OVERSIZE,
  CloseCode.UNEXPECTED,
  CloseCode.BAD_EDGE,
  CloseCode.FLOOD,
  CloseCode.VERSION,
  CloseCode.NETWORK,
  CloseCode.SELF,
  CloseCode.SECRET,
]);

/** No honest node has closed a link, whatever a stranger sent and they passed on to each other. */
function honestLinksStand(): boolean {
  const others = network.hosts.filter(({ index }) => index !== VICTIM);
  const isQuiet = others.every(({ node }) => node!.linkStats.closed.every((count) => count === 0));
  return isQuiet && network.isLinked();
}

function isServed(): boolean {
  const flow = new Traffic(network).send(0, 2, 20_000);
  network.runUntil(() => flow.isDone || flow.isBroken, 5_000);
  return network.pings(0, 2) && network.pings(2, VICTIM);
}

t.test("whatever a neighbour sends is told a code or ignored, and makes no honest node close on another", async (t) => {
  fc.assert(
    fc.property(fc.array(fc.oneof(wellFormed, illFormed), { minLength: 1, maxLength: 12 }), (frames) => {
      const stranger = Stranger.acquainted(network, VICTIM, simTerms(1 + (seed++ % 200)));
      if (stranger.acquaintance === undefined) return false;
      stranger.send(...frames);
      network.run(100);
      const isTold = !stranger.isClosed || TOLD.has(stranger.code!);
      stranger.end.close(undefined);
      network.run(50);
      return isTold && honestLinksStand();
    }),
    { numRuns: 400 },
  );
  t.ok(isServed(), "honest nodes ping and carry sessions");
});

t.test("whatever a stranger says instead of a hello is told a code, and touches nobody", async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(wellFormed, illFormed), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      (frames, dialled) => {
        const stranger = new Stranger(network, VICTIM, { dialled });
        stranger.send(...frames);
        network.run(60);
        const isTold = !stranger.isClosed || TOLD.has(stranger.code!);
        stranger.end.close(undefined);
        return isTold && stranger.acquaintance === undefined;
      },
    ),
    { numRuns: 300 },
  );
  network.run(1_000);
  t.ok(honestLinksStand() && isServed(), "honest nodes ping and carry sessions");
  t.equal(network.node(VICTIM).status().linksInHello, 0);
});
