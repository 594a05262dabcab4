import t from "tap";
import { PATH_DEFAULTS } from "../../src/router/path-config.js";
import type { PathEvent } from "../../src/router/paths.js";
import type { Route } from "../../src/router/route.js";
import { equalBytes } from "../../src/wire/bytes.js";
import { DropReason } from "../../src/wire/codes.js";
import { ROUTE_BROKEN } from "../../src/wire/control.js";
import { dataRouteBack } from "../../src/wire/data.js";
import { Kind } from "../../src/wire/kinds.js";
import { ProbeMode, probeMode } from "../../src/wire/probe.js";
import { grid, line, ring, StaticMesh } from "./static-mesh.js";

const typesOf = (events: PathEvent[]): string[] =>
  events.map((event) => event.type).filter((type) => type !== "locator" && type !== "seeking");

/** Lets `from` look for `to`, and gives the confirmed route. */
function findRoute(mesh: StaticMesh, from: number, to: number): Route {
  const { paths } = mesh.nodes[from]!;
  paths.findRoute(mesh.key(to), undefined, mesh.nowMs);
  mesh.run(400);
  return paths.route(mesh.key(to))!;
}

/** Sends DATA by the best route every 100 ms, as a session would. */
function sendFor(mesh: StaticMesh, from: number, to: number, durationMs: number): void {
  const { paths } = mesh.nodes[from]!;
  for (let ms = 0; ms < durationMs; ms += 100) {
    const route = paths.route(mesh.key(to));
    mesh.send(from, to, route?.ports ?? [], route === undefined ? {} : { routeId: route.routeId });
    if (route !== undefined) paths.handleRouteUse(route, mesh.nowMs);
    mesh.run(100);
  }
}

/** Counts the probes that `node` sends, by mode. */
function countProbes(mesh: StaticMesh, node: number): number[] {
  const counts = [0, 0, 0];
  mesh.onFrame = (frame, from) => {
    if (frame[1] === Kind.PROBE && from === node) counts[probeMode(frame)]!++;
    return frame;
  };
  return counts;
}

t.test("a search ends with one event, and a known route is given at once", async (t) => {
  const mesh = new StaticMesh(grid(3, 3));
  const { paths, events } = mesh.nodes[0]!;
  const route = findRoute(mesh, 0, 8);
  t.match(route, { isConfirmed: true, key: mesh.key(8) });
  t.equal(route.routeId.length, 8);
  t.ok(route.rttMs > 0);
  t.same(typesOf(events), ["route"]);
  const sent = paths.stats.probesSent;
  paths.findRoute(mesh.key(8), undefined, mesh.nowMs);
  t.same(paths.pollEvent(), { type: "route", key: mesh.key(8), route });
  t.equal(paths.stats.probesSent, sent);
});

t.test("a key that nobody has is unreachable after the tries, and for a short time without another", async (t) => {
  const mesh = new StaticMesh(ring(5));
  const { paths, events } = mesh.nodes[0]!;
  const nobody = new Uint8Array(32).fill(5);
  paths.findRoute(nobody, undefined, 0);
  mesh.run(5_499);
  t.same(typesOf(events), []);
  mesh.run(2);
  t.same(typesOf(events), ["unreachable"]);
  t.equal(paths.stats.probesSent, 27, "one a tree, seven times, and thrice by either node around that is no neighbour");
  paths.findRoute(nobody, undefined, mesh.nowMs);
  t.match(paths.pollEvent(), { type: "unreachable" });
  t.equal(paths.stats.probesSent, 27);
  mesh.run(1_000);
  paths.findRoute(nobody, undefined, mesh.nowMs);
  t.equal(paths.stats.probesSent, 30);
});

