import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import type { NetworkInterfaceInfo } from "node:os";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import multicastDns, { type FullPacket, type ResponseOutgoingPacket } from "multicast-dns";
import t from "tap";
import { Dialer } from "../../src/link/dialer.js";
import { Discovery, type DiscoveryOptions, dialsFirst, type LanPeer, lanUri } from "../../src/link/discovery.js";
import { readAnnouncements, SERVICE_NAME, serviceRecords } from "../../src/link/dns-sd.js";
import { formatPeerUri } from "../../src/link/peer-uri.js";
import { collect } from "./contract.js";
import { LISTENER_KEY, startListener } from "./listening.js";
import { realTimers, VirtualTimers } from "./timers.js";
import { until } from "./until.js";

/** The host's multicast is shared: each run has networks of its own. */
const networkOf = (name: string): string => `${name} ${process.pid}`;
const NETWORK = networkOf("a test's network");
const hash = (message: Uint8Array): Uint8Array => createHash("sha512").update(message).digest();
const tagOf = (network: string): string => createHash("sha512").update(network).digest("hex").slice(0, 16);

const LOOPBACK: NetworkInterfaceInfo = {
  address: "127.0.0.1",
  netmask: "255.0.0.0",
  family: "IPv4",
  mac: "00:00:00:00:00:00",
  internal: true,
  cidr: "127.0.0.1/8",
};
const loopback = (): NodeJS.Dict<NetworkInterfaceInfo[]> => ({ lo: [LOOPBACK] });

/** Sockets that a failed test left open would keep the process alive. */
const stops: (() => unknown)[] = [];
t.teardown(() => Promise.all(stops.map((stop) => stop())));

interface Started {
  readonly discovery: Discovery;
  readonly key: Uint8Array;
  readonly peers: LanPeer[];
}

/** A discovery on loopback alone, that hears. */
async function startHearing(options: Partial<DiscoveryOptions> = {}): Promise<Started> {
  const started = start(options);
  await until("it hears", () => started.discovery.status() === "on lo");
  return started;
}

/** A discovery on loopback alone, just started. */
function start(options: Partial<DiscoveryOptions> = {}): Started {
  const peers: LanPeer[] = [];
  const key = new Uint8Array(randomBytes(32));
  const discovery = new Discovery({
    key,
    networkId: NETWORK,
    hash,
    port: 18_100,
    timers: realTimers,
    random: () => 0,
    onPeer: (peer) => peers.push(peer),
    interfaces: loopback,
    ...options,
  });
  discovery.start();
  stops.push(() => discovery.stop());
  return { discovery, key, peers };
}

function found({ peers }: Started, key: Uint8Array): LanPeer | undefined {
  return peers.find((peer) => Buffer.compare(peer.key, key) === 0);
}

/** Sends what it likes on loopback's multicast. */
function startSender(address = "127.0.0.1"): {
  /** Datagrams may be lost: a test sends again until it was heard. */
  respond: (...responses: ResponseOutgoingPacket[]) => Promise<void>;
  raw: (bytes: Uint8Array) => Promise<void>;
  stop: () => void;
} {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  const mdns = multicastDns({ socket, interface: address, bind: "0.0.0.0" });
  mdns.on("error", () => {});
  mdns.on("warning", () => {});
  stops.push(() => mdns.destroy());
  return {
    respond: async (...responses) => {
      for (const records of responses) await new Promise<void>((resolve) => mdns.respond(records, () => resolve()));
      await new Promise((resolve) => setTimeout(resolve, 10));
    },
    raw: (bytes) => new Promise((resolve) => socket.send(bytes, 5353, "224.0.0.251", () => resolve())),
    stop: () => mdns.destroy(),
  };
}

/** True where loopback passes multicast: two sockets hear each other. */
async function hasMulticast(): Promise<boolean> {
  const key = new Uint8Array(randomBytes(32));
  const listener = start();
  const sender = startSender();
  const deadline = Date.now() + 2_000;
  while (found(listener, key) === undefined && Date.now() < deadline) {
    await sender.respond(serviceRecords({ key, networkTag: tagOf(NETWORK), port: 1, addresses: [] }, false));
  }
  sender.stop();
  await listener.discovery.stop();
  return found(listener, key) !== undefined;
}

