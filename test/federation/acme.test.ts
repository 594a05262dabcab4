import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect as connectTls } from "node:tls";
import t, { type Test } from "tap";
import { AcmeCertificate, type AcmeOptions } from "../../src/federation/certificates/acme-certificate.js";
import { Authority } from "../../src/federation/certificates/authority.js";
import { DnsChallenger } from "../../src/federation/certificates/challenges.js";
import { ACME_BACK_OFF, ACME_LINKED_MS, HOOK_TIMEOUT_MS } from "../../src/federation/certificates/config.js";
import { newFederationStats } from "../../src/federation/stats.js";
import { hookFor, type Pebble, REFUSED_DOMAIN, startPebble } from "../e2e/pebble.js";
import { whyNoPebble } from "../e2e/pebble-install.js";
import { freePorts } from "../e2e/place.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { DOMAIN, gatewayRules, get, hex, say } from "./gateway-place.js";
import { TestNetwork } from "./network.js";
import { VERSION } from "./raw-node.js";
import { startServer } from "./server.js";

/*
 * Certificates by ACME, from a real authority: Pebble on loopback, with a DNS of its own. The time that the authority takes is real; that of
 * waiting for the next try is not.
 */

t.setTimeout(300_000);
const skip = whyNoPebble() ?? false;

t.test(
  "a node gets a certificate for its name in TLS that its gateway passes on, and keeps it",
  { skip },
  async (t) => {
    const [port = 0] = await freePorts(1);
    const pebble = await startPebble(t, port);
    const { directory, authorityPem, rootPem } = pebble;
    const timers = new VirtualTimers();
    const network = new TestNetwork();
    const allow = new Set<string>();
    const listen = [{ host: "127.0.0.1", port }];
    const gateway = await startServer(t, network, { timers, gateway: gatewayRules(allow, { listen }) });
    const kept = new Map<string, string>();
    const options = {
      timers,
      suffix: DOMAIN,
      acme: { directory, email: "admin@gw.example", hook: undefined },
      authorities: [authorityPem],
      kept,
      front: async () => ({ gateways: new Set([hex(gateway.node)]), certificate: "acme" as const }),
    };
    const server = await startServer(t, network, options);
    allow.add(hex(server.node));
    const scene = { network, authority: { certificatePem: rootPem }, gateway, server, allow } as never;
    await t.rejects(say(scene, get(scene, VERSION)), { code: "ECONNRESET" });
    const { stats } = server.federation;
    t.equal(stats.inboundErrors.PINYON_CERTIFICATE, 1);
    t.equal(gateway.federation.stats.gatewayErrors.PINYON_CERTIFICATE, 1);
    timers.advance(ACME_LINKED_MS);
    t.equal(stats.acmeOrders, 0, "without a link no authority could ask it");
    server.federation.handleConnected();
    timers.advance(ACME_LINKED_MS);
    await until("there is one", () => stats.acmeCertificates === 1 || stats.acmeFailures > 0);
    t.same(server.warnings, []);
    await until("it is shown", () => server.federation.certificateDaysLeft().length === 1);
    t.match(await say(scene, get(scene, VERSION)), /^HTTP\/1\.1 200 /);
    t.same([...kept.keys()].sort(), ["acme-account.key", "acme-node.json", "acme-node.pem", "ca.key", "ca.pem"]);
    const asked = connectTls({
      port,
      host: "127.0.0.1",
      servername: server.name,
      ca: rootPem,
      ALPNProtocols: ["acme-tls/1"],
    });
    await t.rejects(once(asked, "secureConnect"), { code: /NO_APPLICATION_PROTOCOL/ }, "no challenge is under way");

    await server.federation.stop();
    server.node.leave();
    const again = await startServer(t, network, { ...options, seed: server.node.seed });
    again.federation.handleConnected();
    timers.advance(ACME_LINKED_MS);
    const next = { ...(scene as object), server: again } as never;
    t.match(await say(next, get(next, VERSION)), /^HTTP\/1\.1 200 /);
    t.equal(again.federation.stats.acmeOrders, 0, "a start asks for none that is there");
  },
);