t.test("a reply that has a longer way than a search lasts is a route all the same, for a while", async (t) => {
  const mesh = new StaticMesh(line(3), { config: { detoursMax: 0 } });
  const { paths, events } = mesh.nodes[0]!;
  const held: Uint8Array[] = [];
  mesh.onFrame = (frame, _from, to) => {
    if (to !== 0 || frame[1] !== Kind.PROBE_REPLY) return frame;
    held.push(frame);
    return undefined;
  };
  paths.findRoute(mesh.key(2), undefined, 0);
  mesh.run(5_600);
  t.same(typesOf(events), ["unreachable"]);
  mesh.receive(0, held[0]!, mesh.portTo(0, 1));
  t.same(typesOf(events), ["unreachable", "route"]);
  t.equal(mesh.end(0, paths.route(mesh.key(2))!.ports), 2);
  const unasked = mesh.nodes[0]!.dropsOf(DropReason.UNASKED);
  mesh.run(PATH_DEFAULTS.replyMs);
  mesh.receive(0, held[1]!, mesh.portTo(0, 1));
  t.equal(mesh.nodes[0]!.dropsOf(DropReason.UNASKED), unasked + 1, "and no longer");
});

t.test("a search that finds nothing at once says so, once, and not where only others caused it", async (t) => {
  const mesh = new StaticMesh(ring(5));
  const { paths, events } = mesh.nodes[0]!;
  const nobody = new Uint8Array(32).fill(5);
  paths.findRoute(nobody, undefined, 0);
  paths.findRoute(new Uint8Array(32).fill(6), undefined, 0, true);
  mesh.run(3_000);
  t.same(events, [{ type: "seeking", key: nobody }]);
});

t.test("a search goes on until the key can be found", async (t) => {
  const mesh = new StaticMesh(ring(6));
  for (const node of mesh.nodes) for (const tree of node.trees) tree.position = undefined;
  mesh.nodes[0]!.paths.findRoute(mesh.key(3), undefined, 0);
  mesh.run(1_000);
  for (let tree = 0; tree < 3; tree++) mesh.plant(tree, tree);
  mesh.run(1_000);
  t.equal(mesh.nodes[0]!.paths.route(mesh.key(3))?.isConfirmed, true);
});

t.test("nobody looks for itself", async (t) => {
  const mesh = new StaticMesh(line(2));
  mesh.nodes[0]!.paths.findRoute(mesh.key(0), undefined, 0);
  t.equal(mesh.nodes[0]!.dropsOf(DropReason.SELF), 1);
  t.equal(mesh.nodes[0]!.paths.pollTimeout(), Number.POSITIVE_INFINITY);
});

t.test("the way back of a packet is used at once and confirmed by a probe", async (t) => {
  const mesh = new StaticMesh(grid(3, 3));
  const route = findRoute(mesh, 0, 8);
  mesh.send(0, 8, route.ports);
  mesh.settle();
  const { frame, ingress } = mesh.nodes[8]!.delivered[0]!;
  const { paths, events } = mesh.nodes[8]!;
  const counts = countProbes(mesh, 8);
  const back = dataRouteBack(frame, ingress);
  paths.handleHint(mesh.key(0), back, mesh.nowMs);
  const hinted = paths.route(mesh.key(0))!;
  t.match(hinted, { isConfirmed: false });
  t.same(hinted.ports, back);
  mesh.run(400);
  t.equal(paths.route(mesh.key(0)), hinted);
  t.equal(hinted.isConfirmed, true);
  t.same(typesOf(events), ["route", "route"]);
  t.same(counts, [1, 0, 0], "one SOURCE probe");
  paths.handleHint(mesh.key(0), Uint16Array.of(1, 2), mesh.nowMs);
  t.equal(paths.route(mesh.key(0)), hinted, "void once a route is confirmed");
});

t.test("a false way back is given up for a route that was searched for", async (t) => {
  const mesh = new StaticMesh(grid(3, 3));
  const { paths } = mesh.nodes[8]!;
  paths.handleHint(mesh.key(0), Uint16Array.of(1, 99), 0);
  paths.handleHint(mesh.key(0), new Uint16Array(0), 0);
  paths.handleHint(mesh.key(0), new Uint16Array(128), 0);
  mesh.run(1_400);
  t.match(paths.route(mesh.key(0)), { isConfirmed: false });
  mesh.run(600);
  const route = paths.route(mesh.key(0))!;
  t.equal(route.isConfirmed, true);
  t.equal(mesh.end(8, route.ports), 0);
  t.equal(paths.stats.routesDead, 1);
});

