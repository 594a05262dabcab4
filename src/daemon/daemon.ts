import { join } from "node:path";
import type { CryptoChoice } from "../driver/choose-crypto.js";
import { Clock } from "../driver/clock.js";
import { letHeapGrow } from "../driver/heap.js";
import { Overlay } from "../driver/overlay.js";
import type { OverlaySession } from "../driver/overlay-session.js";
import { systemRandom } from "../driver/random.js";
import type { BindingEvent } from "../federation/binding/bindings.js";
import type { Federation } from "../federation/federation.js";
import type { Use } from "../federation/use.js";
import { selfSignedCertificate } from "../link/certificate.js";
import { Discovery } from "../link/discovery.js";
import type { Link } from "../link/link.js";
import type { Listener } from "../link/listener.js";
import { parsePeerUri } from "../link/peer-uri.js";
import { Node } from "../node/node.js";
import type { StoredLocator } from "../router/locators.js";
import { utf8 } from "../wire/bytes.js";
import { TREE_COUNT } from "../wire/limits.js";
import { keyToName } from "../wire/name.js";
import type { Config } from "./config.js";
import { ConfigWatch } from "./config-watch.js";
import { answerRequest } from "./control-answers.js";
import { ControlServer } from "./control-server.js";
import { daemonMetrics } from "./daemon-metrics.js";
import { ErrorCode, messageOf, PinyonError } from "./errors.js";
import { Journal } from "./journal.js";
import { KeptFile } from "./kept-file.js";
import { KeptState } from "./kept-state.js";
import { keyPath, readKey } from "./key-file.js";
import { STOP_LINKS_MS, WARNINGS_MAX } from "./limits.js";
import { openListeners } from "./listeners.js";
import { KeptListsSchema, Lists, NO_LISTS } from "./lists.js";
import type { Log } from "./logs.js";
import { metricsRegistry } from "./metrics.js";
import { MetricsServer } from "./metrics-server.js";
import { openFederation } from "./open-federation.js";
import { Peers } from "./peers.js";
import { Remotes } from "./remotes.js";
import { RootWatch } from "./root-watch.js";
import { controlPath, lockStateFolder } from "./state-folder.js";
import { keyHex } from "./target.js";

export interface DaemonOptions {
  /** The state folder. */
  readonly folder: string;
  readonly config: Config;
  readonly crypto: CryptoChoice;
  readonly log: Log;
  /** Where the config was read, which is looked at while the node runs; undefined: nowhere. */
  readonly configFile?: string | undefined;
  /** Takes each session with another node, whoever asked for it; without it federation does. */
  readonly onSession?: (session: OverlaySession) => void;
}

/** What a node finds in its state folder. */
interface Found {
  readonly seed: Uint8Array;
  readonly kept: KeptState;
  readonly epoch: number;
  readonly locators: readonly StoredLocator[];
  readonly peers: readonly string[];
}

/**
 * A node with all that it needs to run. It starts in this order: lock and state, node, federation, listeners, control socket, metrics,
 * peers, discovery: federation comes before the first link, so that it misses none and no request of another node. What fails on the way
 * undoes what was done. It stops with what asks first, then federation and what it keeps, then the links.
 */
export class Daemon {
  readonly clock = new Clock();
  readonly startedMs = this.clock.nowMs();
  readonly name: string;
  readonly overlay: Overlay;
  readonly peers: Peers;
  /** Links whose hello is complete, by the neighbour's key in hex. */
  readonly links = new Map<string, Link>();
  /** For each tree. */
  readonly roots: readonly RootWatch[] = Array.from({ length: TREE_COUNT }, (_, tree) => new RootWatch(tree));
  listeners: readonly Listener[] = [];
  discovery: Discovery | undefined;
  control: ControlServer | undefined;
  metrics: MetricsServer | undefined;
  federation: Federation | undefined;
  /** Who may use the node as exit or gateway, and who did. */
  lists: Lists | undefined;
  readonly journal: Journal;
  readonly configWatch: ConfigWatch;
  /** Errors that nobody caught. */
  faults = 0;
  readonly #kept: KeptState;
  readonly #remotes: Remotes;
  readonly #seed: Uint8Array;
  #stopped: Promise<void> | undefined;