const noMulticast = (await hasMulticast()) ? false : "loopback passes no multicast on this host";

t.test("nodes on one host find each other with key, port and address", { skip: noMulticast }, async (t) => {
  const nodes = [start({ port: 18_101 }), start({ port: 18_102 }), start({ port: 18_103 })];
  await until("all find all", () => nodes.every((node) => nodes.every((o) => o === node || found(node, o.key))));
  t.same(found(nodes[0]!, nodes[2]!.key)?.port, 18_103);
  t.same(found(nodes[0]!, nodes[2]!.key)?.addresses, ["127.0.0.1"]);
  for (const node of nodes) t.equal(found(node, node.key), undefined, "none finds itself");
  t.equal(nodes[0]!.discovery.status(), "on lo");
  for (const { discovery } of nodes) await discovery.stop();
  t.equal(nodes[0]!.discovery.status(), "off");
});

t.test("a node that comes later is found without waiting for the next query", { skip: noMulticast }, async (t) => {
  const first = await startHearing({ limits: { queryFirstMs: 3_600_000 } });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const second = start();
  await until("both find", () => found(first, second.key) !== undefined && found(second, first.key) !== undefined);
  await first.discovery.stop();
  await second.discovery.stop();
  t.pass();
});

t.test("nodes of another network are counted and left alone", { skip: noMulticast }, async (t) => {
  const ours = await startHearing();
  const others = await startHearing({ networkId: networkOf("another network") });
  await until(
    "they hear each other",
    () => ours.discovery.stats.otherNetworks > 0 && others.discovery.stats.otherNetworks > 0,
  );
  t.equal(found(ours, others.key), undefined);
  t.equal(found(others, ours.key), undefined);
  await ours.discovery.stop();
  await others.discovery.stop();
});

t.test("a node that says goodbye is forgotten, and reported when it comes back", { skip: noMulticast }, async (t) => {
  const node = await startHearing({ limits: { reportIntervalMs: 3_600_000 } });
  const key = new Uint8Array(randomBytes(32));
  const other = start({ key });
  await until("it is found", () => found(node, key) !== undefined);
  const { neighbourCount } = node.discovery;
  await other.discovery.stop();
  await until("it is forgotten", () => node.discovery.neighbourCount < neighbourCount);
  const again = start({ key });
  await until("it is found again", () => node.peers.filter((peer) => Buffer.compare(peer.key, key) === 0).length === 2);
  await again.discovery.stop();
  await node.discovery.stop();
  t.pass();
});

t.test(
  "a neighbour is reported once in its interval, and at once when its port changes",
  { skip: noMulticast },
  async (t) => {
    const timers = new VirtualTimers();
    const node = await startHearing({ timers, networkId: networkOf("interval") });
    const sender = startSender();
    const key = new Uint8Array(32).fill(1);
    const announce = async (port: number): Promise<void> => {
      const marker = new Uint8Array(randomBytes(32));
      const services = [key, marker].map((key) => ({
        key,
        networkTag: tagOf(networkOf("interval")),
        port,
        addresses: [],
      }));
      await until(
        "both are heard",
        () => found(node, marker) !== undefined,
        () => sender.respond(...services.map((service) => serviceRecords(service, false))),
      );
    };
    const ports = (): number[] =>
      node.peers.filter((peer) => Buffer.compare(peer.key, key) === 0).map(({ port }) => port);
    for (const port of [1, 1, 1, 2, 2]) await announce(port);
    t.same(ports(), [1, 2]);
    timers.advance(59_999);
    await announce(2);
    t.same(ports(), [1, 2]);
    timers.advance(1);
    await announce(2);
    t.same(ports(), [1, 2, 2]);
    sender.stop();
    await node.discovery.stop();
  },
);

