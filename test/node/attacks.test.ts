import t, { type Test } from "tap";
import { line, ring } from "../../sim/graphs.js";
import { Network, type NetworkOptions } from "../../sim/network.js";
import { Traffic } from "../../sim/traffic.js";
import type { HelloTerms } from "../../src/node/hello.js";
import { PacketDrop } from "../../src/session/codes.js";
import { PacketType } from "../../src/session/packet.js";
import { toHex, utf8 } from "../../src/wire/bytes.js";
import { CloseCode, DropReason } from "../../src/wire/codes.js";
import { PING, PONG, REG, RegOp } from "../../src/wire/control.js";
import { dataHeaderBytes, writeDataHeader } from "../../src/wire/data.js";
import { EPOCH_MAX, FRAME_BYTES_MAX, HELLO_BYTES_MAX, REG_ENTRY_BYTES } from "../../src/wire/limits.js";
import { crypto, identityOf } from "./hello-pair.js";
import { Stranger, simTerms } from "./stranger.js";

/** The node that is attacked: the only way between the honest nodes 0 and 2. */
const VICTIM = 1;

function makeNetwork(options: Partial<NetworkOptions> = {}): Network {
  const network = new Network({ seed: 7, graph: line(3), crypto, ...options });
  network.run(2_000);
  return network;
}

const closedBy = (network: Network, code: CloseCode, node = VICTIM) => network.node(node).linkStats.closed[code]!;

/** While the attack goes on the honest nodes keep their links, ping each other and carry a session. */
function honestAreServed(t: Test, network: Network): void {
  t.ok(network.pings(0, 2), "an honest ping passes");
  const flow = new Traffic(network).send(2, 0, 100_000);
  network.runUntil(() => flow.isDone || flow.isBroken, 5_000);
  t.ok(flow.isDone && !flow.isCorrupt, "an honest session passes");
  for (const node of [0, 2])
    t.same(network.node(node).linkStats.closed, new Array(21).fill(0), "no honest link closed");
}

/** What a stranger's link ends with. */
function codeOf(network: Network, stranger: Stranger): number | undefined {
  network.runUntil(() => stranger.isClosed, 20_000);
  return stranger.isClosed ? stranger.code : -1;
}

const honest = makeNetwork().hosts.map(({ key }) => toHex(key));

t.test("a hello that breaks a rule is told its code, counted, and disturbs nobody", async (t) => {
  const network = makeNetwork({
    node: (index) => (index === VICTIM ? { allowedKeys: new Set([...honest, toHex(identityOf(1).publicKey)]) } : {}),
  });
  const victimTerms = network.hosts[VICTIM]!.options.identity;
  const cases: [string, HelloTerms, CloseCode][] = [
    ["another network", simTerms(1, { networkId: utf8("other") }), CloseCode.NETWORK],
    ["a wrong secret", simTerms(1, { secret: utf8("guess") }), CloseCode.SECRET],
    ["the node's own key", simTerms(1, { identity: victimTerms }), CloseCode.SELF],
    ["a key that is not on the list", simTerms(2), CloseCode.NOT_ALLOWED],
    ["a key that used its epochs up", simTerms(1), CloseCode.STALE_EPOCH],
  ];
  Stranger.acquainted(network, VICTIM, simTerms(1, { nextEpoch: () => EPOCH_MAX })).end.close(undefined);
  network.run(100);
  for (const [what, terms, code] of cases) {
    const stranger = new Stranger(network, VICTIM);
    stranger.greet(terms);
    t.equal(codeOf(network, stranger), code, what);
    t.equal(closedBy(network, code), 1, what);
  }
  t.equal(network.node(VICTIM).status().linksInHello, 0);
  honestAreServed(t, network);
});
t.test("a pinned key is held to: another node that answers there is refused", async (t) => {
  const network = makeNetwork();
  const impostor = new Stranger(network, VICTIM, { dialled: true, expectedKey: identityOf(9).publicKey });
  impostor.greet(simTerms(1));
  t.equal(codeOf(network, impostor), CloseCode.KEY_MISMATCH);
  t.equal(closedBy(network, CloseCode.KEY_MISMATCH), 1);
  honestAreServed(t, network);
});

