import type { Crypto, Identity, RandomBytes } from "../crypto/crypto.js";
import type { Drops } from "./drops.js";
import type { PathConfig } from "./path-config.js";
import type { Queues } from "./queues.js";

/** What `Paths` is given by the router. */
export interface PathDeps {
  readonly crypto: Crypto;
  readonly identity: Identity;
  /** The network id as UTF-8: part of every signed message. */
  readonly networkId: Uint8Array;
  /** Nobody's relay. */
  readonly leaf?: boolean;
  readonly random: RandomBytes;
  readonly queues: Queues;
  readonly drops: Drops;
  readonly config: PathConfig;
}
