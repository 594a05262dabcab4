import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type SecureContext } from "node:tls";
import t, { type Test } from "tap";
import { CERTIFICATES_MAX } from "../../src/federation/config.js";
import { LocalCa } from "../../src/federation/local-ca.js";
import { newFederationStats } from "../../src/federation/stats.js";
import { keyToName } from "../../src/wire/name.js";
import { memoryFiles } from "./listening.js";

const NAME = keyToName(new Uint8Array(32).fill(7));
const OTHER = keyToName(new Uint8Array(32).fill(9));
/** Longer than a common name may be. */
const LONG = keyToName(new Uint8Array(32).fill(7), `${"a".repeat(60)}.${"b".repeat(60)}.example`);

/** The certificate that a client sees, and accepts by the authority alone. */
async function seen(t: Test, secureContext: SecureContext, servername: string, ca: string): Promise<X509Certificate> {
  // There is no certificate but the one for the name.
  const server = createServer({ SNICallback: (_, give) => give(null, secureContext) }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", servername, ca });
  await once(client, "secureConnect");
  t.ok(client.authorized);
  const certificate = client.getPeerX509Certificate()!;
  client.destroy();
  server.close();
  return certificate;
}

t.test("a certificate is for one name, by an authority that makes no others", async (t) => {
  const ca = await LocalCa.open(memoryFiles(), newFederationStats());
  const authority = new X509Certificate(ca.certificatePem);
  t.ok(authority.ca);
  t.ok(authority.verify(authority.publicKey));
  for (const name of [NAME, LONG]) {
    const certificate = await seen(t, await ca.secureContext(name), name, ca.certificatePem);
    t.ok(certificate.checkIssued(authority) && certificate.verify(authority.publicKey));
    t.equal(certificate.subjectAltName, `DNS:${name}`);
    t.equal(certificate.checkHost(OTHER), undefined);
    t.notOk(certificate.ca);
    t.same(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1"], "for TLS servers alone");
    t.match(certificate.validFrom, "1970", "a machine whose clock stands at its beginning goes on");
    t.match(certificate.validTo, "9999");
  }
});

t.test("the authority is kept: what it vouches for later is trusted by who trusts it", async (t) => {
  const files = memoryFiles();
  const first = await LocalCa.open(files, newFederationStats());
  const second = await LocalCa.open(files, newFederationStats());
  t.equal(second.certificatePem, first.certificatePem);
  await seen(t, await second.secureContext(NAME), NAME, first.certificatePem);
});

t.test("a key without a certificate is what a start cut short leaves: both are made anew", async (t) => {
  const kept = new Map<string, string>();
  await LocalCa.open(memoryFiles(kept), newFederationStats());
  const before = kept.get("ca.key");
  kept.delete("ca.pem");
  const ca = await LocalCa.open(memoryFiles(kept), newFederationStats());
  t.not(kept.get("ca.key"), before);
  await seen(t, await ca.secureContext(NAME), NAME, ca.certificatePem);
});

t.test("an authority without its key is not replaced in silence", async (t) => {
  const kept = new Map<string, string>();
  const other = new Map<string, string>();
  await LocalCa.open(memoryFiles(kept), newFederationStats());
  await LocalCa.open(memoryFiles(other), newFederationStats());
  const pem = kept.get("ca.pem")!;
  const key = kept.get("ca.key")!;
  const broken: [pem: string, key: string | undefined][] = [
    [pem, undefined],
    [pem, other.get("ca.key")],
    [pem, "no key"],
    ["no certificate", key],
  ];
  for (const [pem, key] of broken) {
    const files = new Map([["ca.pem", pem], ...(key === undefined ? [] : [["ca.key", key] as const])]);
    await t.rejects(LocalCa.open(memoryFiles(files), newFederationStats()), {
      message: /^ca\.pem: its key is not in ca\.key; remove both/,
    });
    t.equal(files.get("ca.pem"), pem);
  }
});

t.test("a certificate is made once for all who ask, and the one used longest ago is forgotten", async (t) => {
  const stats = newFederationStats();
  const ca = await LocalCa.open(memoryFiles(), stats);
  const first = ca.secureContext(NAME);
  t.equal(ca.secureContext(NAME), first);
  for (let index = 0; index < CERTIFICATES_MAX; index++) await ca.secureContext(`${index}.example`);
  t.equal(stats.certificateEvictions, 1);
  t.not(ca.secureContext(NAME), first);
  await seen(t, await ca.secureContext(NAME), NAME, ca.certificatePem);
});