t.test("what was heard of a hello is worth nothing when it is said again", async (t) => {
  const network = makeNetwork();
  const heard: Uint8Array[] = [];
  const original = new Stranger(network, VICTIM);
  const send = original.end.send.bind(original.end);
  original.end.send = (message) => {
    heard.push(message.slice());
    send(message);
  };
  original.greet(simTerms(1));
  network.runUntil(() => original.acquaintance !== undefined, 1_000);
  network.run(100);
  t.equal(heard.length, 3);
  const before = network.node(VICTIM).status();
  const replayed = new Stranger(network, VICTIM);
  replayed.send(...heard);
  t.equal(codeOf(network, replayed), CloseCode.SECRET, "the transcript has another nonce");
  for (const message of heard.slice(1)) {
    const alone = new Stranger(network, VICTIM);
    alone.send(message);
    t.equal(codeOf(network, alone), CloseCode.UNEXPECTED);
  }
  t.equal(closedBy(network, CloseCode.SECRET), 1);
  t.equal(closedBy(network, CloseCode.UNEXPECTED), 2);
  const after = network.node(VICTIM).status();
  t.same(
    after.links.map(({ link }) => link),
    before.links.map(({ link }) => link),
    "the original link is untouched",
  );
  t.equal(after.ports, before.ports);
  honestAreServed(t, network);
});

t.test("who says nothing is closed in time, and holds no port", async (t) => {
  const network = makeNetwork();
  const silent = new Stranger(network, VICTIM);
  const halfway = new Stranger(network, VICTIM, { dialled: true });
  network.run(9_900);
  t.notOk(silent.isClosed);
  t.equal(codeOf(network, silent), CloseCode.HELLO_TIMEOUT);
  t.equal(codeOf(network, halfway), CloseCode.HELLO_TIMEOUT);
  t.equal(closedBy(network, CloseCode.HELLO_TIMEOUT), 2);
  t.equal(network.node(VICTIM).status().ports, 2);
  honestAreServed(t, network);
});

t.test("a flood of silent hellos is bounded, and an honest newcomer gets in meanwhile", async (t) => {
  const network = makeNetwork();
  const { hellosMax } = network.node(VICTIM).config;
  let most = 0;
  const strangers: Stranger[] = [];
  const flood = () => {
    for (let i = 0; i < 20; i++) {
      const stranger = new Stranger(network, VICTIM);
      stranger.send(helloOf(network));
      strangers.push(stranger);
    }
    most = Math.max(most, network.node(VICTIM).status().linksInHello);
    if (network.nowMs < 6_000) network.schedule.after(20, flood);
  };
  flood();
  network.run(1_000);
  const newcomer = Stranger.acquainted(network, VICTIM, simTerms(200));
  t.ok(newcomer.acquaintance !== undefined, "an honest newcomer gets in");
  t.equal(most, hellosMax);
  const told = strangers.filter((stranger) => stranger.isClosed).map((stranger) => stranger.code);
  t.strictSame([...new Set(told)], [CloseCode.BUSY], "who had to make room is told why");
  t.ok(network.node(VICTIM).linkStats.hellosEvicted > 500);
  honestAreServed(t, network);
});

/** A HELLO that the network accepts. */
function helloOf(network: Network): Uint8Array {
  const speaker = new Stranger(network, 0);
  const sent: Uint8Array[] = [];
  speaker.end.send = (message) => void sent.push(message);
  speaker.greet(simTerms(3));
  speaker.end.close(undefined);
  return sent[0]!;
}

t.test(
  "a flood of true hellos costs no more signatures than its budget, and honest nodes get in by and by",
  async (t) => {
    const network = makeNetwork();
    const { hellosBurst, hellosPerSecond, linksMax } = network.node(VICTIM).config;
    const startMs = network.nowMs;
    let seed = 0;
    const strangers: Stranger[] = [];
    const flood = () => {
      for (let i = 0; i < 5; i++) {
        const stranger = new Stranger(network, VICTIM);
        strangers.push(stranger);
        stranger.greet(simTerms(1 + (seed++ % 250)));
        network.schedule.after(60, () => stranger.end.close(undefined));
      }
      if (network.nowMs < startMs + 3_000) network.schedule.after(20, flood);
    };
    flood();
    network.run(2_000);
    let attempts = 0;
    let newcomer = Stranger.acquainted(network, VICTIM, simTerms(255));
    while (newcomer.acquaintance === undefined && attempts++ < 20) {
      network.run(200);
      newcomer = Stranger.acquainted(network, VICTIM, simTerms(255));
    }
    t.ok(newcomer.acquaintance !== undefined, `an honest newcomer gets in after ${attempts + 1} attempts`);
    const { established, hellosOverBudget } = network.node(VICTIM).linkStats;
    const spentMax = hellosBurst + (hellosPerSecond * (network.nowMs - startMs)) / 1_000;
    t.ok(established <= spentMax + 2, `${established} hellos`);
    t.ok(hellosOverBudget > 0);
    t.ok(
      strangers.some((stranger) => stranger.code === CloseCode.BUSY),
      "who comes past the budget is told why",
    );
    t.ok(network.node(VICTIM).status().links.length <= linksMax);
    honestAreServed(t, network);
  },
);

