import fc from "fast-check";
import t, { type Test } from "tap";
import { INVITATION_BACK_OFF, INVITATIONS_MAX, INVITED_MAX } from "../../src/federation/gateway/config.js";
import type { GatewayRules } from "../../src/federation/gateway/gateway.js";
import { INVITATION_HEADER, INVITATION_PATH } from "../../src/federation/gateway/guest.js";
import { isOwnInvitation, readInvitation, writeInvitation } from "../../src/federation/gateway/invitation.js";
import { Invited, type InvitedState } from "../../src/federation/gateway/invited.js";
import { newFederationStats } from "../../src/federation/stats.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { TestAuthority } from "./authority.js";
import { DOMAIN, dial, gatewayPlace, gatewayRules, hex, mustServe } from "./gateway-place.js";
import { clientHello } from "./hellos.js";
import { readAll } from "./listening.js";
import { TestNetwork as Network, type TestNetwork, type TestNode } from "./network.js";
import { startServer, type TestServer } from "./server.js";

/* Nodes that a gateway serves because they show what its owner gave theirs. */

const SEED = Buffer.alloc(32, 7);
const INVITATION = { gateway: new Uint8Array(32).fill(9), id: "0123456789abcdef", untilS: 2_000_000_000, uses: 3 };
const FAR_S = 4_000_000_000;

t.test("an invitation says what it was made with, and is good at its gateway alone", async (t) => {
  const text = writeInvitation(SEED, INVITATION);
  t.match(text, /^[\w-]{84}$/);
  t.same(readInvitation(text), INVITATION);
  t.ok(isOwnInvitation(SEED, text));
  t.notOk(isOwnInvitation(Buffer.alloc(32, 8), text));
  const bytes = Buffer.from(text, "base64url");
  for (let i = 0; i < bytes.length; i++) {
    const forged = Buffer.from(bytes);
    forged[i]! ^= 1;
    t.notOk(isOwnInvitation(SEED, forged.toString("base64url")), `byte ${i}`);
  }
  for (const none of [
    "",
    text.slice(1),
    `${text}A`,
    text.replace(/^./, "B"),
    text.replace(/.$/, "="),
    "x".repeat(84),
  ]) {
    t.equal(readInvitation(none), undefined, none);
  }
  fc.assert(
    fc.property(fc.string({ maxLength: 100 }), (any) => {
      readInvitation(any);
      return !isOwnInvitation(SEED, any);
    }),
  );
});

function invited(state: InvitedState, wall = { nowMs: 0 }): Promise<Invited> & { readonly saved: InvitedState[] } {
  const saved: InvitedState[] = [];
  const kept = {
    load: async () => state,
    save: (next: InvitedState) => void saved.push(next),
    written: async () => {},
  };
  const stats = newFederationStats();
  const opened = Invited.open({ key: INVITATION.gateway, seed: SEED, kept, stats, wallMs: () => wall.nowMs });
  return Object.assign(opened, { saved });
}

const node = (i: number) => i.toString(16).padStart(64, "0");

t.test("it is used as often as it says and as long, and each use is kept", async (t) => {
  const wall = { nowMs: 0 };
  const opening = invited({ invitations: [], nodes: [] }, wall);
  const made = await opening;
  const text = made.invite(2, 1_000);
  made.accept(node(1), text);
  made.accept(node(1), text);
  made.accept(node(2), text);
  t.throws(() => made.accept(node(3), text), { code: "PINYON_GATEWAY_INVITATION", message: /as often as it may be/ });
  t.throws(() => made.accept(node(3), "x"), { code: "PINYON_GATEWAY_INVITATION", message: /none of this gateway/ });
  t.same([made.has(node(1)), made.has(node(2)), made.has(node(3))], [true, true, false]);
  const again = await invited(opening.saved.at(-1)!, wall);
  t.throws(() => again.accept(node(3), text), { code: "PINYON_GATEWAY_INVITATION" }, "after a restart too");
  wall.nowMs = 1_000_000;
  const late = made.invite(1, 1_000);
  t.throws(() => again.accept(node(4), late), { code: "PINYON_GATEWAY_INVITATION", message: /its time is over/ });
  again.accept(node(1), text);
  t.ok(again.has(node(2)), "who used it stays");
});

t.test("invited nodes and used invitations are bounded", async (t) => {
  const nodes = Array.from({ length: INVITED_MAX - 1 }, (_, i) => node(i + 10));
  const full = await invited({ invitations: [], nodes });
  const text = full.invite(5, FAR_S);
  full.accept(node(1), text);
  t.throws(() => full.accept(node(2), text), { code: "PINYON_BUSY" });
  full.accept(node(1), text);
  const invitations = Array.from({ length: INVITATIONS_MAX }, (_, i) => ({
    id: i.toString(16).padStart(16, "0"),
    untilS: 1_000,
    used: 1,
  }));
  const wall = { nowMs: 0 };
  const used = await invited({ invitations, nodes: [] }, wall);
  const other = used.invite(1, FAR_S);
  t.throws(() => used.accept(node(1), other), { code: "PINYON_BUSY" });
  wall.nowMs = 1_000_000;
  used.accept(node(1), other);
});

/** A server of the overlay that shows invitations, and takes what the gateway brings. */
async function guest(
  t: Test,
  network: TestNetwork,
  gateway: TestServer,
  authority: TestAuthority,
  options: object,
): Promise<TestServer> {
  return startServer(t, network, {
    suffix: DOMAIN,
    front: async (name) => {
      const { cert: certificate, key } = await authority.certify({ dns: [name] });
      return { gateways: new Set([hex(gateway.node)]), certificate: async () => ({ certificate, key }) };
    },
    ...options,
  });
}