t.test("a used route is measured every five seconds, an unused one never", async (t) => {
  const mesh = new StaticMesh(grid(3, 3));
  findRoute(mesh, 0, 8);
  const counts = countProbes(mesh, 0);
  sendFor(mesh, 0, 8, 25_000);
  t.equal(counts[ProbeMode.SOURCE], 5);
  mesh.run(60_000);
  t.ok(counts[ProbeMode.SOURCE]! <= 9, "a spare is measured after half a minute");
  const rested = counts[ProbeMode.SOURCE];
  mesh.run(600_000);
  t.equal(counts[ProbeMode.SOURCE], rested);
  sendFor(mesh, 0, 8, 1_000);
  t.equal(counts[ProbeMode.SOURCE], rested! + 1, "measured at once when it is used again");
});

t.test("a used route is replaced by a better one that appears, by locator", async (t) => {
  const mesh = new StaticMesh(
    {
      count: 6,
      links: [
        [0, 1],
        [1, 2],
        [2, 3],
        [3, 4],
        [4, 5],
        [0, 5],
      ],
    },
    { roots: [3, 3, 3] },
  );
  const [there, back] = [mesh.portTo(0, 5), mesh.portTo(5, 0)];
  const wires = [mesh.wires[0]!.get(there)!, mesh.wires[5]!.get(back)!] as const;
  mesh.wires[0]!.delete(there);
  mesh.wires[5]!.delete(back);
  mesh.nodes[0]!.removePeer(there, 0);
  mesh.nodes[5]!.removePeer(back, 0);
  for (let tree = 0; tree < 3; tree++) mesh.plant(tree, 3);
  const long = findRoute(mesh, 0, 4);
  t.equal(long.ports.length, 4);
  mesh.wires[0]!.set(there, wires[0]);
  mesh.wires[5]!.set(back, wires[1]);
  mesh.nodes[0]!.addPeer(there, mesh.key(5), back);
  mesh.nodes[5]!.addPeer(back, mesh.key(0), there);
  for (let tree = 0; tree < 3; tree++) mesh.plant(tree, 3);
  sendFor(mesh, 0, 4, 4_000);
  t.equal(mesh.nodes[0]!.paths.route(mesh.key(4)), long);
  sendFor(mesh, 0, 4, 20_000);
  t.equal(mesh.nodes[0]!.paths.route(mesh.key(4))!.ports.length, 2);
  t.same(typesOf(mesh.nodes[0]!.events), ["route", "route"]);
});

t.test("doubt is answered by a probe first, and by a search when it comes again", async (t) => {
  const mesh = new StaticMesh(line(6), { roots: [0, 3, 3] });
  const { paths } = mesh.nodes[0]!;
  const route = findRoute(mesh, 0, 2);
  t.equal(paths.spare(mesh.key(2)), undefined, "there is no other way");
  const counts = countProbes(mesh, 0);
  paths.handleRouteDoubt(mesh.key(2), 1, mesh.nowMs);
  t.equal(route.isDoubted, true);
  mesh.run(400);
  t.same(counts, [1, 0, 1], "and one by locator, for want of a spare");
  t.equal(paths.route(mesh.key(2)), route, "the probe was answered");
  t.equal(route.isDoubted, false);
  paths.handleRouteDoubt(mesh.key(2), 2, mesh.nowMs);
  t.equal(paths.route(mesh.key(2)), undefined);
  mesh.run(400);
  t.same(counts, [1, 3, 2], "by locator and by key at once");
  t.equal(mesh.end(0, paths.route(mesh.key(2))!.ports), 2);
});

/** A ring, two of whose trees lead from 0 to 3 one way and the third the other. */
function withSpare(): StaticMesh {
  return new StaticMesh(ring(8), { roots: [1, 2, 6] });
}

t.test("the other ways that the probes of a search took are spares", async (t) => {
  const mesh = withSpare();
  const route = findRoute(mesh, 0, 3);
  const spare = mesh.nodes[0]!.paths.spare(mesh.key(3))!;
  t.same([...route.ports], mesh.route(0, 1, 2, 3));
  t.same([...spare.ports], mesh.route(0, 7, 6, 5, 4, 3));
  t.match(spare, { isConfirmed: true });
  t.same([...spare.back], mesh.route(3, 4, 5, 6, 7, 0));
  t.notSame(spare.routeId, route.routeId);
  t.same(typesOf(mesh.nodes[0]!.events), ["route"]);
});

