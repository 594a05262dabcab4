import type { Crypto } from "../crypto/crypto.js";
import { TREE_DEFAULTS, type TreeConfig } from "../router/config.js";
import { PATH_DEFAULTS, type PathConfig } from "../router/path-config.js";
import { SESSION_DEFAULTS, type SessionConfig } from "../session/config.js";
import { PORT_MAX } from "../wire/limits.js";

/** Local limits and times of a node's links. Each node may have its own; none is part of the protocol. */

/** When a link's silence is looked into. Times are milliseconds. */
export interface KeepAliveConfig {
  /** Silence on a link that a tree or a route uses, before a ping. */
  readonly usedMs: number;
  /** Silence on any other link. */
  readonly idleMs: number;
  /** Silence on a link with a leaf at either end, unless data passed lately. */
  readonly leafMs: number;
  /** A parent waits so much longer than its child, so that one of them pings. */
  readonly parentExtraMs: number;
  /** A link counts as used by a route this long after a DATA frame. */
  readonly dataUseMs: number;
  /** Silence after something was sent, before a ping. */
  readonly unheardMs: number;
  /** Silence after a ping, or after the frame that nothing followed before it, until the link is dead. */
  readonly deadMs: number;
  /** Silence after a ping that is waited for in any case. */
  readonly answerMs: number;
  /** Pings that a neighbour may send: at once, and a second. More closes the link. A pong costs 10 µs. */
  readonly pingsBurst: number;
  readonly pingsPerSecond: number;
}

/** How much of what a link was given may be under way. */
export interface LinkWindowConfig {
  /** Bytes under way before anything is known of a link, and the least and the most ever. No memory of this process: the kernel holds them. */
  readonly firstBytes: number;
  readonly bytesMin: number;
  readonly bytesMax: number;
  /** The least where nothing waited for the window: a few acknowledgements say little of what the line takes. */
  readonly idleBytesMin: number;
  /** Milliseconds that what is under way may wait behind itself: long enough that the line never runs dry. */
  readonly queueMs: number;
  /** Bytes that may so wait at least: two packets and a little. */
  readonly queueBytesMin: number;
  /** Milliseconds for which a delay must stand to be one. */
  readonly intervalMs: number;
  /** A delay that is not of the link's own making is taken for the line's for so many milliseconds. */
  readonly raisedMs: number;
  /** Milliseconds between two pings that ask what came. */
  readonly markGapMs: number;
}

export interface NodeConfig {
  /** A link without a complete hello is closed after this long. */
  readonly helloTimeoutMs: number;
  /**
   * Links that others opened and whose hello is not complete. One more closes the oldest: an honest hello takes two round trips, so
   * under a flood it is through long before it is the oldest. 4 KB each, 1 MB together.
   */
  readonly hellosMax: number;
  /** Hellos of strangers that cost signatures: at once, and a second. One costs two of ours and two checks. */
  readonly hellosBurst: number;
  readonly hellosPerSecond: number;
  /** Links to which a port number was given, so all with a complete hello. 2 KB each, 2 MB together, beside what the router keeps. */
  readonly linksMax: number;
  /** Port numbers in use or at rest: 250 bytes each, 16 MB together. A flood of keys at the full budget never uses them up. */
  readonly portsMax: number;
  /** A freed port number rests this long before another key gets it. */
  readonly portRestMs: number;
  /** A neighbour that takes nothing of what waits for it is closed after this long. */
  readonly slowMs: number;
  /** Pings, traces and look-ups under way: 1 KB each. */
  readonly requestsMax: number;
  /** A ping, trace or look-up without an answer fails after this long. */
  readonly requestTimeoutMs: number;
  /** After a search for a route failed the next one for a session's packets begins this much later. */
  readonly searchGapMs: number;
  /** Packets that a session sends by a route that no probe confirmed yet: a handshake and an initial window. */
  readonly unprovedPackets: number;
  /** Records of the balls that a session exchanges at first. */
  readonly ballStart: number;
  /** An exchange of balls of which the last part did not come begins again after this long, if the session is in use. */
  readonly ballRetryMs: number;
  /** Balls that a session sends its peer: a second, and at once. Each is up to `notesMax` packets. */
  readonly ballWantsPerS: number;
  readonly ballWantsBurst: number;
  /** Peers of sessions that are asked for the locator of a key that a search does not find. */
  readonly seekPeersMax: number;
  /** Locators that peers may ask for, all together: a second, and at once; half is kept for those that ask for few. */
  readonly locatesPerS: number;
  readonly locatesBurst: number;
  /** Frames that leave a full queue before sessions are asked for more. */
  readonly refillFrames: number;
  readonly keepAlive: KeepAliveConfig;
  readonly linkWindow: LinkWindowConfig;
  readonly sessions: SessionConfig;
  readonly trees: TreeConfig;
  readonly paths: PathConfig;
}