t.test("a node that shows an invitation is served, until it is denied", async (t) => {
  const network = new Network();
  const authority = await TestAuthority.make();
  const rules = gatewayRules(new Set());
  const gateway = await startServer(t, network, { gateway: rules });
  const text = gateway.federation.invited!.invite(1, FAR_S);
  const server = await guest(t, network, gateway, authority, { invitations: [text] });
  const scene = { network, authority, gateway, server, allow: new Set<string>(), rules };
  const refused = async () => {
    const socket = dial(scene);
    socket.write(await clientHello({ servername: server.name }));
    return Buffer.from(await readAll(socket), "latin1").toString("hex");
  };
  t.equal(await refused(), "15030300020270", "not before");
  server.federation.handleConnected();
  await until("it is taken", () => gateway.federation.stats.invitationsAccepted === 1);
  await mustServe(t, scene);
  const late = await guest(t, network, gateway, authority, { invitations: [text] });
  late.federation.handleConnected();
  await until("it is told", () => late.warnings.length === 1);
  t.match(late.warnings[0], "a gateway refuses an invitation");
  t.equal(late.federation.stats.invitationFailures, 1);
  gateway.federation.setGatewayRules({ ...rules, deny: new Set([hex(server.node)]) });
  t.equal(await refused(), "15030300020270");
  t.equal(gateway.federation.stats.gatewayErrors.PINYON_GATEWAY_NAME, 2);
});

async function show(from: TestNode, { node }: TestServer, text: string, method = "POST"): Promise<unknown> {
  const remote = await from.connect(node.key);
  const head = { ":method": method, ":authority": "gateway", ":path": INVITATION_PATH, [INVITATION_HEADER]: text };
  const stream = remote.request(head, { endStream: true });
  return new Promise((resolve) => {
    stream.on("error", () => {});
    stream.once("response", (answer) => resolve(answer["pinyon-code"] ?? answer[":status"]));
    stream.resume();
  });
}

t.test(
  "forged, used, ended and borrowed invitations gain nothing, and an honest node is served meanwhile",
  async (t) => {
    const denied = new Set<string>();
    const changes: Partial<GatewayRules> = { deny: denied };
    const scene = await gatewayPlace(t, undefined, changes);
    const { network, gateway } = scene;
    const { gatewayErrors } = gateway.federation.stats;
    const invite = (uses: number, untilS: number) => gateway.federation.invited!.invite(uses, untilS);
    const good = invite(2, FAR_S);
    const forged = writeInvitation(SEED, { ...INVITATION, gateway: gateway.node.key });
    const other = await startServer(t, network, { gateway: gatewayRules(new Set()) });
    const banned = network.join(DOMAIN);
    denied.add(hex(banned));
    const attacks: [from: TestNode, text: string, method: string, code: keyof typeof gatewayErrors][] = [
      [network.join(DOMAIN), forged, "POST", "PINYON_GATEWAY_INVITATION"],
      [network.join(DOMAIN), other.federation.invited!.invite(5, FAR_S), "POST", "PINYON_GATEWAY_INVITATION"],
      [network.join(DOMAIN), invite(5, 1_000), "POST", "PINYON_GATEWAY_INVITATION"],
      [network.join(DOMAIN), "", "POST", "PINYON_GATEWAY_INVITATION"],
      [network.join(), good, "POST", "PINYON_GATEWAY_INVITATION"],
      [banned, good, "POST", "PINYON_GATEWAY_INVITATION"],
      [network.join(DOMAIN), good, "GET", "PINYON_PATH"],
    ];
    for (const [from, text, method, code] of attacks) {
      const counted = gatewayErrors[code];
      t.equal(await show(from, gateway, text, method), code);
      t.equal(gatewayErrors[code], counted + 1);
      t.notOk(gateway.federation.gatewayStanding(hex(from)));
    }
    const keys = Array.from({ length: 10 }, () => network.join(DOMAIN));
    const told = await Promise.all(keys.map((key) => show(key, gateway, good)));
    t.equal(told.filter((each) => each === 200).length, 2, "of ten new keys two are taken");
    await mustServe(t, scene);
    const closed = await startServer(t, network);
    t.equal(await show(network.join(DOMAIN), closed, good), "PINYON_GATEWAY_INVITATION", "a node that is no gateway");
  },
);

t.test("an invitation is shown again where the gateway is away, and after each return to the network", async (t) => {
  const timers = new VirtualTimers();
  const network = new Network();
  const gateway = await startServer(t, network, { timers, gateway: gatewayRules(new Set()) });
  const text = gateway.federation.invited!.invite(1, FAR_S);
  gateway.node.isOnline = false;
  const server = await startServer(t, network, { timers, suffix: DOMAIN, invitations: [text] });
  const { stats } = server.federation;
  server.federation.handleConnected();
  await until("it failed", () => stats.invitationFailures === 1);
  gateway.node.isOnline = true;
  timers.advance(INVITATION_BACK_OFF.firstMs);
  await until("it is taken", () => gateway.federation.stats.invitationsAccepted === 1);
  const { searches } = server.node;
  server.federation.handleConnected();
  await until("it is shown again", () => server.node.searches === searches + 1);
  t.equal(gateway.federation.stats.invitationsAccepted, 1);
  t.same(server.warnings, []);
});
