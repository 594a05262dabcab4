import { createPrivateKey, createPublicKey, type KeyObject, sign, type X509Certificate } from "node:crypto";

/**
 * The certificate with which a node serves `wss`: X.509 v3, Ed25519 (RFC 8410), signed by the node's own key. Peers look at
 * its key alone. It is the same bytes each time, so nothing is stored.
 */
export interface Certificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/**
 * Makes the certificate of a 32-byte Ed25519 seed, with `name` as common name and as DNS name (at most 64 characters).
 * It is valid from 1970 to 9999 ("no well-defined expiration", RFC 5280, 4.1.2.5): a key has no end, and a machine
 * whose clock stands in 1970 must link too.
 */
export function selfSignedCertificate(seed: Uint8Array, name: string): Certificate {
  const privateKey = ed25519PrivateKey(seed);
  const publicKeyInfo = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const distinguishedName = sequence(der(SET, sequence(OID_COMMON_NAME, utf8(name))));
  const validity = sequence(der(UTC_TIME, ascii("700101000000Z")), der(GENERALIZED_TIME, ascii("99991231235959Z")));
  const alternativeNames = der(OCTET_STRING, sequence(der(CONTEXT_DNS_NAME, ascii(name))));
  const toBeSigned = sequence(
    der(CONTEXT_VERSION, der(INTEGER, Uint8Array.of(2))),
    der(INTEGER, Uint8Array.of(1)),
    ALGORITHM_ED25519,
    distinguishedName,
    validity,
    distinguishedName,
    publicKeyInfo,
    der(CONTEXT_EXTENSIONS, sequence(sequence(OID_ALTERNATIVE_NAME, alternativeNames))),
  );
  const signature = sign(null, toBeSigned, privateKey);
  const certificate = sequence(toBeSigned, ALGORITHM_ED25519, der(BIT_STRING, Uint8Array.of(0), signature));
  return {
    certificatePem: pem("CERTIFICATE", certificate),
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** The Ed25519 key of a certificate that this key signed, 32 bytes; undefined for any other certificate. */
export function certificateKey(certificate: X509Certificate): Uint8Array | undefined {
  const { publicKey } = certificate;
  if (publicKey.asymmetricKeyType !== "ed25519" || !certificate.verify(publicKey)) return undefined;
  const { x } = publicKey.export({ format: "jwk" });
  return x === undefined ? undefined : new Uint8Array(Buffer.from(x, "base64url"));
}

// PKCS #8 of an Ed25519 seed (RFC 8410, 7): version, algorithm, the seed as octet string in an octet string.
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

function ed25519PrivateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
}

// DER (X.690) as far as this one certificate needs it: tags, and lengths below 65,536.
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;
const CONTEXT_VERSION = 0xa0;
const CONTEXT_EXTENSIONS = 0xa3;
const CONTEXT_DNS_NAME = 0x82;
/** 2.5.4.3 */
const OID_COMMON_NAME = Buffer.from("0603550403", "hex");
/** 2.5.29.17 */
const OID_ALTERNATIVE_NAME = Buffer.from("0603551d11", "hex");
/** 1.3.101.112 without parameters */
const ALGORITHM_ED25519 = Buffer.from("300506032b6570", "hex");

function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const prefix = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...prefix), content]);
}

function sequence(...parts: Uint8Array[]): Buffer {
  return der(SEQUENCE, ...parts);
}

function utf8(text: string): Buffer {
  return der(UTF8_STRING, Buffer.from(text, "utf8"));
}

function ascii(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

function pem(label: string, content: Buffer): string {
  const lines = content.toString("base64").match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