t.test("frames before the hello, hellos after it, and oversize are told their codes", async (t) => {
  const network = makeNetwork();
  const early = new Stranger(network, VICTIM);
  early.send(PING.encode({ token: 1 }));
  t.equal(codeOf(network, early), CloseCode.UNEXPECTED);
  const oversize = new Stranger(network, VICTIM);
  oversize.send(new Uint8Array(HELLO_BYTES_MAX + 1));
  t.equal(codeOf(network, oversize), CloseCode.OVERSIZE);
  const cases: [Uint8Array, CloseCode][] = [
    [helloOf(network), CloseCode.UNEXPECTED],
    [new Uint8Array(FRAME_BYTES_MAX + 1).fill(0x9b), CloseCode.OVERSIZE],
    [new Uint8Array(FRAME_BYTES_MAX).fill(0x91), CloseCode.UNEXPECTED],
    [new Uint8Array(0), CloseCode.MALFORMED],
    [Uint8Array.of(0x9b, 0x30), CloseCode.MALFORMED],
    [Uint8Array.of(0x92, 0x08, 0xcc, 0x01), CloseCode.NON_CANONICAL],
    [Uint8Array.of(0x92, 0x08, 0xc4, 0xff), CloseCode.MALFORMED],
    [Uint8Array.of(0x92, 0x7e, 0x00), CloseCode.UNEXPECTED],
    [Uint8Array.of(0x92, 0x11, ...new Uint8Array(1_000).fill(0x91)), CloseCode.MALFORMED],
    [Uint8Array.of(0x92, 0x10, 0xdd, 0xff, 0xff, 0xff, 0xff), CloseCode.MALFORMED],
  ];
  for (const [i, [frame, code]] of cases.entries()) {
    const stranger = Stranger.acquainted(network, VICTIM, simTerms(20 + i));
    t.ok(stranger.acquaintance);
    stranger.send(frame);
    t.equal(codeOf(network, stranger), code, `case ${i}`);
  }
  for (const code of [CloseCode.UNEXPECTED, CloseCode.OVERSIZE, CloseCode.MALFORMED, CloseCode.NON_CANONICAL]) {
    const times = cases.filter((each) => each[1] === code).length;
    const before = code === CloseCode.UNEXPECTED || code === CloseCode.OVERSIZE ? 1 : 0;
    t.equal(closedBy(network, code), times + before, `code ${code} is counted`);
  }
  const { links, linksInHello } = network.node(VICTIM).status();
  t.equal(links.length, 2, "nobody but the honest is left");
  t.equal(linksInHello, 0);
  honestAreServed(t, network);
});

t.test("a flood of pings closes the link, pongs that nobody asked for are counted", async (t) => {
  const network = makeNetwork();
  const flooder = Stranger.acquainted(network, VICTIM, simTerms(1));
  for (let token = 0; token < 1_000; token++) flooder.send(PING.encode({ token }));
  const eager = Stranger.acquainted(network, VICTIM, simTerms(2));
  network.run(100);
  const eagerKey = toHex(identityOf(2).publicKey);
  const rttMs = () =>
    network
      .node(VICTIM)
      .status()
      .links.find(({ key }) => toHex(key) === eagerKey)!.rttMs;
  const before = rttMs();
  for (let token = 0; token < 100; token++) eager.send(PONG.encode({ token, clock: 0 }));
  t.equal(codeOf(network, flooder), CloseCode.FLOOD);
  t.equal(closedBy(network, CloseCode.FLOOD), 1);
  const { pingsBurst } = network.node(VICTIM).config.keepAlive;
  t.ok(flooder.received.filter((message) => message[1] === 9).length <= pingsBurst + 1, "pongs are bounded");
  network.run(100);
  t.equal(network.node(VICTIM).linkStats.pongsUnasked, 100);
  t.notOk(eager.isClosed);
  t.equal(rttMs(), before);
  honestAreServed(t, network);
});

