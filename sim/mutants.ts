import type { Swarm } from "./fuzz.js";

/** A change of one place in the compiled code: `find` must be there exactly once. */
export interface Edit {
  /** Path below the build folder. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A deliberate fault, and the checker that must find it. */
export interface Mutant {
  readonly name: string;
  readonly caughtBy: string;
  readonly edits: readonly Edit[];
  /** What the seeds draw in its place: an adversary that makes use of the fault. */
  readonly swarm: Partial<Swarm>;
}

const mutant = (
  name: string,
  caughtBy: string,
  file: string,
  find: string,
  replace: string,
  swarm: Partial<Swarm> = {},
): Mutant => ({
  name,
  caughtBy,
  edits: [{ file: `src/${file}.js`, find, replace }],
  swarm,
});

/**
 * Faults such as people make: each is put in while the module is loaded, so neither the source nor the build knows of them. The first
 * is a canary, which nothing could overlook.
 */
export const MUTANTS: readonly Mutant[] = [
  mutant("canary: a timer throws", "crash", "node/node", "this.#requests.handleTimeout(nowMs);", "throw new Error();"),
  mutant(
    "any path is feasible",
    "circles",
    "router/feasibility",
    "return least === undefined ||",
    "return true || least === undefined ||",
  ),
  mutant(
    "a parent's path may lead through me",
    "own-path",
    "router/ancestry",
    "const throughMe = reader.edges.passes(path, reader.trust.key);",
    "const throughMe = false;",
  ),
  mutant(
    "the signatures of edges are not checked",
    "coordinates",
    "router/trust",
    "return (this.verdicts.verify(half,",
    "return true || (this.verdicts.verify(half,",
    { adversary: "forger" },
  ),
  mutant(
    "the signatures of heartbeats are not checked",
    "coordinates",
    "router/trust",
    "return this.verdicts.verify(this.heartbeatMessage(tree, seq), signature, root);",
    "return true;",
    { adversary: "forger" },
  ),
  mutant(
    "a node takes its own port for its coordinate",
    "coordinates",
    "router/place",
    "coordinates: [...announced.coordinates, parent.theirPort]",
    "coordinates: [...announced.coordinates, parent.port]",
  ),
  mutant("the worse root wins", "views", "router/tree", "return order > 0;", "return order < 0;"),
  mutant("a lost parent is kept", "views", "router/tree", "this.#loseParent(true, nowMs);", "void this.#loseParent;"),
  mutant("deletions are not told", "views", "router/upward", "dels.push(idBytes(id));", "void idBytes;"),
  mutant(
    "deletions from below are not taken",
    "views",
    "router/subtree",
    "this.#remove(port, id, nowMs + this.config.batchMs);",
    "void id;",
  ),
  mutant(
    "the keys of a lost child are kept for ever",
    "tables",
    "router/registrar",
    "subtree.handleLinkDown(port, nowMs);",
    "void subtree;",
  ),
  {
    name: "a frame turns back, and goes up after it went down",
    caughtBy: "loops",
    swarm: {},
    edits: [
      { file: "src/router/key-step.js", find: "!course.isDown && depth > highest", replace: "depth > highest" },
      { file: "src/router/key-step.js", find: "parent === 0 || parent === barred ||", replace: "parent === 0 ||" },
      { file: "src/router/key-step.js", find: "!isDeeper || child === barred ||", replace: "!isDeeper ||" },
    ],
  },
  mutant(
    "a probe by locator need not come nearer",
    "loops",
    "router/tree-step",
    "if (peer.port === ingress || distance >= least)",
    "if (peer.port === ingress)",
  ),
  mutant("hops are not counted", "hops", "router/forward", "editHops(frame);", "void editHops;"),
  mutant(
    "whoever stands at the end of a route takes the frame",
    "delivery",
    "router/forward",
    "if (dataIsFor(frame, this.view.key))",
    "if (dataIsFor(frame, this.view.key) || (ingress > 0 && dataIndex(frame) === dataRouteLength(frame)))",
  ),
  mutant(
    "a queue takes whatever comes",
    "queues",
    "router/queue",
    "while (room.sizeBytes + frame.length > room.sizeBytesMax)",
    "while (room.sizeBytes + frame.length > 9 * room.sizeBytesMax)",
  ),
  mutant("frames sent on are not counted", "counters", "router/router", "this.stats.forwarded++;", ";"),
  mutant(
    "frames without a way are not counted",
    "counters",
    "router/forward",
    "return countDrop(this.drops, DropReason.NO_WAY);",
    "return DropReason.NO_WAY;",
  ),
  mutant(
    "a gap in a stream is taken for its end",
    "streams",
    "session/receive-stream",
    "while (ahead.count > 0 && ahead.start(0) <= this.#contiguous)",
    "while (ahead.count > 0)",
  ),
  mutant(
    "what was lost is not sent again",
    "reach",
    "session/send-stream",
    "this.#lost.insert(Math.max(offset, this.#base), offset + length);",
    "",
  ),
  {
    name: "packets are not encrypted",
    caughtBy: "secrets",
    swarm: {},
    edits: [
      {
        file: "src/driver/native-crypto.js",
        find: "sodium.crypto_aead_chacha20poly1305_ietf_encrypt(out, plaintext, ad, null, nonce, key);",
        replace: "out.set(plaintext);",
      },
      {
        file: "src/driver/native-crypto.js",
        find: "return sodium.crypto_aead_chacha20poly1305_ietf_decrypt(out, null, ciphertext, ad, nonce, key) === out.length;",
        replace: "return out.set(ciphertext.subarray(0, out.length)) === undefined;",
      },
    ],
  },
  mutant("links are pinged ten times as often", "idle-traffic", "node/config", "usedMs: 5_000", "usedMs: 500"),
  mutant(
    "a root gives a seq every second",
    "idle-traffic",
    "router/config",
    "heartbeatMs: 30_000",
    "heartbeatMs: 1_000",
  ),
  mutant("a dead link is kept for minutes", "reach", "node/config", "deadMs: 3_000", "deadMs: 300_000"),
  mutant(
    "an announcement claims more delay than it may",
    "limits",
    "router/announcer",
    "Math.min(Math.round(ancestry.delayMs), DELAY_HINT_MS_MAX)",
    "Math.round(ancestry.delayMs) + DELAY_HINT_MS_MAX",
  ),
  mutant(
    "a child registers as many keys as it likes",
    "tables",
    "router/subtree",
    "if (isFull && table.find(child, 0, port) < 0)",
    "if (false && isFull && table.find(child, 0, port) < 0)",
    { adversary: "child-inventor" },
  ),
  mutant(
    "locators that peers hand on are not checked",
    "locators",
    "router/paths",
    "if (!isTrue) {",
    "if (false && !isTrue) {",
    { adversary: "locator-liar", contactsPerS: 10 },
  ),
  mutant(
    "probes without a way are not counted",
    "fates",
    "router/probe-relay",
    "return countDrop(this.drops, DropReason.NO_WAY);",
    "return DropReason.NO_WAY;",
  ),
  mutant(
    "a detour keeps its route when it goes on by key",
    "limits",
    "wire/probe",
    "frame[LENGTH_AT] = 0;",
    "void LENGTH_AT;",
  ),
  mutant(
    "an answer has more records than its request allows",
    "limits",
    "router/balls",
    "this.parts(WAVE, BALL_RECORDS_BYTES_MAX, nowMs)",
    "this.parts(WAVE, 9 * BALL_RECORDS_BYTES_MAX, nowMs)",
    { graph: { kind: "scale-free", nodes: 24, degree: 10, delayMs: [1, 20] }, flows: 3, adversary: undefined },
  ),
  mutant(
    "a reply that comes late is not counted",
    "fates",
    "router/probes",
    "if (isLate)\n            this.stats.repliesLate++;\n        else",
    "if (!isLate)",
  ),
  mutant(
    "a silent node is asked for its record without end",
    "idle-traffic",
    "router/balls",
    "return (this.#silent.get(id) ?? 0) <= nowMs && this.map.get(id, nowMs) === undefined;",
    "return this.map.get(id, nowMs) === undefined;",
  ),
  mutant("a route counts as used for ever", "idle-traffic", "router/path-config", "usedMs: 10_000", "usedMs: 1e9"),
];