t.test("a route that falls silent gives way to its spare one round trip after the first doubt", async (t) => {
  const mesh = withSpare();
  const { paths, events } = mesh.nodes[0]!;
  const route = findRoute(mesh, 0, 3);
  const spare = paths.spare(mesh.key(3))!;
  mesh.onFrame = (frame, from) => (from === 2 ? undefined : frame);
  paths.handleRouteDoubt(mesh.key(3), 1, mesh.nowMs);
  t.equal(paths.route(mesh.key(3)), route);
  mesh.run(spare.rttMs);
  t.equal(paths.route(mesh.key(3)), spare);
  t.same(typesOf(events), ["route", "route"]);
  t.equal(paths.stats.sparesTaken, 1);
  mesh.run(10_000);
  t.equal(paths.stats.routesDead, 1, "the silent one is gone");
  t.equal(paths.spare(mesh.key(3)), undefined);
});

t.test(
  "a route that lets probes pass and drops the rest is dead at the second doubt, and not taken again",
  async (t) => {
    const mesh = withSpare();
    const { paths } = mesh.nodes[0]!;
    const route = findRoute(mesh, 0, 3);
    paths.handleRouteDoubt(mesh.key(3), 1, mesh.nowMs);
    mesh.run(400);
    t.equal(paths.route(mesh.key(3)), route, "its probe was answered");
    paths.handleRouteDoubt(mesh.key(3), 2, mesh.nowMs);
    t.same([...paths.route(mesh.key(3))!.ports], mesh.route(0, 7, 6, 5, 4, 3), "at once");
    sendFor(mesh, 0, 3, 30_000);
    t.same([...paths.route(mesh.key(3))!.ports], mesh.route(0, 7, 6, 5, 4, 3), "though the other is shorter");
  },
);

t.test("a peer that comes by another way than before has the own route doubted", async (t) => {
  const mesh = withSpare();
  const { paths } = mesh.nodes[0]!;
  const route = findRoute(mesh, 0, 3);
  paths.handleHint(mesh.key(3), route.ports, mesh.nowMs);
  mesh.onFrame = (frame, from) => (from === 2 ? undefined : frame);
  paths.handleHint(mesh.key(3), Uint16Array.from(mesh.route(0, 7, 6, 5, 4, 3)), mesh.nowMs);
  mesh.run(200);
  t.same([...paths.route(mesh.key(3))!.ports], mesh.route(0, 7, 6, 5, 4, 3));
  const { probesSent } = paths.stats;
  for (let i = 0; i < 100; i++) paths.handleHint(mesh.key(3), Uint16Array.of(1 + (i % 2), 3), mesh.nowMs);
  t.ok(paths.stats.probesSent <= probesSent + 4, "whoever changes the ports of frames causes few probes");
});

t.test("a silent route is given up after its probes, without a session's doubt", async (t) => {
  const mesh = new StaticMesh(ring(8), { roots: [0, 0, 0] });
  const route = findRoute(mesh, 0, 2);
  const [first] = route.ports;
  const bad = mesh.wires[0]!.get(first!)!.to;
  for (let tree = 0; tree < 3; tree++) mesh.plant(tree, 0);
  mesh.onFrame = (frame, from) => (from === bad && frame[1] !== Kind.ROUTE_BROKEN ? undefined : frame);
  mesh.cut(0, bad === 1 ? 7 : 1); // so that nobody else answers
  sendFor(mesh, 0, 2, 15_000);
  t.ok(mesh.nodes[0]!.paths.stats.routesDead >= 1);
  t.ok(typesOf(mesh.nodes[0]!.events).includes("unreachable"));
});