t.test("two nodes that dial each other at once keep the same one link", async (t) => {
  for (let seed = 1; seed <= 10; seed++) {
    const network = new Network({
      seed,
      graph: {
        nodes: 2,
        edges: [
          [0, 1],
          [1, 0],
        ],
      },
      crypto,
    });
    network.run(3_000);
    const [one, other] = [0, 1].map((index) =>
      network
        .node(index)
        .status()
        .links.map(({ link }) => link),
    );
    t.equal(one!.length, 1);
    t.same(one, other);
    t.ok(network.pings(0, 1));
  }
});

t.test("a reconnect keeps the port on both sides, and routes through it", async (t) => {
  const network = makeNetwork({ graph: ring(4) });
  t.ok(network.pings(0, 2));
  const portsOf = () =>
    [0, 1, 2, 3].map((i) =>
      network
        .node(i)
        .status()
        .links.map(({ port, key }) => `${port} ${toHex(key)}`)
        .sort(),
    );
  const before = portsOf();
  for (const [a, b] of [
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 0],
  ] as const)
    network.reset(a, b);
  network.run(5_000);
  t.ok(network.isLinked());
  t.same(portsOf(), before);
  t.ok(network.pings(0, 2));
});

t.test("a freed port rests: a stranger gets another one", async (t) => {
  const network = makeNetwork();
  const first = Stranger.acquainted(network, VICTIM, simTerms(1));
  const freed = first.acquaintance!.theirPort;
  first.end.close(undefined);
  network.run(1_000);
  const second = Stranger.acquainted(network, VICTIM, simTerms(2));
  t.not(second.acquaintance!.theirPort, freed);
  const back = Stranger.acquainted(network, VICTIM, simTerms(1));
  t.equal(back.acquaintance!.theirPort, freed);
});

t.test("a neighbour that never reads is closed, and holds no more memory than its queue", async (t) => {
  const network = makeNetwork();
  const deaf = Stranger.acquainted(network, VICTIM, simTerms(1));
  deaf.isReading = false;
  const talk = () => {
    deaf.send(PING.encode({ token: 1 }));
    if (!deaf.end.isClosed) network.schedule.after(500, talk);
  };
  talk();
  const toVictim = network.node(0).status().links[0]!.port;
  const frames = () => {
    for (let i = 0; i < 50; i++)
      network.hosts[0]!.act((node, nowMs) => node.router.forward(frameTo(deaf, toVictim), 0, nowMs));
    if (!deaf.isClosed && network.nowMs < 40_000) network.schedule.after(100, frames);
  };
  frames();
  network.run(5_000);
  t.ok(network.pings(0, 2), "an honest ping passes meanwhile");
  network.runUntil(() => deaf.isClosed, 40_000);
  deaf.isReading = true;
  network.resumeReading(deaf);
  t.equal(codeOf(network, deaf), CloseCode.SLOW);
  t.equal(closedBy(network, CloseCode.SLOW), 1);
  const { drops } = network.node(VICTIM).router.stats;
  const waitedBytes = drops[-DropReason.LINK_DOWN]! * frameTo(deaf, toVictim).length;
  const { dataBytesMax } = network.node(VICTIM).config.paths;
  t.ok(waitedBytes > dataBytesMax / 2 && waitedBytes <= dataBytesMax, `${waitedBytes} bytes waited`);
  t.ok(drops[-DropReason.QUEUE_FULL]! > 0);
  honestAreServed(t, network);
});

