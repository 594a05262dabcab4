import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import type { Identity } from "../../src/crypto/crypto.js";
import { VerdictCache } from "../../src/crypto/verdicts.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { TREE_DEFAULTS } from "../../src/router/config.js";
import { PATH_DEFAULTS } from "../../src/router/path-config.js";
import { Router } from "../../src/router/router.js";
import { halfMessage } from "../../src/router/trust.js";
import { Kind, kindOf } from "../../src/wire/kinds.js";
import { DATA, dataValues, encodeFixed, PROBE, probeValues } from "../wire/fixed.js";
import { LAYOUTS } from "../wire/layouts.js";
import { type Mutation, messageLike, mutate, mutation } from "../wire/mutate.js";
import { valuesOf } from "../wire/shapes.js";
import { fuzzRuns } from "./runs.js";

/*
 * Three routers in a line, a - b - c. Whoever holds the wire between a and b delivers, damages, repeats, drops and invents frames both
 * ways, in any order. b and c must stay whole: nothing thrown, no rule broken between them, and c finds b.
 */

const crypto = nativeCrypto();
const verdicts = new VerdictCache(crypto, { max: 100_000 });
const networkId = new TextEncoder().encode("fuzz");
const identities = [1, 2, 3].map((seed) => crypto.identityFromSeed(new Uint8Array(32).fill(seed)));

class Station {
  readonly router: Router;
  /** Port to the frames that wait there to be delivered. */
  readonly sent = new Map<number, Uint8Array[]>();
  readonly violations: { readonly port: number; readonly code: number }[] = [];
  readonly routes: string[] = [];

  constructor(
    readonly identity: Identity,
    nowMs: number,
  ) {
    let count = 0;
    const random = (size: number) =>
      crypto.hash(Uint8Array.of(...identity.seed, count++ & 255, count >>> 8)).slice(0, size);
    const options = { crypto, verdicts, identity, networkId, random, leaf: false };
    this.router = new Router(
      { ...options, wallMs: 1_700_000_000_000, storedEpoch: 0, trees: TREE_DEFAULTS, paths: PATH_DEFAULTS },
      nowMs,
    );
  }

  get key(): Uint8Array {
    return this.identity.publicKey;
  }

  receive(frame: Uint8Array, port: number, nowMs: number): void {
    if (kindOf(frame) === Kind.DATA) this.router.forward(frame, port, nowMs);
    else this.router.handleControl(frame, port, nowMs);
    this.settle(nowMs);
  }

  /** What a driver does after each input. */
  settle(nowMs: number): void {
    if (this.router.pollTimeout() <= nowMs) this.router.handleTimeout(nowMs);
    for (let event = this.router.pollEvent(); event !== undefined; event = this.router.pollEvent()) {
      if (event.type === "violation") this.violations.push(event);
      if (event.type === "route") this.routes.push(Buffer.from(event.key).toString("hex"));
    }
    for (let port = this.router.pollReady(); port !== 0; port = this.router.pollReady()) {
      const sent = this.sent.get(port) ?? [];
      this.sent.set(port, sent);
      for (let frame = this.router.pollTransmit(port); frame !== undefined; frame = this.router.pollTransmit(port))
        sent.push(frame);
    }
  }
}

/** Both halves of a link certificate, and the link up at both ends. */
function join(x: Station, portAtX: number, y: Station, portAtY: number, linkEpoch: number, nowMs: number): void {
  const half = (signer: Station, other: Station, port: number) =>
    crypto.sign(halfMessage(networkId, signer.key, other.key, port, linkEpoch), signer.identity);
  const [xHalf, yHalf] = [half(x, y, portAtX), half(y, x, portAtY)];
  const common = { leaf: false, linkEpoch, rttMs: 10 };
  x.router.handleLinkUp(
    { ...common, port: portAtX, key: y.key, theirPort: portAtY, theirHalf: yHalf, ourHalf: xHalf },
    nowMs,
  );
  y.router.handleLinkUp(
    { ...common, port: portAtY, key: x.key, theirPort: portAtX, theirHalf: xHalf, ourHalf: yHalf },
    nowMs,
  );
  x.settle(nowMs);
  y.settle(nowMs);
}

type Step =
  | { readonly type: "deliver" | "repeat" | "drop"; readonly toB: boolean; readonly which: number }
  | { readonly type: "damage"; readonly toB: boolean; readonly which: number; readonly change: Mutation }
  | { readonly type: "invent"; readonly toB: boolean; readonly frame: Uint8Array }
  | { readonly type: "wait"; readonly ms: number };