  /** Starts a node. Throws a `PinyonError` that says what to do. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    letHeapGrow();
    const unlock = await lockStateFolder(options.folder);
    let daemon: Daemon | undefined;
    try {
      const warnings: string[] = [];
      const found = await findState(options.folder, (text) => noteWarning(warnings, options.log, text));
      daemon = new Daemon(options, found, warnings, unlock);
      await daemon.#open(found.peers);
      return daemon;
    } catch (error) {
      if (daemon === undefined) unlock();
      else await daemon.stop();
      throw error;
    }
  }

  private constructor(
    readonly options: DaemonOptions,
    found: Found,
    /** What a person should look at, a sentence each. */
    readonly warnings: string[],
    private readonly unlock: () => void,
  ) {
    const { folder, config, crypto, log, onSession } = options;
    const { seed, kept } = found;
    this.journal = new Journal(join(folder, "uses"), Date.now, (text) => this.warn(text));
    this.configWatch = new ConfigWatch(options.configFile, log, (changed) => this.#handleConfig(changed));
    this.#kept = kept;
    this.#seed = seed;
    const node = makeNode(options, found, this.clock.nowMs());
    this.name = keyToName(node.key, config.suffix);
    this.#remotes = new Remotes(() => this.overlay, config.homeserver?.name ?? this.name, this.clock);
    this.overlay = new Overlay({
      node,
      timers: this.clock,
      onPersist: (value) => kept.saveEpoch(value),
      onLocator: (locator) => kept.saveLocator(locator),
      onRoot: (tree, key) => this.#handleRoot(tree, key),
      onLinkUp: (link, key) => this.#handleLinkUp(link, key),
      onLinkDown: (link, key, { code, reason }) => this.#handleLinkDown(link, key, code, reason),
      onSession: onSession ?? ((session) => this.#remotes.handleSession(session)),
    });
    this.peers = new Peers({
      key: node.key,
      timers: this.clock,
      random: Math.random,
      onLink: ({ link, keys, secret }) =>
        this.overlay.attach(link, { keys, secret: secret === undefined ? undefined : utf8(secret) }),
      isLinked: (key) => this.links.has(keyHex(key)),
      isAllowed: (key) => config.allow === undefined || config.allow.has(keyHex(key)),
    });
    const { fallbackReason } = crypto;
    if (fallbackReason !== undefined) this.warn(`native crypto cannot be loaded, so all is slower: ${fallbackReason}`);
    log.info({ node: this.name }, "node loaded");
  }

  /** Stops the node, within three seconds: tells its peers, writes what it keeps, frees the folder. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Notes what a person should look at. */
  warn(text: string): void {
    noteWarning(this.warnings, this.options.log, text);
  }

  /** An error that nobody caught. The node goes on: whatever it was, it must not take the links of others with it. */
  handleFault(error: unknown): void {
    this.faults++;
    this.options.log.error({ err: error }, `fault: ${messageOf(error)}`);
  }

  /** Keeps the added peers on disk. */
  savePeers(): void {
    this.#kept.savePeers(this.peers.added());
  }

  async #open(addedPeers: readonly string[]): Promise<void> {
    const { folder, config, log } = this.options;
    const keptLists = new KeptFile(join(folder, "lists"), KeptListsSchema, NO_LISTS, (text) => this.warn(text));
    this.lists = await Lists.open(config, keptLists);
    this.federation = await this.#openFederation(this.lists);
    this.listeners = await openListeners(config.listen, {
      certificate: await selfSignedCertificate(this.#seed, keyToName(this.overlay.node.key)),
      timers: this.clock,
      onLink: (link) => this.overlay.attach(link),
    });
    this.control = await ControlServer.listen(controlPath(folder), (request) => answerRequest(this, request), log);
    this.metrics = await MetricsServer.open(metricsRegistry(daemonMetrics(this)), config.metrics.listen, log);
    for (const uri of config.peers) if (!this.peers.has(uri)) this.peers.add(uri, "config");
    for (const text of addedPeers) this.#addKept(text);
    if (config.discovery.enabled) this.#discover();
    this.configWatch.start();
  }

  async #openFederation({ exit, gateway }: Lists): Promise<Federation> {
    const federation = await openFederation({
      ...this.options,
      config: { ...this.options.config, exit, gateway },
      name: this.name,
      seed: this.#seed,
      overlay: this.#remotes,
      timers: this.clock,
      warn: (text) => this.warn(text),
      onUse: (use) => this.#handleUse(use),
      onBinding: (event) => this.#handleBinding(event),
      onFault: (error) => this.handleFault(error),
    });
    this.#remotes.onRequest = (...request) => federation.handleRequest(...request);
    return federation;
  }

  /** The lists changed: whom they no longer name is cut. */
  applyLists(): void {
    const { exit, gateway } = this.lists!;
    this.federation?.setExitRules(exit);
    if (gateway !== undefined) this.federation?.setGatewayRules(gateway);
  }

  #handleConfig(config: Config): void {
    this.lists!.setConfig(config);
    this.applyLists();
  }

  #handleUse(use: Use): void {
    const { way, key, host, port, sizeBytes, tookMs } = use;
    this.journal.append(use);
    if (way === "exit") this.options.log.info({ host, port, sizeBytes, tookMs, node: key }, "exit used");
  }

  #handleBinding({ what, ...binding }: BindingEvent): void {
    const { log } = this.options;
    if (what === "changed") log.warn(binding, "a name is bound to another node than before: refused");
    else log.info(binding, `binding ${what}`);
  }

  /** An added peer that stands in the config file by now is that file's. */
  #addKept(text: string): void {
    try {
      const uri = parsePeerUri(text);
      if (!this.peers.has(uri)) this.peers.add(uri, "added");
    } catch (error) {
      this.warn(`a kept peer cannot be used: ${messageOf(error)}`);
    }
  }

  #discover(): void {
    const { config, crypto } = this.options;
    const port = this.listeners[0]?.address()?.port;
    if (port === undefined) return;
    this.discovery = new Discovery({
      key: this.overlay.node.key,
      networkId: config.network.id,
      hash: (message) => crypto.crypto.hash(message),
      port,
      timers: this.clock,
      random: Math.random,
      onPeer: (peer) => this.peers.handleLanPeer(peer),
    });
    this.discovery.start();
  }

  #handleRoot(tree: number, key: Uint8Array | undefined): void {
    this.options.log.debug({ tree, root: key === undefined ? null : keyToName(key) }, "root changed");
    this.roots[tree]!.handleChange(key, this.clock.nowMs());
  }

  #handleLinkUp(link: Link, key: Uint8Array): void {
    this.options.log.info({ peer: keyToName(key), address: link.remote, dialled: link.dialled }, "link up");
    if (this.links.size === 0) this.federation?.handleConnected();
    this.links.set(keyHex(key), link);
    this.peers.handleLinkUp(link, key);
  }

  #handleLinkDown(link: Link, key: Uint8Array | undefined, code: number | undefined, reason: string): void {
    const { log } = this.options;
    if (key === undefined) {
      log.debug({ address: link.remote, code, reason }, "link without hello ended");
      return;
    }
    log.info({ peer: keyToName(key), address: link.remote, code, reason }, "link down");
    // A newer link to the same node may have taken its place.
    if (this.links.get(keyHex(key)) === link) this.links.delete(keyHex(key));
    this.peers.reconcile();
  }

  async #stop(): Promise<void> {
    this.configWatch.stop();
    this.peers.stop();
    await this.control?.close();
    await this.metrics?.close();
    await this.federation?.stop();
    const links = [this.discovery?.stop(), this.overlay.stop(), ...this.listeners.map((listener) => listener.close())];
    await within(STOP_LINKS_MS, Promise.allSettled(links));
    await Promise.all([this.#kept.flush(), this.lists?.written(), this.journal.written()]);
    this.unlock();
    this.options.log.info({ node: this.name }, "node stopped");
  }
}

