import type { Crypto, Identity, RandomBytes } from "../crypto/crypto.js";
import { hmac } from "../crypto/hkdf.js";
import { SignTag, signedMessage } from "../crypto/sign.js";
import type { VerdictCache } from "../crypto/verdicts.js";
import { halfMessage } from "../router/trust.js";
import { concatBytes, equalBytes, uint16, uint48 } from "../wire/bytes.js";
import { CloseCode } from "../wire/codes.js";
import { CAPABILITY_LEAF, CERT, HELLO, helloVersion, PROOF } from "../wire/hello.js";
import { Kind, kindOf } from "../wire/kinds.js";
import { EPOCH_MAX, HELLO_BYTES_MAX, HELLO_NONCE_BYTES, PROOF_MAC_BYTES, PROTOCOL_VERSION } from "../wire/limits.js";
import type { Port } from "./ports.js";

/** What a node brings to each of its hellos. */
export interface HelloTerms {
  readonly crypto: Crypto;
  readonly verdicts: VerdictCache;
  readonly identity: Identity;
  readonly networkId: Uint8Array;
  /** The network's pre-shared secret; empty without one. */
  readonly secret: Uint8Array;
  readonly leaf: boolean;
  readonly random: RandomBytes;
  /** True where the allow-list has the key, or there is none. */
  admits(key: Uint8Array): boolean;
  /** Takes one hello out of the budget of signatures that strangers may cost; false where it is spent. */
  spend(nowMs: number): boolean;
  /** The port that belongs to the key, held for this hello from now on; undefined where the node has no room for the link. */
  claim(key: Uint8Array, nowMs: number): Port | undefined;
  /** The node's next epoch. */
  nextEpoch(): number;
}

/** How a link came to be. */
export interface HelloSide {
  /** True where this node opened the link. */
  readonly dialled: boolean;
  /** The keys that the dialler expects, one of them; any where undefined. */
  readonly expectedKeys?: readonly Uint8Array[] | undefined;
  /** The secret of this link, where it is not the network's. */
  readonly secret?: Uint8Array | undefined;
}

/** What a hello leaves behind: the neighbour and both halves of the link certificate. */
export interface Acquaintance {
  readonly key: Uint8Array;
  readonly leaf: boolean;
  readonly port: Port;
  readonly theirPort: number;
  readonly linkEpoch: number;
  readonly ourHalf: Uint8Array;
  readonly theirHalf: Uint8Array;
  /** Round-trip time of the hello's own messages. */
  readonly rttMs: number;
}

const ROLE_DIALLER = 0;
const ROLE_LISTENER = 1;
type Awaited = typeof Kind.HELLO | typeof Kind.PROOF | typeof Kind.CERT;

/**
 * The hello of one link, for both roles; `wire/hello.ts` draws the sequence. The listener is silent until a hello that it accepts,
 * and gives no port and makes no signature before the dialler's proof holds.
 *
 * `handleMessage` takes the other side's messages, `pollTransmit` gives ours, `acquaintance` is there once all is proved.
 */
export class Hello {
  /** Ours for the other's key, from the proof on: held also where the hello fails later. */
  port: Port | undefined;
  acquaintance: Acquaintance | undefined;

  readonly #terms: HelloTerms;
  readonly #side: HelloSide;
  readonly #outgoing: Uint8Array[] = [];
  #awaited: Awaited = Kind.HELLO;
  /** Our HELLO, as sent. */
  #ours: Uint8Array = new Uint8Array(0);
  #theirKey: Uint8Array = new Uint8Array(0);
  #theyAreLeaf = false;
  #transcript: Uint8Array = new Uint8Array(0);
  #linkEpoch = 0;
  #theirPort = 0;
  #ourHalf: Uint8Array = new Uint8Array(0);
  #askedMs = 0;
  #rttMs = 0;

  constructor(terms: HelloTerms, side: HelloSide, nowMs: number) {
    this.#terms = terms;
    this.#side = side;
    if (side.dialled) this.#sendHello(nowMs);
  }