t.test("a relay that dies in mid-stream costs no frame to fallback and a new route at once", async (t) => {
  const mesh = new StaticMesh(ring(8), { roots: [2, 2, 2] });
  const route = findRoute(mesh, 0, 3);
  t.same([...route.ports], mesh.route(0, 1, 2, 3));
  mesh.cut(2, 3);
  for (let tree = 0; tree < 3; tree++) mesh.plant(tree, 2);
  sendFor(mesh, 0, 3, 300);
  const renewed = mesh.nodes[0]!.paths.route(mesh.key(3))!;
  t.same([...renewed.ports], mesh.route(0, 7, 6, 5, 4, 3));
  t.notSame(renewed.routeId, route.routeId);
  mesh.settle();
  t.equal(mesh.nodes[3]!.delivered.length, 3);
  t.equal(mesh.nodes[0]!.paths.stats.routesBroken, 1);
});

t.test("a broken route serves until another is found, under a new id", async (t) => {
  const mesh = new StaticMesh(line(3));
  const { paths } = mesh.nodes[0]!;
  const route = findRoute(mesh, 0, 2);
  mesh.receive(0, reportOf(route), 1);
  t.equal(paths.route(mesh.key(2)), route);
  t.match(route, { isConfirmed: false, isBroken: true });
  mesh.run(400);
  const found = paths.route(mesh.key(2))!;
  t.match(found, { isConfirmed: true, isBroken: false });
  t.notSame(found.routeId, route.routeId, "so that a relay may report it");
});

t.test("the spare takes the place of a broken route at once, and a broken spare is none", async (t) => {
  const mesh = withSpare();
  const { paths } = mesh.nodes[0]!;
  const route = findRoute(mesh, 0, 3);
  const spare = paths.spare(mesh.key(3))!;
  mesh.receive(0, reportOf(route), 1);
  t.equal(paths.route(mesh.key(3)), spare);
  t.match(spare, { isConfirmed: true, isBroken: false });
  mesh.run(400);
  const found = paths.spare(mesh.key(3)) ?? paths.route(mesh.key(3))!;
  t.notSame(found.routeId, route.routeId, "the search that followed found the first way again, under a new id");
  mesh.receive(0, reportOf(paths.spare(mesh.key(3))!), 1);
  t.equal(paths.spare(mesh.key(3)), undefined);
  t.equal(paths.stats.routesBroken, 2);
});

t.test("a flood of forged reports starts a few searches, and the destination stays in reach", async (t) => {
  const mesh = new StaticMesh(grid(3, 3));
  const { paths } = mesh.nodes[0]!;
  findRoute(mesh, 0, 8);
  const counts = countProbes(mesh, 0);
  for (let ms = 0; ms < 5_000; ms += 10) {
    mesh.receive(0, reportOf(paths.route(mesh.key(8))!), 1);
    mesh.run(10);
  }
  t.ok(counts[ProbeMode.KEY]! <= 3 * 9, `${counts[ProbeMode.KEY]} probes by KEY`);
  t.ok(paths.stats.routesBroken <= 9);
  mesh.run(1_000);
  t.match(paths.route(mesh.key(8)), { isConfirmed: true });
});

function reportOf(route: Route): Uint8Array {
  return ROUTE_BROKEN.encode({ hops: 2, index: 2, routeId: route.routeId, back: new Uint8Array(4) });
}

t.test("a link that goes down takes the routes that begin there", async (t) => {
  const mesh = new StaticMesh(ring(6), { roots: [3, 3, 3] });
  const { paths } = mesh.nodes[0]!;
  const used = findRoute(mesh, 0, 2);
  const idle = findRoute(mesh, 0, 1);
  t.equal(used.ports[0], idle.ports[0]);
  paths.handleRouteUse(used, mesh.nowMs);
  mesh.cut(0, mesh.end(0, [used.ports[0]!]));
  for (let tree = 0; tree < 3; tree++) mesh.plant(tree, 3);
  t.equal(paths.route(mesh.key(1)), undefined);
  t.match(paths.route(mesh.key(2)), { isConfirmed: false });
  mesh.run(900);
  t.match(paths.route(mesh.key(2)), { isConfirmed: true });
  t.equal(mesh.end(0, paths.route(mesh.key(2))!.ports), 2);
});

