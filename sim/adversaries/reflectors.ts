import { encodePorts } from "../../src/router/ports.js";
import { BALL_REQUEST } from "../../src/wire/ball.js";
import { Kind } from "../../src/wire/kinds.js";
import { TREE_COUNT } from "../../src/wire/limits.js";
import { editProbeStep, encodeProbe, PROBE_REPLY, ProbeMode } from "../../src/wire/probe.js";
import { type Adversary, openLinks, repeat } from "./adversary.js";

const REFLECT_MS = 100;
const HANDED_ON_MAX = 200;
export const PROBE_BYTES_SENT = "sent bytes of probes";
export const REPLY_BYTES_RECEIVED = "was sent bytes of replies";

/** Has others answer its probes, and hands each answer to neighbours that asked for none. */
export const reflector: Adversary = (host, network, random) => {
  let handedOn = 0;
  network.watch({
    handleDelivery: (to, _end, message) => {
      if (to !== host || message[1] !== Kind.PROBE_REPLY) return;
      host.note(REPLY_BYTES_RECEIVED, message.length);
      const reply = PROBE_REPLY.decode(message);
      if (typeof reply === "number" || handedOn >= HANDED_ON_MAX) return;
      const answer = { ...reply, nonce: reply.nonce.slice(), key: reply.key.slice(), locator: reply.locator.slice() };
      const signatures = {
        locatorSignature: reply.locatorSignature.slice(),
        signature: reply.signature.slice(),
        forward: reply.forward.slice(),
      };
      network.schedule.after(1, () => {
        for (const [, end] of openLinks(host)) {
          handedOn++;
          host.note("handed on a reply that nobody there asked for");
          const back = encodePorts(Uint16Array.of(1 + random.below(4), 1 + random.below(4)));
          host.transmit(end, PROBE_REPLY.encode({ ...answer, ...signatures, hops: 1, index: 1, back }));
        }
      });
    },
  });
  repeat(host, network, REFLECT_MS, () => {
    handedOn = 0;
    for (const [port, end] of openLinks(host)) {
      const tree = random.below(TREE_COUNT);
      const target = network.key(random.below(network.hosts.length));
      const probe = encodeProbe(ProbeMode.KEY, random.bytes(8), target, { tree });
      editProbeStep(probe, 0, port);
      host.note(PROBE_BYTES_SENT, probe.length);
      host.transmit(end, probe);
    }
  });
};

const UNPADDED_MS = 500;

/** Asks with less padding than the answer needs, for more bytes than it sends. */
export const unpadder: Adversary = (host, network, random) => {
  repeat(host, network, UNPADDED_MS, () => {
    for (const [port, end] of openLinks(host)) {
      const key = network.key(random.below(network.hosts.length));
      const whole = random.chance(1, 2)
        ? encodeProbe(ProbeMode.KEY, random.bytes(8), key, {})
        : BALL_REQUEST.encode({
            hops: 1,
            index: 1,
            nonce: random.bytes(8),
            route: encodePorts(Uint16Array.of(port)),
            padding: new Uint8Array(512),
          });
      host.note("asked without the padding");
      host.transmit(end, whole.slice(0, whole.length / 4));
    }
  });
};