  /** Why the link must be closed, or undefined. */
  handleMessage(message: Uint8Array, nowMs: number): CloseCode | undefined {
    if (message.length > HELLO_BYTES_MAX) return CloseCode.OVERSIZE;
    const kind = kindOf(message);
    if (kind < 0) return CloseCode.MALFORMED;
    if (kind !== this.#awaited || this.acquaintance !== undefined) return CloseCode.UNEXPECTED;
    switch (kind) {
      case Kind.HELLO:
        return this.#handleHello(message, nowMs);
      case Kind.PROOF:
        return this.#handleProof(message, nowMs);
      case Kind.CERT:
        return this.#handleCert(message);
    }
  }

  pollTransmit(): Uint8Array | undefined {
    return this.#outgoing.shift();
  }

  #handleHello(message: Uint8Array, nowMs: number): CloseCode | undefined {
    if (helloVersion(message) !== PROTOCOL_VERSION) return CloseCode.VERSION;
    const hello = HELLO.decode(message);
    if (typeof hello === "number") return hello;
    const terms = this.#terms;
    if (!equalBytes(hello.network, terms.networkId)) return CloseCode.NETWORK;
    if (equalBytes(hello.key, terms.identity.publicKey)) return CloseCode.SELF;
    const expected = this.#side.expectedKeys;
    if (expected !== undefined && !expected.some((key) => equalBytes(key, hello.key))) return CloseCode.KEY_MISMATCH;
    if (!terms.admits(hello.key)) return CloseCode.NOT_ALLOWED;
    this.#theirKey = hello.key.slice();
    this.#theyAreLeaf = (hello.capabilities & CAPABILITY_LEAF) !== 0;
    this.#awaited = Kind.PROOF;
    if (!this.#side.dialled) this.#sendHello(nowMs);
    const both = this.#side.dialled ? [this.#ours, message] : [message, this.#ours];
    this.#transcript = terms.crypto.hash(concatBytes(...both));
    return this.#side.dialled ? this.#sendProof(0, nowMs) : undefined;
  }

  #handleProof(message: Uint8Array, nowMs: number): CloseCode | undefined {
    const proof = PROOF.decode(message);
    if (typeof proof === "number") return proof;
    const role = this.#side.dialled ? ROLE_LISTENER : ROLE_DIALLER;
    const proved = this.#provedMessage(role, proof.port, proof.linkEpoch);
    if (!sameMac(proof.mac, this.#macOf(proved))) return CloseCode.SECRET;
    if (!this.#side.dialled && !this.#terms.spend(nowMs)) return CloseCode.BUSY;
    if (!this.#terms.crypto.verify(proved, proof.signature, this.#theirKey)) return CloseCode.SIGNATURE;
    this.#theirPort = proof.port;
    this.#rttMs = nowMs - this.#askedMs;
    this.#awaited = Kind.CERT;
    if (this.#side.dialled) {
      this.#agree(proof.linkEpoch);
      return undefined;
    }
    const refusal = this.#sendProof(proof.linkEpoch, nowMs);
    if (refusal === undefined) this.#sendCert();
    return refusal;
  }

  #handleCert(message: Uint8Array): CloseCode | undefined {
    const cert = CERT.decode(message);
    if (typeof cert === "number") return cert;
    const { verdicts, networkId, identity } = this.#terms;
    const half = halfMessage(networkId, this.#theirKey, identity.publicKey, this.#theirPort, this.#linkEpoch);
    if (!verdicts.verify(half, cert.signature, this.#theirKey)) return CloseCode.SIGNATURE;
    if (this.#side.dialled) this.#sendCert();
    this.acquaintance = {
      key: this.#theirKey,
      leaf: this.#theyAreLeaf,
      port: this.port!,
      theirPort: this.#theirPort,
      linkEpoch: this.#linkEpoch,
      ourHalf: this.#ourHalf,
      theirHalf: cert.signature.slice(),
      rttMs: this.#rttMs,
    };
    return undefined;
  }

  #sendHello(nowMs: number): void {
    const { networkId, identity, leaf, random } = this.#terms;
    this.#ours = HELLO.encode({
      version: PROTOCOL_VERSION,
      network: networkId,
      capabilities: leaf ? CAPABILITY_LEAF : 0,
      key: identity.publicKey,
      nonce: random(HELLO_NONCE_BYTES),
    });
    this.#outgoing.push(this.#ours);
    this.#askedMs = nowMs;
  }

  /** `theirEpoch` is what the other side proposed: 0 where it has yet to. */
  #sendProof(theirEpoch: number, nowMs: number): CloseCode | undefined {
    const port = this.#terms.claim(this.#theirKey, nowMs);
    if (port === undefined) return CloseCode.BUSY;
    this.port = port;
    const proposal = Math.max(this.#terms.nextEpoch(), port.lastEpoch + 1);
    if (proposal > EPOCH_MAX) return CloseCode.STALE_EPOCH;
    this.#linkEpoch = proposal;
    this.#agree(theirEpoch);
    const role = this.#side.dialled ? ROLE_DIALLER : ROLE_LISTENER;
    const proved = this.#provedMessage(role, port.number, proposal);
    const signature = this.#terms.crypto.sign(proved, this.#terms.identity);
    this.#outgoing.push(PROOF.encode({ port: port.number, linkEpoch: proposal, mac: this.#macOf(proved), signature }));
    this.#askedMs = nowMs;
    return undefined;
  }

  /** Of two proposals the larger is the link's epoch. */
  #agree(theirEpoch: number): void {
    this.#linkEpoch = Math.max(this.#linkEpoch, theirEpoch);
    const port = this.port!;
    port.lastEpoch = Math.max(port.lastEpoch, this.#linkEpoch);
  }

  #sendCert(): void {
    const { crypto, identity, networkId } = this.#terms;
    const port = this.port!;
    const half = halfMessage(networkId, identity.publicKey, this.#theirKey, port.number, this.#linkEpoch);
    this.#ourHalf = crypto.sign(half, identity);
    port.certified = true;
    this.#outgoing.push(CERT.encode({ signature: this.#ourHalf }));
  }

  #provedMessage(role: number, port: number, linkEpoch: number): Uint8Array {
    const roleByte = Uint8Array.of(role);
    const { networkId } = this.#terms;
    return signedMessage(SignTag.HELLO_PROOF, networkId, this.#transcript, roleByte, uint16(port), uint48(linkEpoch));
  }

  #macOf(proved: Uint8Array): Uint8Array {
    return hmac(this.#terms.crypto, this.#side.secret ?? this.#terms.secret, proved).subarray(0, PROOF_MAC_BYTES);
  }
}

/** Compares in a time that does not depend on where the bytes differ. */
function sameMac(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ (b[i] ?? 0);
  return difference === 0;
}
