import type { ServerResponse } from "node:http";
import t, { type Test } from "tap";
import { CLAIM_AGE_MS, CLAIMS_MAX, STATEMENT_VALID_MAX_MS } from "../../src/federation/binding/config.js";
import { NODE_BYTES_MAX, WELL_KNOWN_BYTES_MAX } from "../../src/federation/classic/config.js";
import { Signer } from "../../src/federation/signing.js";
import { formatXMatrix } from "../../src/federation/x-matrix.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { headOf, mustRefuse, PROFILE, type Scene } from "./attacking.js";
import { type BoundPlace, boundPlace, CLASSIC, page, statement } from "./bound-place.js";
import { askRaw, VERSION } from "./raw-node.js";
import { ask, codeOf, KEY_ID, startServer, type TestServer } from "./server.js";

/*
 * Nodes that claim a name that is not theirs, and names that say what is not so. The honest servers are one whose name holds its key, and
 * one whose name is bound to its node.
 */

interface Attack extends BoundPlace {
  readonly scene: Scene;
  readonly hostile: TestServer;
}

/** The overlay server of a bound place is the victim; the hostile node claims `claimed` in its session. */
async function attack(t: Test, claimed: string, timers?: VirtualTimers): Promise<Attack> {
  const place = await boundPlace(t, timers === undefined ? {} : { timers });
  const { network, overlay } = place;
  const common = timers === undefined ? {} : { timers };
  const hostile = await startServer(t, network, { ...common, classicName: claimed });
  const honest = await startServer(t, network, common);
  return { ...place, hostile, scene: { network, victim: overlay, hostile, honest } };
}

const ORIGIN = { code: "PINYON_ORIGIN", status: 403 } as const;
const DAY_MS = 24 * 3_600_000;

/** The bound server is served, by the mesh and both ways. */
async function mustServeBound(t: Test, { classic, overlay }: BoundPlace): Promise<void> {
  t.equal((await ask(classic, overlay.name, { path: VERSION })).status, 200, "the bound server is served");
  const before = classic.asked.length;
  t.equal((await ask(overlay, CLASSIC, { path: VERSION })).status, 200);
  t.equal(classic.asked.length, before + 1, "and reached by the mesh");
}

t.test("a node that claims a classic name without a binding is nobody", async (t) => {
  const place = await attack(t, "unbound.example");
  const { hostile, overlay, internet, scene } = place;
  internet.host("unbound.example", "8.0.0.9");
  const pages: ((response: ServerResponse) => void)[] = [
    (response) => response.writeHead(404).end(),
    page(undefined),
    page(statement(hostile.node, { name: CLASSIC })),
  ];
  let give = pages[0]!;
  await internet.server("8.0.0.9", 443, { dns: ["unbound.example"] }, (_request, response) => give(response));
  for (const [i, each] of pages.entries()) {
    give = each;
    for (const head of [headOf(hostile, overlay), headOf(hostile, overlay, { ":path": VERSION })]) {
      await mustRefuse(t, scene, ORIGIN, () => askRaw(hostile, overlay, head));
    }
    t.equal(overlay.federation.stats.bindingClaimsRefused, 2 * (i + 1));
    overlay.federation.bindings.forget("unbound.example");
  }
  await mustServeBound(t, place);
  t.same(
    overlay.federation.bindings.list().map(({ name }) => name),
    [CLASSIC],
  );
});

t.test(
  "a node that claims a name that is bound to another is nobody, and harms neither that nor its name",
  async (t) => {
    const timers = new VirtualTimers();
    const place = await attack(t, CLASSIC, timers);
    const { hostile, overlay, scene, looked } = place;
    const forged = () => mustRefuse(t, scene, ORIGIN, () => askRaw(hostile, overlay, headOf(hostile, overlay)));
    await forged();
    await mustServeBound(t, place);
    await forged();
    t.equal(looked.length, 1, "the name is not asked for each claim");
    timers.advance(CLAIM_AGE_MS);
    await forged();
    await forged();
    t.equal(looked.length, 2, "but anew after a while");
    await mustServeBound(t, place);
    t.match(overlay.federation.stats, { bindingClaimsRefused: 4, bindingChanges: 0 });
  },
);

