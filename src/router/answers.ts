import { SignTag, signedMessage } from "../crypto/sign.js";
import { SharedBudget } from "../wire/budget.js";
import { uint16 } from "../wire/bytes.js";
import { DropReason } from "../wire/codes.js";
import { PROBE_REPLY, probeNonce, probeRouteBack, probeRouteForward } from "../wire/probe.js";
import { countDrop } from "./drops.js";
import type { PathDeps } from "./path-deps.js";
import type { PathStats } from "./path-stats.js";
import type { RoutingView } from "./peer.js";
import { encodePorts } from "./ports.js";
import type { ProbeRelay } from "./probe-relay.js";

/** What the target of a probe signs. Both routes have as many ports as the count says. */
export function replyMessage(
  networkId: Uint8Array,
  reply: { nonce: Uint8Array; forward: Uint8Array; back: Uint8Array; locator: Uint8Array },
): Uint8Array {
  const count = uint16(reply.forward.length / 2);
  return signedMessage(SignTag.PROBE_REPLY, networkId, reply.nonce, count, reply.forward, reply.back, reply.locator);
}

/** Answers probes as their target, within a budget of signatures that the ingresses share. */
export class Answers {
  readonly #signatures: SharedBudget;

  constructor(
    private readonly view: RoutingView,
    private readonly relay: ProbeRelay,
    private readonly deps: PathDeps,
    private readonly stats: PathStats,
    nowMs: number,
  ) {
    this.#signatures = new SharedBudget(deps.config.signRatePerS, deps.config.signBurst, nowMs);
  }

  /** Answers the probe `frame` that came in by `ingress`. */
  answer(frame: Uint8Array, ingress: number, nowMs: number): void {
    const { crypto, identity, networkId, drops } = this.deps;
    if (!this.#signatures.take(ingress, nowMs)) {
      countDrop(drops, DropReason.SIGN_RATE);
      return;
    }
    const { bytes: locator, signature: locatorSignature } = this.view.locator();
    const routes = {
      nonce: probeNonce(frame),
      forward: encodePorts(probeRouteForward(frame)),
      back: encodePorts(probeRouteBack(frame, ingress)),
      locator,
    };
    const signature = crypto.sign(replyMessage(networkId, routes), identity);
    const reply = { hops: 0, index: 0, key: this.view.key, locatorSignature, signature, ...routes };
    this.stats.probesAnswered++;
    this.relay.sendBack(reply, 0, (moved) => PROBE_REPLY.encode(moved));
  }
}
