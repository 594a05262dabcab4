import { generateKeyPairSync, randomBytes, webcrypto } from "node:crypto";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

/* A certificate authority of the tests' own, as those of the Web are. */

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;

export interface Certified {
  readonly cert: string;
  readonly key: string;
}

export interface Subject {
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  /** How long it holds from now on, in ms; negative: it has expired. */
  readonly validMs?: number;
}

export class TestAuthority {
  private constructor(
    readonly certificatePem: string,
    private readonly keys: webcrypto.CryptoKeyPair,
    private readonly subject: string,
  ) {}

  static async make(name = "Authority of the tests"): Promise<TestAuthority> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned(
      {
        serialNumber: serialNumber(),
        name: `CN=${name}`,
        notBefore: new Date(Date.now() - DAY_MS),
        notAfter: new Date(Date.now() + DAY_MS),
        keys,
        signingAlgorithm: ALGORITHM,
        extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
      },
      webcrypto,
    );
    return new TestAuthority(certificate.toString("pem"), keys, certificate.subject);
  }

  /** A server's certificate and its key. */
  async certify({ dns = [], ip = [], validMs = DAY_MS }: Subject): Promise<Certified> {
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const spki = pair.publicKey.export({ type: "spki", format: "der" });
    const names = [
      ...dns.map((value) => ({ type: "dns" as const, value })),
      ...ip.map((value) => ({ type: "ip" as const, value })),
    ];
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber: serialNumber(),
        subject: "CN=server",
        issuer: this.subject,
        notBefore: new Date(Date.now() - 2 * DAY_MS),
        notAfter: new Date(Date.now() + validMs),
        publicKey: await webcrypto.subtle.importKey("spki", spki, ALGORITHM, true, ["verify"]),
        signingKey: this.keys.privateKey,
        signingAlgorithm: ALGORITHM,
        extensions: [new x509.SubjectAlternativeNameExtension(names)],
      },
      webcrypto,
    );
    return {
      cert: certificate.toString("pem"),
      key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    };
  }
}

function serialNumber(): string {
  return `01${randomBytes(15).toString("hex")}`;
}
