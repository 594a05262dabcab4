import type { Test } from "tap";
import { chooseCrypto } from "../../src/driver/choose-crypto.js";
import { Clock } from "../../src/driver/clock.js";
import { Overlay, type OverlayOptions } from "../../src/driver/overlay.js";
import type { OverlaySession } from "../../src/driver/overlay-session.js";
import { systemRandom } from "../../src/driver/random.js";
import { selfSignedCertificate } from "../../src/link/certificate.js";
import { Dialer } from "../../src/link/dialer.js";
import type { Link } from "../../src/link/link.js";
import { Listener } from "../../src/link/listener.js";
import { type MemoryLink, memoryPair } from "../../src/link/memory.js";
import { parsePeerUri } from "../../src/link/peer-uri.js";
import { type NodeConfig, nodeConfig } from "../../src/node/config.js";
import { Node } from "../../src/node/node.js";
import { SessionCode } from "../../src/session/codes.js";
import { keyToName } from "../../src/wire/name.js";

const { crypto } = chooseCrypto(process.env);
export const NODE_DEFAULTS = nodeConfig(crypto.name);
export const clock = new Clock();

/** A node with its overlay, in real time. */
export class TestNode {
  readonly identity = crypto.identityFromSeed(systemRandom(32));
  readonly key = this.identity.publicKey;
  readonly name = keyToName(this.key);
  readonly overlay: Overlay;
  /** Each session of this node, in order. */
  readonly sessions: OverlaySession[] = [];
  onSession: (session: OverlaySession) => void = () => {};

  constructor(t: Test, options: Partial<OverlayOptions> = {}, config: Partial<NodeConfig> = {}) {
    const { identity } = this;
    const common = { crypto, identity, random: systemRandom, network: "test" };
    const node = new Node({ ...common, storedEpoch: 0, wallMs: Date.now(), config }, clock.nowMs());
    const onSession = (session: OverlaySession) => {
      this.sessions.push(session);
      this.onSession(session);
    };
    this.overlay = new Overlay({ node, timers: clock, onSession, ...options });
    t.teardown(() => this.overlay.stop());
  }
}

/** Links two nodes; gives both ends, the first node's first. */
export function linkByMemory(a: TestNode, b: TestNode): [MemoryLink, MemoryLink] {
  const [near, far] = memoryPair();
  a.overlay.attach(near);
  b.overlay.attach(far);
  return [near, far];
}

/** Links two nodes by a WebSocket on loopback, as daemons do; `through` may change the first node's end. */
export async function linkByWebSocket(
  t: Test,
  a: TestNode,
  b: TestNode,
  through: (link: Link) => Link = (link) => link,
): Promise<void> {
  const certificate = await selfSignedCertificate(b.identity.seed, b.name);
  const listener = new Listener({ certificate, timers: clock, onLink: (link) => b.overlay.attach(link) });
  await listener.listen(0, "127.0.0.1");
  const dialer = new Dialer({
    uri: parsePeerUri(`ws://127.0.0.1:${listener.address()!.port}/`),
    timers: clock,
    random: Math.random,
    onLink: ({ link }) => a.overlay.attach(through(link)),
  });
  dialer.start();
  t.teardown(async () => {
    dialer.stop();
    await listener.close();
  });
}

/** Resolves once `condition` holds; fails the test after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = clock.nowMs() + 10_000;
  while (!(await condition())) {
    if (clock.nowMs() > endMs) throw new Error("it did not come to pass within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Resolves once a number that grew has not grown for a while. */
export async function untilSteady(read: () => number): Promise<void> {
  for (let last = -1; read() > last; ) {
    last = read();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Resolves once the second node answers the first. */
export function untilReachable(a: TestNode, b: TestNode): Promise<void> {
  return until(async () => (await a.overlay.ping(b.key)).ok);
}

/** Both ends of a new session between two nodes that reach each other, ended with the test. */
export async function openSession(t: Test, a: TestNode, b: TestNode): Promise<[OverlaySession, OverlaySession]> {
  const answered = new Promise<OverlaySession>((resolve) => {
    b.onSession = resolve;
  });
  const ends: [OverlaySession, OverlaySession] = [await a.overlay.connect(b.key), await answered];
  t.teardown(() => {
    ends[0].close(SessionCode.DONE, "the test is over");
    return Promise.all([ends[0].closed, ends[1].closed]);
  });
  return ends;
}