t.test("a classic origin passes from the node that is bound to it alone, and that node has no other", async (t) => {
  const place = await attack(t, CLASSIC);
  const { classic, overlay, hostile, scene } = place;
  await mustServeBound(t, place);
  const { honest } = scene;
  const forge = (from: TestServer, origin: string) => () =>
    askRaw(from, overlay, headOf(from, overlay, {}, { origin }));
  await mustRefuse(t, scene, ORIGIN, forge(honest, CLASSIC));
  await mustRefuse(t, scene, ORIGIN, forge(hostile, honest.name));
  await mustRefuse(t, scene, ORIGIN, forge(classic, classic.node.name));
  await mustRefuse(t, scene, ORIGIN, forge(classic, "other.example"));
  await mustRefuse(t, scene, ORIGIN, forge(classic, `${CLASSIC}:8448`));
  await mustRefuse(t, scene, ORIGIN, forge(classic, CLASSIC.toUpperCase()));
  await mustServeBound(t, place);
});

t.test("a server that is told another name than its own takes nothing", async (t) => {
  const place = await attack(t, CLASSIC);
  const { classic, overlay } = place;
  await mustServeBound(t, place);
  const stranger = place.scene.honest;
  const scene = { ...place.scene, victim: classic, hostile: stranger, honest: overlay };
  const expected = { code: "PINYON_DESTINATION", status: 400 } as const;
  for (const name of [classic.node.name, CLASSIC.toUpperCase(), `${CLASSIC}:8448`, "other.example"]) {
    const head = headOf(stranger, classic, { ":authority": name });
    await mustRefuse(t, scene, expected, () => askRaw(stranger, classic, head));
  }
});

t.test("a statement that is not good binds nothing, and is counted", async (t) => {
  const place = await attack(t, "victim.example");
  const { hostile, overlay, internet, classic, scene } = place;
  const name = "victim.example";
  const own = { name };
  const good = statement(hostile.node, own);
  const { signature } = statement(scene.honest.node, own);
  const otherKey = statement(scene.honest.node, own)["node"];
  const redirect = (location: string) => (response: ServerResponse) => response.writeHead(302, { location }).end();
  const pages: Record<string, [(response: ServerResponse) => void, isRead?: boolean]> = {
    "another's signature": [page({ ...good, signature })],
    "a signature that is none": [page({ ...good, signature: "A".repeat(86) })],
    "another node, by its own word": [page({ ...good, node: otherKey })],
    "another name": [page(statement(hostile.node, { name: CLASSIC }))],
    "another name, with this one written in": [
      page({ ...statement(hostile.node, { name: CLASSIC }), server_name: name }),
    ],
    "a name in capitals": [page(statement(hostile.node, { name: "Victim.example" }))],
    "it has expired": [page(statement(hostile.node, { ...own, issuedMs: Date.now() - 31 * DAY_MS }))],
    "an end that was written in": [
      page({ ...statement(hostile.node, { ...own, days: 1 }), expires_ts: Date.now() + 9 * DAY_MS }),
    ],
    "it is not yet good": [page(statement(hostile.node, { ...own, issuedMs: Date.now() + DAY_MS }))],
    "it is good for too long": [page(statement(hostile.node, { ...own, days: STATEMENT_VALID_MAX_MS / DAY_MS + 1 }))],
    "it ends before it begins": [page(statement(hostile.node, { ...own, days: -1 }))],
    "a member more": [page({ ...good, more: 1 })],
    "a member less": [page({ ...good, signature: undefined })],
    "it is too large": [page({ ...good, signature: "A".repeat(NODE_BYTES_MAX) })],
    "a list": [page([good])],
    "a text": [page(JSON.stringify(good))],
    "times that are no numbers": [page({ ...good, issued_ts: "0" })],
    "a signature of another purpose": [
      page({ ...good, signature: new Signer(hostile.node.seed, "").sign(Buffer.from(JSON.stringify(good))) }),
    ],
    "a page that is too large": [page({ ...good, more: "x".repeat(WELL_KNOWN_BYTES_MAX) }), false],
    "no page": [(response) => response.writeHead(500).end(JSON.stringify({ "pinyon.node": good })), false],
    "a redirect into a private network": [redirect("https://10.0.0.1/"), false],
    "a redirect to this machine": [redirect("https://localhost/"), false],
    "a redirect without TLS": [redirect("http://victim.example/good"), false],
  };
  internet.host(name, "8.0.0.9");
  let give = page(undefined);
  await internet.server("8.0.0.9", 443, { dns: [name] }, (_request, response) => give(response));
  await internet.server("8.0.0.9", 8448, { dns: [name] }, (_request, response) => response.end("by the Internet"));
  const { stats, bindings } = overlay.federation;
  for (const [what, [each, isRead = true]] of Object.entries(pages)) {
    await t.test(what, async (t) => {
      give = each;
      const counted = stats.bindingsRefused;
      await mustRefuse(t, scene, ORIGIN, () => askRaw(hostile, overlay, headOf(hostile, overlay)));
      t.equal(stats.bindingsRefused, counted + (isRead ? 1 : 0), "it is counted");
      t.equal(bindings.pinned(name), undefined);
      bindings.forget(name);
    });
  }
  t.same(
    internet.connected.filter((place) => /^(?:10|127)\./.test(place)),
    [],
  );
  t.same(hostile.asked, []);
  await mustServeBound(t, place);
  t.equal(classic.node.name.includes(String(otherKey)), false);
  give = page(good);
  t.equal((await ask(hostile, overlay.name, { path: VERSION })).status, 200, "the same node, honestly bound, passes");
});

