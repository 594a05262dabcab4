import { createPrivateKey, createPublicKey, type KeyObject, webcrypto, type X509Certificate } from "node:crypto";

/**
 * The certificate with which a node serves `wss`: X.509 v3, Ed25519 (RFC 8410), signed by the node's own key. Peers look at
 * its key alone. It is the same bytes each time, so nothing is stored.
 */
export interface Certificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** PKCS #8 of an Ed25519 seed (RFC 8410, 7), but for the seed that follows. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * Makes the certificate of a 32-byte Ed25519 seed, with `name` as common name and as DNS name (at most 64 characters).
 * It is valid from 1970 to 9999 ("no well-defined expiration", RFC 5280, 4.1.2.5): a key has no end, and a machine
 * whose clock stands in 1970 must link too.
 */
export async function selfSignedCertificate(seed: Uint8Array, name: string): Promise<Certificate> {
  // Loaded where it is used: it takes longer to load than the rest of the daemon, and the verbs of the command line need none.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: "01",
      name: `CN=${name}`,
      notBefore: new Date(0),
      notAfter: new Date("9999-12-31T23:59:59Z"),
      keys: await webCryptoKeys(privateKey),
      signingAlgorithm: { name: "Ed25519" },
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }])],
    },
    webcrypto,
  );
  return {
    certificatePem: certificate.toString("pem"),
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

async function webCryptoKeys(privateKey: KeyObject): Promise<webcrypto.CryptoKeyPair> {
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
  const spki = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  return {
    privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]),
    publicKey: await webcrypto.subtle.importKey("spki", spki, "Ed25519", true, ["verify"]),
  };
}

/** The Ed25519 key of a certificate that this key signed, 32 bytes; undefined for any other certificate. */
export function certificateKey(certificate: X509Certificate): Uint8Array | undefined {
  const { publicKey } = certificate;
  if (publicKey.asymmetricKeyType !== "ed25519" || !certificate.verify(publicKey)) return undefined;
  const { x } = publicKey.export({ format: "jwk" });
  return x === undefined ? undefined : new Uint8Array(Buffer.from(x, "base64url"));
}
