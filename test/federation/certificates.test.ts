import t, { type Test } from "tap";
import {
  CERTIFICATE_KEPT_MS,
  CERTIFICATE_WARN_MS,
  CERTIFICATE_WATCH_MS,
} from "../../src/federation/certificates/config.js";
import { type CertifiedKey, ServedCertificate } from "../../src/federation/certificates/served-certificate.js";
import { newFederationStats } from "../../src/federation/stats.js";
import { VirtualTimers } from "../link/timers.js";
import { TestAuthority } from "./authority.js";
import { DOMAIN, gatewayPlace, get, mustServe, say } from "./gateway-place.js";
import { VERSION } from "./raw-node.js";

const DAY_MS = 86_400_000;

/** A certificate that is kept somewhere, and what is shown of it. */
async function kept(t: Test, validMs: number) {
  const authority = await TestAuthority.make();
  const certify = async (validMs: number): Promise<CertifiedKey> => {
    const { cert, key } = await authority.certify({ dns: ["a.example"], validMs });
    return { certificate: cert, key };
  };
  const timers = new VirtualTimers();
  const startMs = Date.now();
  const stats = newFederationStats();
  const warnings: string[] = [];
  const scene = { file: await certify(validMs), certify, timers, stats, warnings, advance };
  const served = new ServedCertificate({
    name: "a.example",
    read: async () => scene.file,
    stats,
    timers,
    wallMs: () => startMs + timers.nowMs(),
    warn: (text) => warnings.push(text),
  });
  await served.start();
  t.teardown(() => served.stop());
  /** What is due happens at its time. */
  async function advance(durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += CERTIFICATE_WATCH_MS) {
      timers.advance(CERTIFICATE_WATCH_MS);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return { ...scene, scene, served };
}

t.test("a certificate that ends soon is told once a day until a newer one is there", async (t) => {
  const { scene, served, warnings, advance, certify } = await kept(t, 20 * DAY_MS);
  t.ok(Math.abs(served.daysLeft()! - 20) < 0.1);
  t.same(warnings, []);
  await advance(17 * DAY_MS);
  t.equal(warnings.length, 1, "from the last sixth of its 22 days on");
  t.match(warnings[0], /^the certificate for a\.example ends on .*: no newer one has come$/);
  await advance(2 * CERTIFICATE_WARN_MS);
  t.ok(warnings.length === 2 || warnings.length === 3);
  await advance(3 * DAY_MS);
  t.match(warnings.at(-1), /has ended on .*: classic servers refuse it$/);
  t.ok(served.daysLeft()! < 0);
  scene.file = await certify(90 * DAY_MS);
  await advance(CERTIFICATE_WATCH_MS);
  t.ok(served.daysLeft()! > 60, "it is read without a connection");
  const told = warnings.length;
  await advance(CERTIFICATE_WARN_MS);
  t.equal(warnings.length, told);
});

t.test("one that has ended is told at the start, and shown nevertheless", async (t) => {
  const { served, warnings } = await kept(t, -DAY_MS);
  t.match(warnings, [/has ended on/]);
  t.ok(await served.context());
});

t.test("one that is broken is counted, and the one before it shown", async (t) => {
  const { scene, served, stats, timers, certify } = await kept(t, DAY_MS);
  const before = await served.context();
  const [one, other] = [await certify(DAY_MS), await certify(DAY_MS)];
  for (const file of [
    { certificate: "half of", key: "a file" },
    { certificate: one.certificate, key: other.key },
  ]) {
    scene.file = file;
    timers.advance(CERTIFICATE_KEPT_MS);
    t.equal(await served.context(), before);
  }
  t.equal(stats.certificateFailures, 2);
  scene.file = one;
  timers.advance(CERTIFICATE_KEPT_MS - 1);
  t.equal(await served.context(), before);
  timers.advance(1);
  t.not(await served.context(), before);
});

t.test(
  "a classic server refuses a certificate that has ended, is for another name, or from another authority",
  async (t) => {
    const timers = new VirtualTimers();
    let shown: CertifiedKey | undefined;
    const terminate = async () => shown!;
    const other = await TestAuthority.make("Another authority");
    const certify = async (from: TestAuthority, dns: string, validMs = DAY_MS) => {
      const { cert, key } = await from.certify({ dns: [dns], validMs });
      return { certificate: cert, key };
    };
    shown = await certify(other, `*.${DOMAIN}`);
    const scene = await gatewayPlace(t, timers, { terminate }, true);
    const honest = await gatewayPlace(t);
    const attacks: [code: string, shown: CertifiedKey][] = [
      ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", shown],
      ["CERT_HAS_EXPIRED", await certify(scene.authority, `*.${DOMAIN}`, -1_000)],
      ["ERR_TLS_CERT_ALTNAME_INVALID", await certify(scene.authority, "*.other.example")],
      ["ERR_TLS_CERT_ALTNAME_INVALID", await certify(scene.authority, DOMAIN)],
      ["ERR_TLS_CERT_ALTNAME_INVALID", await certify(scene.authority, `*.sub.${DOMAIN}`)],
    ];
    for (const [code, certified] of attacks) {
      shown = certified;
      timers.advance(CERTIFICATE_KEPT_MS);
      await t.rejects(say(scene, get(scene, VERSION)), { code });
      await mustServe(t, honest);
    }
    t.equal(scene.gateway.federation.stats.gatewayRequests, 0);
    shown = await certify(scene.authority, `*.${DOMAIN}`);
    timers.advance(CERTIFICATE_KEPT_MS);
    await mustServe(t, scene);
  },
);