const invented = fc.oneof(
  messageLike,
  ...Object.values(LAYOUTS).map((layout) => valuesOf(layout).map((values) => layout.encode(values))),
  dataValues.map((values) => encodeFixed(DATA, values)),
  probeValues.map((values) => encodeFixed(PROBE, values)),
);
const toB = fc.boolean();
const which = fc.nat({ max: 20 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom("deliver", "repeat", "drop"), toB, which }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("damage"), toB, which, change: mutation }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("invent"), toB, frame: invented }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("wait"), ms: fc.constantFrom(1, 30, 100, 1_000, 30_000) }) },
);

class Line {
  nowMs = 0;
  readonly a = new Station(identities[0]!, 0);
  readonly b = new Station(identities[1]!, 0);
  readonly c = new Station(identities[2]!, 0);
  #epoch = 1_700_000_000_000;
  /** Links between a and b that were closed for a broken rule. */
  broken = 0;

  constructor() {
    join(this.a, 1, this.b, 1, ++this.#epoch, 0);
    join(this.b, 2, this.c, 1, ++this.#epoch, 0);
  }

  run(step: Step): void {
    if (step.type === "wait") this.wait(step.ms);
    else if (step.type === "invent") this.#give(step.toB, step.frame.slice());
    else this.#handle(step);
    this.#mend();
    this.honest();
  }

  #handle(step: Exclude<Step, { type: "wait" | "invent" }>): void {
    const waiting = (step.toB ? this.a : this.b).sent.get(1) ?? [];
    const at = step.which % Math.max(1, waiting.length);
    const frame = step.type === "repeat" ? waiting[at]?.slice() : waiting.splice(at, 1)[0];
    if (frame === undefined || step.type === "drop") return;
    this.#give(step.toB, step.type === "damage" ? mutate(frame, step.change) : frame);
  }

  #give(toB: boolean, frame: Uint8Array): void {
    (toB ? this.b : this.a).receive(frame, 1, this.nowMs);
  }

  /** A link that broke a rule is closed, and dialled anew. */
  #mend(): void {
    if (this.a.violations.length + this.b.violations.length === 0) return;
    this.broken++;
    for (const { port } of this.b.violations) assert.equal(port, 1, "the honest link is never blamed");
    for (const station of [this.a, this.b]) {
      station.violations.length = 0;
      station.sent.delete(1);
      station.router.handleLinkDown(1, this.nowMs);
      station.settle(this.nowMs);
    }
    join(this.a, 1, this.b, 1, ++this.#epoch, this.nowMs);
  }

  /** Delivers everything between b and c, and what comes of it. */
  honest(): void {
    for (let moved = true; moved; ) {
      moved = false;
      for (const [from, to, port, toPort] of [
        [this.b, this.c, 2, 1],
        [this.c, this.b, 1, 2],
      ] as const) {
        for (const frame of from.sent.get(port)?.splice(0) ?? []) {
          to.receive(frame, toPort, this.nowMs);
          moved = true;
        }
      }
    }
    assert.deepEqual(this.c.violations, [], "and keeps the rules");
  }

  wait(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (let turns = 0; this.nowMs < untilMs; turns++) {
      assert.ok(turns < 10_000, "no router spins");
      const stations = [this.a, this.b, this.c];
      const nextMs = Math.min(untilMs, ...stations.map(({ router }) => router.pollTimeout()));
      this.nowMs = Math.max(this.nowMs, nextMs);
      for (const station of stations) station.settle(this.nowMs);
      this.honest();
    }
  }
}

t.test("whatever is done to one link, its router lives, and its other neighbour is served", async (t) => {
  let broken = 0;
  const numRuns = fuzzRuns(100);
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60, size: "max" }), (steps) => {
      const line = new Line();
      for (const one of steps) line.run(one);
      broken += line.broken;
      const { b, c } = line;
      c.routes.length = 0;
      c.router.paths.findRoute(b.key, undefined, line.nowMs);
      c.settle(line.nowMs);
      line.wait(5_000);
      assert.ok(c.routes.includes(Buffer.from(b.key).toString("hex")), "c finds b");
      for (const station of [b, c]) assert.ok(station.router.trees.every((tree) => tree.position !== undefined));
    }),
    { numRuns },
  );
  t.ok(broken > 0, `${broken} links closed for a broken rule in ${numRuns} runs`);
});