function makeNode({ config, crypto: { crypto } }: DaemonOptions, found: Found, nowMs: number): Node {
  const { network, leaf, allow } = config;
  return new Node(
    {
      crypto,
      identity: crypto.identityFromSeed(found.seed),
      random: systemRandom,
      network: network.id,
      ...(network.secret === undefined ? {} : { secret: utf8(network.secret) }),
      leaf,
      ...(allow === undefined ? {} : { allowedKeys: allow }),
      ...(network.roots === undefined ? {} : { rootKeys: network.roots }),
      storedEpoch: found.epoch,
      wallMs: Date.now(),
      storedLocators: found.locators,
    },
    nowMs,
  );
}

async function findState(folder: string, warn: (text: string) => void): Promise<Found> {
  const seed = await readKey(folder);
  if (seed === undefined) {
    throw new PinyonError(ErrorCode.KEY, `${keyPath(folder)}: there is no key: make one with \`pinyon init\``);
  }
  const kept = new KeptState(folder, warn);
  const [epoch, locators, peers] = await Promise.all([kept.loadEpoch(), kept.loadLocators(), kept.loadPeers()]);
  return { seed, kept, epoch, locators, peers };
}

function noteWarning(warnings: string[], log: Log, text: string): void {
  log.warn(text);
  if (!warnings.includes(text)) warnings.push(text);
  if (warnings.length > WARNINGS_MAX) warnings.shift();
}

/** Settles with `work`, or after so long. */
async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