t.test("a name with a certificate of nobody's binds nothing", async (t) => {
  const place = await attack(t, "victim.example");
  const { hostile, overlay, internet, scene } = place;
  internet.host("victim.example", "8.0.0.9");
  const good = page(statement(hostile.node, { name: "victim.example" }));
  await internet.server("8.0.0.9", 443, { dns: ["other.example"] }, (_request, response) => good(response));
  await mustRefuse(t, scene, ORIGIN, () => askRaw(hostile, overlay, headOf(hostile, overlay)));
  t.equal(overlay.federation.bindings.pinned("victim.example"), undefined);
});

t.test(
  "a changed binding is an alarm and a refusal of both nodes, until a person decides or it is as before",
  async (t) => {
    const timers = new VirtualTimers();
    const place = await attack(t, CLASSIC, timers);
    const { classic, overlay, hostile, scene, reached } = place;
    const { stats, bindings } = overlay.federation;
    const claim = (from: TestServer) => () => askRaw(from, overlay, headOf(from, overlay));
    const change = async (to: TestServer) => {
      place.page.give = page(statement(to.node));
      timers.advance(CLAIM_AGE_MS);
      await mustRefuse(t, scene, ORIGIN, claim(hostile));
    };
    const mustAlarm = async (changes: number) => {
      await mustRefuse(t, scene, ORIGIN, claim(hostile));
      await mustRefuse(t, scene, ORIGIN, claim(classic));
      const told = await ask(overlay, CLASSIC, { path: PROFILE });
      t.same([told.status, codeOf(told)], [502, "PINYON_BINDING_CHANGED"]);
      t.match(told.body, `${CLASSIC} was ${classic.node.name}, and says ${hostile.node.name}`);
      t.equal(stats.bindingChanges, changes);
      t.match(bindings.list(), [{ name: CLASSIC, state: "changed", changedTo: hostile.node.name }]);
    };
    await mustServeBound(t, place);
    await change(hostile);
    t.match(overlay.events.at(-1), { what: "changed", node: classic.node.name, to: hostile.node.name });
    await mustAlarm(1);
    await t.test("a restart does not change that, nor that the name says nothing any more", async (t) => {
      place.page.give = page(undefined);
      timers.advance(600_000);
      await mustAlarm(1);
      const classicWay = { classic: { exits: undefined }, machine: place.internet };
      const again = await startServer(t, place.network, { ...classicWay, timers, bindings: overlay.pins.kept });
      t.equal(codeOf(await ask(again, CLASSIC, { path: PROFILE })), "PINYON_BINDING_CHANGED");
    });
    await t.test("it is over where the name says the first node again", async (t) => {
      place.page.give = page(statement(classic.node));
      timers.advance(600_000);
      await mustServeBound(t, place);
      t.equal(overlay.events.at(-1)?.what, "restored");
    });
    await t.test("or where a person forgets the first one, and so takes what the name says", async (t) => {
      await change(hostile);
      await mustAlarm(2);
      t.equal(bindings.forget(CLASSIC), true);
      t.equal((await ask(hostile, overlay.name, { path: VERSION })).status, 200);
      t.match(bindings.list(), [{ node: hostile.node.name, state: "bound" }]);
      await mustRefuse(t, { ...scene, hostile: classic }, ORIGIN, claim(classic));
    });
    await t.test("or where a person says which one it is", async (t) => {
      bindings.import(JSON.stringify(statement(classic.node)));
      t.equal((await ask(classic, overlay.name, { path: VERSION })).status, 200);
    });
    t.same(reached, [], "nothing went by the Internet meanwhile");
  },
);