t.test("destinations, questions and locators are bounded, and the bound is counted", async (t) => {
  const config = { destinationsMax: 4, locatorsMax: 3, inquiriesMax: 5 };
  const mesh = new StaticMesh(grid(4, 4), { config });
  const { paths, events } = mesh.nodes[0]!;
  for (let i = 0; i < 8; i++) paths.findRoute(new Uint8Array(32).fill(100 + i), undefined, 0);
  t.match(paths.stats, { destinationsEvicted: 4, inquiriesRefused: 3, searchesFailed: 3 });
  mesh.run(6_000);
  t.equal(typesOf(events).length, 8, "each search has its end, also a forgotten or refused one");
  for (let to = 1; to < 16; to++) findRoute(mesh, 0, to);
  t.match(paths.stats, { destinationsEvicted: 4 + 15, locatorsEvicted: 12 });
  t.equal(paths.dumpLocators().length, 3);
});

t.test("a route in use is not forgotten for others", async (t) => {
  const mesh = new StaticMesh(grid(4, 4), { config: { destinationsMax: 4 } });
  const route = findRoute(mesh, 0, 15);
  for (let to = 1; to < 15; to++) {
    findRoute(mesh, 0, to);
    sendFor(mesh, 0, 15, 5_000);
  }
  t.equal(mesh.nodes[0]!.paths.route(mesh.key(15))?.isConfirmed, true);
  t.same(mesh.nodes[0]!.paths.route(mesh.key(15))!.key, route.key);
});

t.test("locators are kept by their epoch, signed ones only, and survive a restart", async (t) => {
  const mesh = new StaticMesh(line(3));
  const { paths } = mesh.nodes[0]!;
  const target = mesh.nodes[2]!;
  const take = (epoch: number, isFresh = false) => {
    target.locatorEpoch = epoch;
    const locator = target.locator();
    t.ok(paths.handleLocator(target.key, locator, isFresh));
    return equalBytes(paths.locator(target.key)!.bytes, locator.bytes);
  };
  t.ok(take(5));
  t.notOk(take(4), "an older one");
  t.ok(take(6));
  t.ok(take(1, true), "a fresh reply is newer than any epoch");
  const { bytes, signature } = target.locator();
  t.notOk(paths.handleLocator(mesh.key(1), { bytes, signature }), "another's");
  t.notOk(paths.handleLocator(target.key, { bytes: bytes.slice(0, 4), signature }));
  t.notOk(paths.handleLocator(target.key, { bytes: new Uint8Array(2_000), signature }));
  t.equal(paths.stats.locatorsBad, 3);
  const restarted = new StaticMesh(line(3)).nodes[0]!.paths;
  restarted.loadLocators(paths.dumpLocators());
  t.same(restarted.locator(target.key), paths.locator(target.key));
});

t.test("new locators are told for the disk", async (t) => {
  const mesh = new StaticMesh(line(4));
  findRoute(mesh, 0, 3);
  const { bytes, signature } = mesh.nodes[3]!.locator();
  const told = mesh.nodes[0]!.events.filter((event) => event.type === "locator");
  t.same(told, [{ type: "locator", locator: { key: mesh.key(3), bytes, signature } }]);
});

t.test("routes in use are looked through a few times a second at most, and each is measured in time", async (t) => {
  const mesh = new StaticMesh(grid(3, 3));
  const { paths } = mesh.nodes[0]!;
  const routes = [1, 2, 3, 4, 5, 6, 7, 8].map((to) => findRoute(mesh, 0, to));
  // Who looks through the routes reads when this one is due.
  let looks = 0;
  let dueMs = routes[0]!.use.refreshAtMs;
  Object.defineProperty(routes[0]!.use, "refreshAtMs", {
    get: () => {
      looks++;
      return dueMs;
    },
    set: (value) => {
      dueMs = value;
    },
  });
  const counts = countProbes(mesh, 0);
  for (const route of routes) {
    route.measuredMs = mesh.nowMs;
    paths.handleRouteUse(route, mesh.nowMs);
    mesh.run(7);
  }
  looks = 0;
  for (let i = 0; i < 9; i++) {
    for (const route of routes) route.use.usedMs = mesh.nowMs;
    mesh.run(1_000);
  }
  t.ok(counts[ProbeMode.SOURCE]! >= routes.length, `${counts[ProbeMode.SOURCE]} routes were measured`);
  t.ok(looks <= 4, `${looks} looks`);
});
