import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  webcrypto,
  X509Certificate,
} from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import type * as x509 from "@peculiar/x509";
import { LRUCache } from "lru-cache";
import { CERTIFICATES_MAX } from "./config.js";
import type { FederationStats } from "./stats.js";

/** Where the authority is kept. What is written must be readable by the node's user alone. */
export interface LocalCaFiles {
  readonly read: (name: string) => Promise<string | undefined>;
  readonly write: (name: string, text: string) => Promise<void>;
}

const CERTIFICATE_FILE = "ca.pem";
const KEY_FILE = "ca.key";
const SUBJECT = "CN=Pinyon local authority";
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
/**
 * "No well-defined expiration" (RFC 5280, 4.1.2.5). The clock that judges a certificate is the one that made it, and it may stand in 1970
 * or jump; and an end would bound nothing: whoever has a key of this process has that of the authority.
 */
const VALIDITY = { notBefore: new Date(0), notAfter: new Date("9999-12-31T23:59:59Z") };

/**
 * A certificate authority for one homeserver, which trusts it beside those of the system: it vouches for servers of the overlay on the
 * tunnels to this node, whose sessions then prove who they really are. ECDSA on P-256, which all TLS libraries take.
 */
export class LocalCa {
  /** Of the last `CERTIFICATES_MAX` names. */
  readonly #contexts: LRUCache<string, Promise<SecureContext>>;
  /** The key of all certificates for servers: they differ by name alone, and none outlives the process. */
  readonly #serverKey = newKey();

  private constructor(
    /** What the homeserver is to trust. */
    readonly certificatePem: string,
    private readonly key: KeyObject,
    stats: FederationStats,
  ) {
    this.#contexts = new LRUCache({
      max: CERTIFICATES_MAX,
      dispose: (_context, _name, why) => {
        if (why === "evict") stats.certificateEvictions++;
      },
    });
  }

  /** The authority in `files`, made where there is none. Rejects where one of its two files is missing, or they do not match. */
  static async open(files: LocalCaFiles, stats: FederationStats): Promise<LocalCa> {
    const [certificatePem, keyPem] = await Promise.all([files.read(CERTIFICATE_FILE), files.read(KEY_FILE)]);
    if (certificatePem !== undefined && keyPem !== undefined && isPair(certificatePem, keyPem)) {
      return new LocalCa(certificatePem, createPrivateKey(keyPem), stats);
    }
    // A key alone is what is left where making both was cut short; nobody trusts it yet.
    if (certificatePem !== undefined) {
      throw new Error(
        `${CERTIFICATE_FILE}: its key is not in ${KEY_FILE}; remove both to have new ones made, which the homeserver must then be told to trust`,
      );
    }
    const key = newKey();
    const pem = await authorityCertificate(key);
    await files.write(KEY_FILE, key.export({ type: "pkcs8", format: "pem" }).toString());
    await files.write(CERTIFICATE_FILE, pem);
    return new LocalCa(pem, key, stats);
  }

  /** What a TLS server that is taken for `name` shows. */
  secureContext(name: string): Promise<SecureContext> {
    let context = this.#contexts.get(name);
    if (context === undefined) {
      context = this.#newContext(name);
      this.#contexts.set(name, context);
      context.catch(() => this.#contexts.delete(name));
    }
    return context;
  }

  async #newContext(name: string): Promise<SecureContext> {
    const cert = await serverCertificate(name, this.#serverKey, this.certificatePem, this.key);
    const key = this.#serverKey.export({ type: "pkcs8", format: "pem" });
    return createSecureContext({ cert, key, minVersion: "TLSv1.2" });
  }
}

async function authorityCertificate(key: KeyObject): Promise<string> {
  const x509 = await loadX509();
  const keys = await webCryptoKeys(key);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      ...VALIDITY,
      serialNumber: newSerialNumber(),
      name: SUBJECT,
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        // It signs certificates of servers alone, none of further authorities.
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return certificate.toString("pem");
}

/** The name stands where it is looked for, in the extension: a common name has at most 64 characters. */
async function serverCertificate(
  name: string,
  key: KeyObject,
  authorityPem: string,
  authorityKey: KeyObject,
): Promise<string> {
  const x509 = await loadX509();
  const { publicKey } = await webCryptoKeys(key);
  const authority = await webCryptoKeys(authorityKey);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      ...VALIDITY,
      serialNumber: newSerialNumber(),
      subject: "CN=Pinyon server",
      issuer: new x509.X509Certificate(authorityPem).subject,
      publicKey,
      signingKey: authority.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }]),
        await x509.SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
        await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return certificate.toString("pem");
}

/** Loaded where it is used: it takes longer to load than the rest, and who needs no tunnels needs none of it. */
async function loadX509(): Promise<typeof x509> {
  await import("reflect-metadata");
  return import("@peculiar/x509");
}

function isPair(certificatePem: string, keyPem: string): boolean {
  try {
    const certificate = new X509Certificate(certificatePem);
    return certificate.ca && certificate.checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false;
  }
}

function newKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: ALGORITHM.namedCurve }).privateKey;
}

/** Positive, at most 20 bytes, unlike any other of this authority (RFC 5280, 4.1.2.2). */
function newSerialNumber(): string {
  return `01${randomBytes(15).toString("hex")}`;
}

async function webCryptoKeys(privateKey: KeyObject): Promise<webcrypto.CryptoKeyPair> {
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
  const spki = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  return {
    privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, false, ["sign"]),
    publicKey: await webcrypto.subtle.importKey("spki", spki, ALGORITHM, true, ["verify"]),
  };
}