const DEFAULTS: NodeConfig = {
  helloTimeoutMs: 10_000,
  hellosMax: 256,
  hellosBurst: 100,
  hellosPerSecond: 100,
  linksMax: 1_024,
  portsMax: 65_535,
  portRestMs: 600_000,
  slowMs: 15_000,
  requestsMax: 256,
  requestTimeoutMs: 10_000,
  searchGapMs: 1_000,
  unprovedPackets: 16,
  ballStart: 16,
  ballRetryMs: 30_000,
  ballWantsPerS: 0.2,
  ballWantsBurst: 6,
  seekPeersMax: 8,
  locatesPerS: 32,
  locatesBurst: 128,
  refillFrames: 16,
  keepAlive: {
    usedMs: 5_000,
    idleMs: 20_000,
    leafMs: 120_000,
    parentExtraMs: 1_500,
    dataUseMs: 10_000,
    unheardMs: 1_000,
    deadMs: 3_000,
    answerMs: 2_000,
    pingsBurst: 256,
    pingsPerSecond: 1_024,
  },
  linkWindow: {
    firstBytes: 64 * 1024,
    bytesMin: 4 * 1024,
    bytesMax: 16 * 1024 * 1024,
    idleBytesMin: 16 * 1024,
    queueMs: 15,
    queueBytesMin: 3_000,
    intervalMs: 100,
    raisedMs: 60_000,
    markGapMs: 4,
  },
  sessions: SESSION_DEFAULTS,
  trees: TREE_DEFAULTS,
  paths: PATH_DEFAULTS,
};

/** In portable form a hello costs 20 ms of CPU, not 0.2, a signature 6 ms to check and 2.4 to make, a handshake 6 ms: for small networks. */
const PORTABLE: Partial<NodeConfig> = {
  hellosBurst: 20,
  hellosPerSecond: 20,
  sessions: { ...SESSION_DEFAULTS, handshakesBurst: 32, handshakesPerSecond: 8 },
  trees: { ...TREE_DEFAULTS, signaturesBurst: 1_024, signaturesPerSecond: 64 },
  paths: { ...PATH_DEFAULTS, signRatePerS: 32 },
};

/** The defaults for a set of crypto, with what differs from them. Throws a RangeError where the limits contradict each other. */
export function nodeConfig(crypto: Crypto["name"], overrides: Partial<NodeConfig> = {}): NodeConfig {
  const config = { ...DEFAULTS, ...(crypto === "portable" ? PORTABLE : {}), ...overrides };
  const restingMax = config.hellosBurst + (config.hellosPerSecond * config.portRestMs) / 1_000;
  if (config.portsMax > PORT_MAX) throw new RangeError(`portsMax must not exceed ${PORT_MAX}`);
  if (restingMax + config.linksMax > config.portsMax)
    throw new RangeError("portsMax must hold all links, and every port that rests after a flood of hellos");
  if (config.paths.destinationsMax < config.sessions.sessionsMax + config.sessions.halfOpenMax)
    throw new RangeError("destinationsMax must hold the peers of all sessions");
  return config;
}