t.test(
  "invented keys are reported and remembered within bounds, an honest node is found",
  { skip: noMulticast },
  async (t) => {
    const timers = new VirtualTimers();
    const limits = { reportBurst: 10, reportsPerSecond: 1, neighboursMax: 6 };
    const node = await startHearing({ timers, networkId: networkOf("flood"), limits });
    const sender = startSender();
    const { stats } = node.discovery;
    while (stats.reports + stats.reportsHeld < 100) {
      const key = new Uint8Array(randomBytes(32));
      const service = { key, networkTag: tagOf(networkOf("flood")), port: 5, addresses: [] };
      await sender.respond(serviceRecords(service, false));
    }
    t.equal(node.peers.length, 10);
    t.equal(node.discovery.neighbourCount, 6);
    t.equal(node.discovery.stats.neighbourEvictions, 4);
    timers.advance(20_000);
    const honest = start({ networkId: networkOf("flood") });
    await until("the honest node is found", () => found(node, honest.key) !== undefined);
    sender.stop();
    await honest.discovery.stop();
    await node.discovery.stop();
  },
);

t.test("addresses elsewhere and senders from elsewhere are not believed", { skip: noMulticast }, async (t) => {
  const service = { key: new Uint8Array(32).fill(2), networkTag: tagOf(NETWORK), port: 5 };
  const addresses = ["203.0.113.9", "127.3.3.3", "10.9.9.9", "2001:db8::1", "fe80::1", ...Array(20).fill("127.4.4.4")];
  const node = await startHearing();
  const sender = startSender();
  await until(
    "it is found",
    () => found(node, service.key) !== undefined,
    () => sender.respond(serviceRecords({ ...service, addresses }, false)),
  );
  t.same(found(node, service.key)?.addresses, ["127.0.0.1", "127.3.3.3", "127.4.4.4"]);
  await node.discovery.stop();

  const narrow = await startHearing({ interfaces: () => ({ lo: [{ ...LOOPBACK, cidr: "127.0.0.77/32" }] }) });
  await until(
    "a sender from elsewhere is counted",
    () => narrow.discovery.stats.foreignSenders > 0,
    () => sender.respond(serviceRecords({ ...service, addresses: [] }, false)),
  );
  t.equal(narrow.peers.length, 0);
  sender.stop();
  await narrow.discovery.stop();
});