t.test("a gateway gets a certificate for all its names by a command that changes the DNS", { skip }, async (t) => {
  const [port = 0] = await freePorts(1);
  const pebble = await startPebble(t, port);
  const { hook, calls } = hookFor(t, pebble);
  const network = new TestNetwork();
  const allow = new Set<string>();
  const gateway = await startServer(t, network, {
    gateway: gatewayRules(allow, { terminate: "acme" }),
    acme: { directory: pebble.directory, email: undefined, hook },
    authorities: [pebble.authorityPem],
  });
  const server = await startServer(t, network, {
    suffix: DOMAIN,
    front: async () => ({ gateways: new Set([hex(gateway.node)]), certificate: undefined }),
  });
  allow.add(hex(server.node));
  const scene = { network, authority: { certificatePem: pebble.rootPem }, gateway, server, allow } as never;
  const { stats } = gateway.federation;
  await t.rejects(say(scene, get(scene, VERSION)), { code: "ECONNRESET" });
  t.equal(stats.gatewayErrors.PINYON_CERTIFICATE, 1);
  await until("there is one", () => stats.acmeCertificates === 1 || stats.acmeFailures > 0);
  t.same(gateway.warnings, []);
  await until("it is shown", () => gateway.federation.certificateDaysLeft().length === 1);
  t.match(await say(scene, get(scene, VERSION)), /^HTTP\/1\.1 200 /);
  const name = `_acme-challenge.${DOMAIN}`;
  t.match(calls(), [
    ["present", name, /^[\w-]{43}$/],
    ["cleanup", name, /^[\w-]{43}$/],
  ]);
  t.equal(stats.hookFailures, 0);
});