t.test("a name that has changed is not taken from a gateway either", async (t) => {
  const { network, classic, overlay: other } = await boundPlace(t);
  const gateway = await startServer(t, network);
  const gateways = new Set([Buffer.from(gateway.node.key).toString("hex")]);
  const victim = await startServer(t, network, { front: async () => ({ gateways, certificate: undefined }) });
  const scene = { network, victim, hostile: gateway, honest: other };
  const bring = (origin: string) => () => {
    const x = new Signer(Buffer.alloc(32, 5), origin).authorization(
      { method: "GET", path: PROFILE, destination: victim.name },
      KEY_ID,
    );
    const head = { ":path": PROFILE, "pinyon-classic": "1", "x-matrix": formatXMatrix(x) };
    return askRaw(gateway, victim, head);
  };
  const { bindings } = victim.federation;
  bindings.import(JSON.stringify(statement(classic.node)));
  t.equal((await bring(CLASSIC)()).status, 404, "a bound server may come by a gateway, as before it had a node");
  const node = JSON.stringify(statement(gateway.node));
  bindings.handleSaid(CLASSIC, { delegate: undefined, node, isSaid: true });
  for (const origin of [CLASSIC, CLASSIC.toUpperCase()]) {
    await mustRefuse(t, scene, { code: "PINYON_BINDING_CHANGED", status: 502 }, bring(origin));
  }
  t.equal((await bring("plain.example")()).status, 404, "others are taken");
});

t.test("no more claims are checked at once than there is room for; who is known is served", async (t) => {
  const place = await attack(t, CLASSIC);
  const { overlay, internet, network, scene, hostile } = place;
  await mustServeBound(t, place);
  let held = 0;
  const names = Array.from({ length: CLAIMS_MAX }, (_, i) => `slow${i}.example`);
  for (const name of names) internet.host(name, "8.0.0.9");
  await internet.tcpServer("8.0.0.9", 443, () => held++);
  const liars = names.map((name) => {
    const node = network.join();
    node.stated = Promise.resolve(name);
    return { ...hostile, node, name, signer: new Signer(node.seed, name) };
  });
  const claims = liars.map((liar) => askRaw(liar, overlay, headOf(liar, overlay)));
  await until("all are being checked", () => held === CLAIMS_MAX);
  await mustRefuse(t, scene, { code: "PINYON_BUSY", status: 503 }, () =>
    askRaw(hostile, overlay, headOf(hostile, overlay)),
  );
  await mustServeBound(t, place);
  for (const { node } of liars) node.leave();
  await Promise.allSettled(claims);
});
