import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import fc from "fast-check";
import t from "tap";
import nacl from "tweetnacl";
import { certificateKey, selfSignedCertificate } from "../../src/link/certificate.js";
import { keyToName } from "../../src/wire/name.js";

t.test("the certificate of a seed shows the key of that seed", async (t) => {
  const property = fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), async (seed) => {
    const { publicKey } = nacl.sign.keyPair.fromSeed(seed);
    const { certificatePem } = await selfSignedCertificate(seed, keyToName(publicKey));
    const shown = certificateKey(new X509Certificate(certificatePem));
    return shown !== undefined && Buffer.compare(shown, publicKey) === 0;
  });
  await t.resolves(fc.assert(property));
});

t.test("it names its node, is the same each time, and has no end", async (t) => {
  const name = keyToName(new Uint8Array(32).fill(0xff));
  const seed = new Uint8Array(32).fill(3);
  const made = await selfSignedCertificate(seed, name);
  t.same(await selfSignedCertificate(seed, name), made);
  const certificate = new X509Certificate(made.certificatePem);
  t.equal(certificate.subject, `CN=${name}`);
  t.equal(certificate.issuer, certificate.subject);
  t.equal(certificate.checkHost(name), name);
  t.equal(certificate.validFrom, "Jan  1 00:00:00 1970 GMT");
  t.equal(certificate.validTo, "Dec 31 23:59:59 9999 GMT");
  t.equal(certificate.checkPrivateKey(createPrivateKey(made.privateKeyPem)), true);
});

t.test("a certificate that its key did not sign shows none", async (t) => {
  const { certificatePem } = await selfSignedCertificate(new Uint8Array(32).fill(3), "a.example");
  const bytes = Buffer.from(new X509Certificate(certificatePem).raw);
  bytes[bytes.length - 1]! ^= 1;
  t.equal(certificateKey(new X509Certificate(bytes)), undefined, "a forged signature");
  const seed = createPublicKey(
    createPrivateKey((await selfSignedCertificate(new Uint8Array(32).fill(4), "x")).privateKeyPem),
  );
  const other = Buffer.from(new X509Certificate(certificatePem).raw);
  const key = createPublicKey(
    createPrivateKey((await selfSignedCertificate(new Uint8Array(32).fill(3), "x")).privateKeyPem),
  );
  const at = other.indexOf(key.export({ type: "spki", format: "der" }));
  seed.export({ type: "spki", format: "der" }).copy(other, at);
  t.equal(certificateKey(new X509Certificate(other)), undefined, "another's key put in");
});

t.test("a key of another kind is no node's", async (t) => {
  t.equal(certificateKey(new X509Certificate(P256_CERTIFICATE)), undefined);
});

/** Self-signed by a key of the curve P-256, whose private part nobody has. */
const P256_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBbzCCARWgAwIBAgIURzdmWfwe3iccBRP+vB0MLdvAhWEwCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBeDAgFw0yNjExMjQxMTI4MDdaGA8yMTI2MTAzMTExMjgwN1ow
DDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABP4+xHmi3ZBk
5RfU1UCm/RrUIA3DpUWQD4JwAo83bqNfwZb3DCZZ/sC6MFipcTNOZ21/NArYayRQ
bzZWAChbaT6jUzBRMB0GA1UdDgQWBBT1UUmpVFRfzvrKc2Vv8kSidoILyzAfBgNV
HSMEGDAWgBT1UUmpVFRfzvrKc2Vv8kSidoILyzAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0gAMEUCIQDkL7zfEuniRXQcfQ6JhkKhJh0eeaPb/z8BGVSf/W7P
UQIgTDjWSa6OWlQS9ELc7NMAQJo79IDd2a12XkTDpUnAegM=
-----END CERTIFICATE-----`;
