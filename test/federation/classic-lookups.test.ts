import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import type { Test } from "tap";
import t from "tap";
import {
  WELL_KNOWN_BACK_OFF,
  WELL_KNOWN_DEFAULT_MS,
  WELL_KNOWN_MAX_MS,
  WELL_KNOWN_MIN_MS,
  WELL_KNOWN_NAMES_MAX,
} from "../../src/federation/classic/config.js";
import { type ClassicNetwork, DirectNetwork, MACHINE } from "../../src/federation/classic/network.js";
import { placesOf } from "../../src/federation/classic/route.js";
import { parseClassicName } from "../../src/federation/classic/server-name.js";
import { WellKnown } from "../../src/federation/classic/well-known.js";
import { FederationError } from "../../src/federation/errors.js";
import { newFederationStats } from "../../src/federation/stats.js";
import { realTimers, VirtualTimers } from "../link/timers.js";
import { TestAuthority } from "./authority.js";
import { delegates, TestInternet } from "./internet.js";

/* How long what was learned of a name is kept, in which order its places are tried, and what DNS is asked. */

t.test("a well-known answer is kept for as long as it says, within bounds, and asked for once by many", async (t) => {
  const authority = await TestAuthority.make();
  const internet = new TestInternet(t, authority);
  const timers = new VirtualTimers();
  const stats = newFederationStats();
  const network = new DirectNetwork(stats, timers, internet);
  const wellKnown = new WellKnown({
    network,
    authorities: [authority.certificatePem],
    stats,
    timers,
    random: () => 0.999,
  });
  const date = "Tue, 01 Jan 2030 00:00:00 GMT";
  const kept: [headers: Record<string, string>, keptMs: number][] = [
    [{}, WELL_KNOWN_DEFAULT_MS],
    [{ "cache-control": "public, max-age=3600" }, 3_600_000],
    [{ "cache-control": "max-age=3600", age: "600" }, 3_000_000],
    [{ "cache-control": "max-age=99999999" }, WELL_KNOWN_MAX_MS],
    [{ "cache-control": "max-age=1" }, WELL_KNOWN_MIN_MS],
    [{ "cache-control": "max-age=99999, no-store" }, WELL_KNOWN_MIN_MS],
    [{ date, expires: "Tue, 01 Jan 2030 02:00:00 GMT" }, 7_200_000],
    [{ date, expires: "0" }, WELL_KNOWN_MIN_MS],
  ];
  for (const [i, [headers, keptMs]] of kept.entries()) {
    const name = `k${i}.example`;
    internet.host(name, `8.0.0.${i}`);
    const reached = await internet.server(`8.0.0.${i}`, 443, { dns: [name] }, delegates(`d${i}.example:443`, headers));
    const found = await Promise.all([1, 2, 3].map(() => wellKnown.delegateOf(name)));
    t.same(
      found.map((each) => each?.text),
      Array(3).fill(`d${i}.example:443`),
    );
    timers.advance(keptMs - 1);
    await wellKnown.delegateOf(name);
    t.equal(reached.length, 1, JSON.stringify(headers));
    timers.advance(1);
    await wellKnown.delegateOf(name);
    t.equal(reached.length, 2, JSON.stringify(headers));
  }
  t.equal(stats.wellKnownLookups, 2 * kept.length);
  t.equal(stats.wellKnownFailures, 0);
});

t.test(
  "a name without well-known is asked again after ever longer, an hour at most, and names are bounded",
  async (t) => {
    const timers = new VirtualTimers();
    const stats = newFederationStats();
    let asked = 0;
    const network: ClassicNetwork = {
      services: async () => [],
      open: async () => {
        asked++;
        throw new FederationError("PINYON_CLASSIC_CONNECT");
      },
    };
    const wellKnown = new WellKnown({ network, authorities: undefined, stats, timers, random: () => 0 });
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      t.equal(await wellKnown.delegateOf("a.example"), undefined);
      const [before, startMs] = [asked, timers.nowMs()];
      while (asked === before) {
        timers.advance(30_000);
        await wellKnown.delegateOf("a.example");
      }
      waits.push(timers.nowMs() - startMs);
    }
    t.same(waits.slice(0, 5), [60_000, 120_000, 240_000, 480_000, 960_000]);
    t.equal(waits.at(-1), WELL_KNOWN_BACK_OFF.maxMs / 2);
    for (let i = 0; i < WELL_KNOWN_NAMES_MAX; i++) await wellKnown.delegateOf(`n${i}.example`);
    t.equal(stats.wellKnownEvictions, 1);
  },
);