t.test("a neighbour that confirms nothing gets no more than a window, and is closed", async (t) => {
  const network = makeNetwork();
  const silent = Stranger.acquainted(network, VICTIM, simTerms(1));
  silent.answers = false;
  const talk = () => {
    silent.send(PONG.encode({ token: 1, clock: 0 }));
    if (!silent.end.isClosed) network.schedule.after(500, talk);
  };
  talk();
  const toVictim = network.node(0).status().links[0]!.port;
  const frames = () => {
    for (let i = 0; i < 50; i++)
      network.hosts[0]!.act((node, nowMs) => node.router.forward(frameTo(silent, toVictim), 0, nowMs));
    if (!silent.isClosed && network.nowMs < 40_000) network.schedule.after(100, frames);
  };
  frames();
  network.run(5_000);
  t.ok(network.pings(0, 2), "an honest ping passes meanwhile");
  t.equal(codeOf(network, silent), CloseCode.SLOW);
  t.equal(closedBy(network, CloseCode.SLOW), 1);
  const frameBytes = frameTo(silent, toVictim).length;
  const sentBytes = silent.received.reduce((sum, { length }) => sum + (length === frameBytes ? length : 0), 0);
  const { firstBytes } = network.node(VICTIM).config.linkWindow;
  t.ok(sentBytes > firstBytes / 2 && sentBytes <= firstBytes + frameBytes, `${sentBytes} bytes were sent`);
  t.equal(network.node(VICTIM).linkStats.windowsFull, 1);
  t.ok(network.node(VICTIM).linkStats.pongsUnasked > 0);
  honestAreServed(t, network);
});

t.test("a flood of handshakes is dropped by its rate, and an honest session is opened meanwhile", async (t) => {
  const network = makeNetwork();
  const flooder = Stranger.acquainted(network, VICTIM, simTerms(1));
  const packet = new Uint8Array(400).fill(7);
  packet[0] = PacketType.HANDSHAKE_INIT;
  const frame = new Uint8Array(dataHeaderBytes(1) + packet.length);
  frame.set(packet, dataHeaderBytes(1));
  writeDataHeader(frame, [1], new Uint8Array(8), network.key(VICTIM));
  const flood = () => {
    for (let i = 0; i < 50; i++) flooder.send(frame);
    if (network.nowMs < 6_000) network.schedule.after(50, flood);
  };
  flood();
  network.run(1_000);
  const flow = new Traffic(network).send(0, VICTIM, 50_000);
  t.ok(
    network.runUntil(() => flow.isDone, 2_000),
    "a session with the victim itself",
  );
  const { counters, sessionsHalfOpen } = network.node(VICTIM).status();
  const { handshakesBurst, handshakesPerSecond } = network.node(VICTIM).config.sessions;
  t.ok(counters.sessions.drops[PacketDrop.HANDSHAKE_RATE]! > 500);
  t.ok(counters.sessions.drops[PacketDrop.HANDSHAKE_INVALID]! <= handshakesBurst + 5 * handshakesPerSecond);
  t.equal(sessionsHalfOpen, 0);
  t.notOk(flooder.isClosed, "a relay could have brought them");
  honestAreServed(t, network);
});

t.test("a flood of registrations closes its link, and no table grows", async (t) => {
  const network = makeNetwork();
  const flooder = Stranger.acquainted(network, VICTIM, simTerms(1));
  const entry = new Uint8Array(REG_ENTRY_BYTES).fill(3);
  const reg = REG.encode({ tree: 0, op: RegOp.ATTACH, dels: [], adds: new Array(10).fill(entry) });
  for (let i = 0; i < 6_000; i++)
    flooder.send(i === 0 ? reg : REG.encode({ tree: 0, op: RegOp.UPDATE, dels: [], adds: [] }));
  const code = codeOf(network, flooder);
  t.equal(code, CloseCode.BAD_EDGE, "before anything else the first entry is false");
  const unattached = Stranger.acquainted(network, VICTIM, simTerms(2));
  for (let i = 0; i < 6_000; i++) unattached.send(REG.encode({ tree: 1, op: RegOp.DETACH, dels: [], adds: [] }));
  t.equal(codeOf(network, unattached), CloseCode.FLOOD);
  t.equal(closedBy(network, CloseCode.FLOOD), 1);
  t.equal(network.node(VICTIM).router.stats.floods, 1);
  t.ok(
    network
      .node(VICTIM)
      .status()
      .trees.every(({ tableSize }) => tableSize <= 2),
  );
  honestAreServed(t, network);
});

/** A DATA frame from node 0 by way of the victim to a stranger. */
function frameTo(stranger: Stranger, toVictim: number): Uint8Array {
  const route = [toVictim, stranger.acquaintance!.theirPort];
  const frame = new Uint8Array(dataHeaderBytes(route.length) + 1_200);
  writeDataHeader(frame, route, new Uint8Array(8), identityOf(1).publicKey);
  return frame;
}