t.test("garbage on the wire is counted and disturbs nobody", { skip: noMulticast }, async (t) => {
  const node = await startHearing();
  const sender = startSender();
  const key = new Uint8Array(32).fill(3);
  const sound = serviceRecords({ key, networkTag: tagOf(NETWORK), port: 5, addresses: [] }, false);
  const without = (type: string): ResponseOutgoingPacket => ({
    answers: (sound.answers ?? []).filter((record) => record.type !== type),
  });
  const withText = (data: string[]): ResponseOutgoingPacket => ({
    answers: [...(without("TXT").answers ?? []), { name: instanceOf(sound), type: "TXT", data }],
  });
  const unsound = [without("SRV"), without("TXT"), withText(["v=2"]), withText(["v=1", "key=a"]), withText([])];
  for (const records of unsound) {
    const { garbage } = node.discovery.stats;
    await until(
      "unsound records are counted",
      () => node.discovery.stats.garbage > garbage,
      () => sender.respond(records),
    );
  }
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
  const header = fc.constantFrom([], [0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  await fc.assert(
    fc.asyncProperty(header, bytes, async (start, rest) => sender.raw(Uint8Array.from([...start, ...rest]))),
    { numRuns: 300 },
  );
  const honest = start();
  await until("an honest node is found", () => found(node, honest.key) !== undefined);
  t.equal(found(node, key), undefined);
  sender.stop();
  await honest.discovery.stop();
  await node.discovery.stop();
});

t.test("records of any shape are read or left, never thrown at", async (t) => {
  const names = fc.constantFrom(SERVICE_NAME, `x.${SERVICE_NAME}`, `X.${SERVICE_NAME.toUpperCase()}`, "host.local");
  const record = fc.record({
    name: names,
    type: fc.constantFrom("TXT", "SRV", "A", "AAAA", "PTR"),
    ttl: fc.nat(10),
    data: fc.oneof(
      fc.record({ port: fc.nat(65_535), target: names }),
      fc.array(fc.oneof(fc.constantFrom("v=1", "net=00", `key=${"a".repeat(52)}`), fc.string(), fc.uint8Array())),
      fc.string(),
    ),
  });
  const property = fc.property(fc.array(record, { maxLength: 200 }), (answers) => {
    const response = { answers: answers.filter(isDecodable), additionals: [] } as unknown as FullPacket;
    return readAnnouncements(response).every(({ key, port }) => key.length === 32 && port > 0);
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }));
});

t.test("queries come at doubling intervals, and answers at most once a second", { skip: noMulticast }, async (t) => {
  const timers = new VirtualTimers();
  const node = await startHearing({ timers, networkId: networkOf("queries"), limits: { queryMaxMs: 8_000 } });
  const { stats } = node.discovery;
  await until("the first query", () => stats.queriesSent === 1);
  const counts = [0, 999, 1, 1_999, 1, 4_000, 8_000, 8_000].map((passMs) => {
    timers.advance(passMs);
    return stats.queriesSent;
  });
  t.same(counts, [1, 1, 2, 2, 3, 4, 5, 6]);
  await node.discovery.stop();
});

t.test("however many queries come, they are answered once a second at most", { skip: noMulticast }, async (t) => {
  const timers = new VirtualTimers();
  const node = await startHearing({ timers, networkId: networkOf("answers"), limits: { queryFirstMs: 3_600_000 } });
  const asking = await startHearing({ networkId: networkOf("answers"), limits: { queryFirstMs: 5, queryMaxMs: 5 } });
  await until("it tells of itself", () => node.discovery.stats.answersSent === 1);
  for (let second = 1; second <= 5; second++) {
    const asked = asking.discovery.stats.queriesSent;
    await until("many queries", () => asking.discovery.stats.queriesSent > asked + 10);
    timers.advance(1_000);
    t.equal(node.discovery.stats.answersSent, 1 + second);
  }
  await asking.discovery.stop();
  await node.discovery.stop();
});

t.test("a host without multicast gets a status, not a crash", async (t) => {
  const none = start({ interfaces: () => ({}) });
  t.equal(none.discovery.status(), "no multicast on this host: it has no interface for it");
  await none.discovery.stop();

  const broken = start({
    interfaces: () => {
      throw new Error("interfaces are hidden");
    },
  });
  t.equal(broken.discovery.status(), "no multicast on this host: interfaces are hidden");
  await broken.discovery.stop();

  const foreign = { ...LOOPBACK, address: "203.0.113.1", cidr: "203.0.113.1/24" };
  const unusable = start({ interfaces: () => ({ gone0: [foreign] }) });
  await until("the system refuses", () => unusable.discovery.stats.socketErrors === 1);
  t.match(unusable.discovery.status(), /^no multicast on this host: (?!it has)/);
  t.equal(unusable.discovery.stats.queriesSent, 0, "nothing goes out elsewhere");
  await unusable.discovery.stop();
});

t.test("interfaces that come and go are followed, and their number has a bound", { skip: noMulticast }, async (t) => {
  const timers = new VirtualTimers();
  let interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = {};
  const node = start({
    timers,
    networkId: networkOf("moving"),
    interfaces: () => interfaces,
    limits: { socketsMax: 2 },
  });
  const other = start({ networkId: networkOf("moving"), limits: { queryFirstMs: 20, queryMaxMs: 20 } });
  t.equal(node.peers.length, 0);
  interfaces = loopback();
  timers.advance(15_000);
  await until("the other is found", () => found(node, other.key) !== undefined);
  interfaces = { a: [LOOPBACK], b: [LOOPBACK], c: [LOOPBACK] };
  timers.advance(15_000);
  t.equal(node.discovery.stats.socketsRefused, 1);
  await until("two work", () => node.discovery.status() === "on a, b");
  interfaces = {};
  timers.advance(15_000);
  t.match(node.discovery.status(), /^no multicast/);
  await node.discovery.stop();
  await other.discovery.stop();
  t.equal(timers.pendingCount, 0);
});

t.test("a neighbour that was found is dialled with its key pinned", { skip: noMulticast }, async (t) => {
  const { listener, port } = await startListener({ onLink: (link) => collect(link) });
  const announced = await startHearing({ networkId: networkOf("dialled"), key: LISTENER_KEY, port });
  const node = await startHearing({ networkId: networkOf("dialled") });
  await until("it is found", () => node.peers.length > 0);
  const found = node.peers[0]!;
  const uri = lanUri(found.addresses[0]!, found.port, found.key);
  t.equal(formatPeerUri(uri), `wss://127.0.0.1:${port}/?key=${Buffer.from(LISTENER_KEY).toString("hex")}`);
  const dialer = new Dialer({ uri, timers: realTimers, random: () => 0, onLink: ({ link }) => collect(link) });
  dialer.start();
  await until("the link opens", () => dialer.status().state === "connected");
  dialer.stop();
  await listener.close();
  await announced.discovery.stop();
  await node.discovery.stop();
});

t.test("of two keys the smaller one dials first", async (t) => {
  const [small, large] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  t.equal(dialsFirst(small, large), true);
  t.equal(dialsFirst(large, small), false);
  t.equal(dialsFirst(small, small), false);
});

/** Two namespaces joined by a cable, each with one node; undefined where this user may not make them. */
function makeNamespaces(): { run: (end: string, ...command: string[]) => string[]; stop: () => void } | undefined {
  const name = (end: string): string => `pinyon-${process.pid}-${end}`;
  const ip = (...args: string[]): void => {
    execFileSync("ip", args, { stdio: "ignore" });
  };
  const stop = (): void => {
    for (const end of ["a", "b"]) {
      try {
        ip("netns", "del", name(end));
      } catch {
        // It was never made.
      }
    }
  };
  try {
    for (const end of ["a", "b"]) ip("netns", "add", name(end));
    ip("link", "add", "v0", "netns", name("a"), "type", "veth", "peer", "name", "v0", "netns", name("b"));
    for (const end of ["a", "b"]) ip("-n", name(end), "link", "set", "v0", "up");
    return { run: (end, ...command) => ["netns", "exec", name(end), ...command], stop };
  } catch {
    stop();
    return undefined;
  }
}

const namespaces = makeNamespaces();
t.teardown(() => namespaces?.stop());
const noNamespaces = namespaces === undefined ? "network namespaces need root and iproute2" : false;

t.test("nodes on two hosts find each other over IPv4 and over IPv6 alone", { skip: noNamespaces }, async (t) => {
  const { run } = namespaces!;
  const script = fileURLToPath(new URL("discovery-node.js", import.meta.url));
  const startNode = (end: string, keyByte: number): { lines: () => string[]; stop: () => Promise<unknown> } => {
    const child = spawn("ip", run(end, process.execPath, script, String(keyByte)), {
      stdio: ["pipe", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    return {
      lines: () => output.split("\n").slice(0, -1),
      stop: () => {
        child.stdin.end("stop\n");
        return exited;
      },
    };
  };
  // Link-local IPv6 addresses come by themselves, and can be used once duplicates are ruled out.
  const alone = [startNode("a", 1), startNode("b", 2)];
  await until("both are found over IPv6", () => alone.every((node) => node.lines().length > 0));
  const heard = JSON.parse(alone[0]!.lines()[0]!);
  t.equal(heard.key, 2);
  t.equal(heard.port, 10_002);
  t.match(heard.addresses[0], /^fe80::[0-9a-f:]+%v0$/);
  await Promise.all(alone.map((node) => node.stop()));

  for (const [end, host] of [
    ["a", 1],
    ["b", 2],
  ] as const) {
    execFileSync("ip", run(end, "ip", "address", "add", `10.73.0.${host}/24`, "dev", "v0"));
    execFileSync("ip", run(end, "ip", "-6", "address", "flush", "dev", "v0"));
  }
  const both = [startNode("a", 1), startNode("b", 2)];
  await until("both are found over IPv4", () => both.every((node) => node.lines().length > 0));
  t.same(JSON.parse(both[0]!.lines()[0]!), { key: 2, addresses: ["10.73.0.2"], port: 10_002 });
  t.same(JSON.parse(both[1]!.lines()[0]!), { key: 1, addresses: ["10.73.0.1"], port: 10_001 });
  await Promise.all(both.map((node) => node.stop()));
});

function instanceOf(records: ResponseOutgoingPacket): string {
  return records.answers?.find(({ type }) => type === "SRV")?.name ?? "";
}

/** The shapes in which `dns-packet` decodes these record types. */
function isDecodable({ type, data }: { type: string; data: unknown }): boolean {
  if (type === "SRV") return typeof data === "object" && !Array.isArray(data);
  return type === "TXT" ? Array.isArray(data) : typeof data === "string";
}