/** A certificate for all names of a domain that is got by DNS, on a clock that a test moves. */
async function certificate(t: Test, pebble: Pick<Pebble, "directory" | "authorityPem">, hook: string, domain = DOMAIN) {
  const timers = new VirtualTimers();
  const startMs = Date.now();
  const stats = newFederationStats();
  const warnings: string[] = [];
  const kept = new Map<string, string>();
  const files = {
    read: async (name: string) => kept.get(name),
    write: async (name: string, text: string) => void kept.set(name, text),
  };
  const warn = (text: string) => warnings.push(text);
  const scene = { issued: 0 };
  const rules = { directory: pebble.directory, email: undefined, hook };
  const options: AcmeOptions = {
    name: `*.${domain}`,
    use: "gateway",
    authority: new Authority({ ...rules, files, authorities: [pebble.authorityPem], timers }),
    challenger: new DnsChallenger({ hook, stats, timers, warn }),
    files,
    stats,
    timers,
    wallMs: () => startMs + timers.nowMs(),
    random: () => 0,
    warn,
    onIssued: () => scene.issued++,
  };
  const start = async () => {
    // Nothing but what is kept passes from one run to the next.
    const authority = new Authority({ ...rules, files, authorities: [pebble.authorityPem], timers });
    const got = new AcmeCertificate({ ...options, authority });
    await got.load();
    t.teardown(() => got.stop());
    got.start(0);
    timers.advance(0);
    return got;
  };
  /** Moves the clock, by steps in which what is due can happen. */
  const advance = async (durationMs: number) => {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 3_600_000) {
      timers.advance(Math.min(3_600_000, durationMs - passedMs));
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const failed = (count: number) => until("it failed", () => stats.acmeFailures === count && warnings.length >= count);
  return { start, advance, failed, options, stats, warnings, kept, timers, scene };
}

t.test("a certificate is renewed when two thirds of its life are over", { skip }, async (t) => {
  const pebble = await startPebble(t, 1);
  const { hook } = hookFor(t, pebble);
  const { start, advance, options, stats, kept, scene, warnings, timers } = await certificate(t, pebble, hook);
  const got = await start();
  await until("there is one", () => scene.issued === 1);
  const first = new X509Certificate(got.current()!.certificate);
  t.equal(first.checkHost(`any.${DOMAIN}`), `*.${DOMAIN}`);
  const lifeMs = Date.parse(first.validTo) - Date.parse(first.validFrom);
  await advance(lifeMs * 0.66);
  t.equal(stats.acmeOrders, 1);
  while (stats.acmeOrders === 1) await advance(60_000);
  t.ok(timers.nowMs() > lifeMs * 0.66 && timers.nowMs() < lifeMs * 0.67);
  await until("it is renewed", () => scene.issued === 2);
  const second = new X509Certificate(got.current()!.certificate);
  t.not(second.serialNumber, first.serialNumber);
  t.ok(kept.get("acme-gateway.pem")!.includes(got.current()!.certificate));
  t.same([stats.acmeOrders, stats.acmeCertificates, warnings], [2, 2, []]);
  got.stop();
  const [key, ...rest] = kept.get("acme-gateway.pem")!.split(/(?<=PRIVATE KEY-----\n)(?=-----BEGIN CERT)/);
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" });
  const good = [key, ...rest].join("");
  for (const [text, isGood] of [
    [good, true],
    [`${other}${rest.join("")}`, false],
    [good.slice(0, good.indexOf("-----END CERT")), false],
    [key!, false],
    ["", false],
  ] as const) {
    kept.set("acme-gateway.pem", text);
    const found = new AcmeCertificate(options);
    await found.load();
    t.equal(found.current() !== undefined, isGood);
  }
  kept.set("acme-gateway.pem", "broken");
  const again = await start();
  t.equal(again.current(), undefined);
  await until("a new one is got for one that is broken", () => scene.issued === 3);
});

t.test("what an authority refuses is tried again later, also after a restart, and told", { skip }, async (t) => {
  const pebble = await startPebble(t, 1);
  const { hook, calls } = hookFor(t, pebble);
  const { start, advance, failed, stats, warnings, kept, timers } = await certificate(t, pebble, hook, REFUSED_DOMAIN);
  const first = await start();
  await failed(1);
  t.match(
    warnings[0],
    /^no certificate for \*\.refused\.example could be got: .*refused\.example.*: the next try is at /,
  );
  t.same(calls(), [], "the DNS is left alone");
  first.stop();
  const again = await start();
  await advance(ACME_BACK_OFF.firstMs / 2 - 1);
  t.equal(stats.acmeOrders, 1, "a start is no new try");
  timers.advance(1);
  await failed(2);
  await advance(ACME_BACK_OFF.firstMs - 1);
  t.equal(stats.acmeOrders, 2, "the second time it waits twice as long");
  timers.advance(1);
  await failed(3);
  t.same(JSON.parse(kept.get("acme-gateway.json")!).failures, 3);
  again.stop();
  await advance(ACME_BACK_OFF.maxMs);
  t.equal(stats.acmeOrders, 3);
});

t.test(
  "a command that fails, hangs or is none is told with what it said, and leaves nothing running",
  { skip },
  async (t) => {
    const pebble = await startPebble(t, 1);
    const said = await certificate(
      t,
      pebble,
      hookFor(t, pebble, 'console.error("no such zone"); process.exit(3);').hook,
    );
    await said.start();
    await said.failed(1);
    t.match(said.warnings.join("\n"), /hook present _acme-challenge\.gw\.example ended with 3: no such zone/);
    t.match(said.warnings.join("\n"), /a TXT record may be left in the DNS: .*hook cleanup/);
    t.equal(said.stats.hookFailures, 2);

    const none = await certificate(t, pebble, "/none/hook");
    await none.start();
    await none.failed(1);
    t.match(none.warnings.join("\n"), /\/none\/hook present _acme-challenge\.gw\.example cannot be run: ENOENT/);

    const hangs = `if (task === "present") {
      const { pid } = require("node:child_process").spawn("sleep", ["600"]);
      require("node:fs").writeFileSync(__filename + ".pid", String(pid));
      return;
    }`;
    const hanging = hookFor(t, pebble, hangs);
    const late = await certificate(t, pebble, hanging.hook);
    await late.start();
    const started = `${hanging.hook}.pid`;
    await until("it runs", () => existsSync(started) && readFileSync(started, "utf8") !== "");
    const pid = Number(readFileSync(started, "utf8"));
    t.ok(runs(pid));
    late.timers.advance(HOOK_TIMEOUT_MS);
    await late.failed(1);
    t.match(late.warnings.join("\n"), /hook present _acme-challenge\.gw\.example takes too long/);
    await until("what it started has ended", () => !runs(pid));
    t.same(
      hanging.calls().map(([task]) => task),
      ["present", "cleanup"],
    );

    const idle = await certificate(t, pebble, hookFor(t, pebble, 'if (task === "present") process.exit(0);').hook);
    await idle.start();
    await idle.failed(1);
    t.match(idle.warnings[0], /no certificate for .*: .*TXT/i, "the authority did not find the record");
  },
);

/** False for one that has ended and that nobody has asked for its end. */
function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

t.test("an authority that cannot be reached, or is not who it says, is told", { skip }, async (t) => {
  const [port = 0] = await freePorts(1);
  const pebble = await startPebble(t, 1);
  const { hook } = hookFor(t, pebble);
  const absent = { ...pebble, directory: `https://127.0.0.1:${port}/dir` };
  const away = await certificate(t, absent, hook);
  await away.start();
  await away.failed(1);
  t.match(away.warnings[0], /the authority cannot be reached: .*ECONNREFUSED/);
  const forged = await certificate(t, { ...pebble, authorityPem: pebble.rootPem }, hook);
  await forged.start();
  await forged.failed(1);
  t.match(forged.warnings[0], /the authority cannot be reached: .*certificate/);
  const garbage = await certificate(t, { ...pebble, directory: `${pebble.directory}/none` }, hook);
  await garbage.start();
  await garbage.failed(1);
  t.match(garbage.warnings[0], /no certificate for .*404/);
});