t.test("services are tried by priority, and by weight among equals", async (t) => {
  const service = (host: string, priority: number, weight: number, port = 8448) => ({ host, port, priority, weight });
  const placesFor = async (services: ReturnType<typeof service>[], random: () => number) => {
    const network = { services: async () => services, open: () => Promise.reject(new Error()) };
    const places = await placesOf(parseClassicName("a.example")!, network, random);
    return places.map(({ host }) => host).join(" ");
  };
  const all = [service("c", 20, 0), service("b", 10, 1), service("a", 10, 3), service("dead", 5, 1, 0)];
  t.equal(await placesFor(all, () => 0), "b a c");
  t.equal(await placesFor(all, () => 0.99), "a b c");
  const equal = [service("a", 1, 0), service("b", 1, 0)];
  t.equal(await placesFor(equal, () => 0.5), "a b");
  await t.rejects(placesFor([service("", 0, 0)], Math.random), { code: "PINYON_CLASSIC_LOOKUP" });
  const many = Array.from({ length: 9 }, (_, i) => service(`h${i}`, i, 0));
  t.equal((await placesFor(many, Math.random)).split(" ").length, 4);
});

/** A DNS server on loopback that gives `records` by name and type, and NXDOMAIN for all else. */
async function dnsServer(t: Test, records: Record<string, readonly Buffer[] | "silent" | "failing">): Promise<number> {
  const server = createSocket("udp4");
  server.on("message", (query, from) => {
    const labels: string[] = [];
    let at = 12;
    for (; query[at] !== 0; at += query[at]! + 1) labels.push(query.toString("latin1", at + 1, at + 1 + query[at]!));
    const question = query.subarray(12, at + 5);
    const type = query.readUInt16BE(at + 1);
    const found = records[`${labels.join(".").toLowerCase()} ${type}`];
    if (found === "silent") return;
    const data = found === undefined || found === "failing" ? [] : found;
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | (found === "failing" ? 2 : found === undefined ? 3 : 0), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(data.length, 6);
    const answers = data.map((each) => {
      const start = Buffer.from([
        0xc0,
        12,
        type >> 8,
        type & 0xff,
        0,
        1,
        0,
        0,
        0,
        60,
        each.length >> 8,
        each.length & 0xff,
      ]);
      return Buffer.concat([start, each]);
    });
    server.send(Buffer.concat([head, question, ...answers]), from.port, from.address);
  });
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  return server.address().port;
}

const A = 1;
const AAAA = 28;
const SRV = 33;

t.test("DNS is asked by the platform's resolver, and told apart from one that does not answer", async (t) => {
  const target = Buffer.concat([Buffer.from([0, 10, 0, 5, 0x20, 0xfb]), Buffer.from("\x01t\x07example\x00", "latin1")]);
  const port = await dnsServer(t, {
    [`a.example ${A}`]: [Buffer.from([127, 0, 0, 1]), Buffer.from([10, 0, 0, 1])],
    [`six.example ${AAAA}`]: [Buffer.from("00000000000000000000000000000001", "hex")],
    [`six.example ${A}`]: "failing",
    [`failing.example ${A}`]: "failing",
    [`failing.example ${AAAA}`]: "failing",
    [`_matrix-fed._tcp.a.example ${SRV}`]: [target],
    [`_matrix-fed._tcp.failing.example ${SRV}`]: "failing",
    [`_matrix-fed._tcp.silent.example ${SRV}`]: "silent",
  });
  const resolver = () => {
    const made = new Resolver({ timeout: 100, tries: 1 });
    made.setServers([`127.0.0.1:${port}`]);
    return made;
  };
  const stats = newFederationStats();
  const network = new DirectNetwork(stats, realTimers, { ...MACHINE, resolver });
  t.same(await network.services("_matrix-fed._tcp.a.example"), [
    { host: "t.example", port: 8443, priority: 10, weight: 5 },
  ]);
  t.same(await network.services("_matrix-fed._tcp.none.example"), []);
  for (const name of ["failing.example", "silent.example"]) {
    await t.rejects(network.services(`_matrix-fed._tcp.${name}`), { code: "PINYON_CLASSIC_LOOKUP" }, name);
  }
  await t.rejects(network.open("a.example", 1), {
    code: "PINYON_CLASSIC_ADDRESS",
    message: /a\.example: 127\.0\.0\.1 is loopback, 10\.0\.0\.1 is private/,
  });
  await t.rejects(network.open("six.example", 1), { code: "PINYON_CLASSIC_ADDRESS" });
  await t.rejects(network.open("failing.example", 1), { code: "PINYON_CLASSIC_LOOKUP" });
  await t.rejects(network.open("none.example", 1), { code: "PINYON_CLASSIC_LOOKUP" });
  await t.rejects(network.open(MACHINE.ownAddresses()[0]!, 1), { code: "PINYON_CLASSIC_ADDRESS" });
  t.equal(stats.classicAddressesRefused, 4);
});
