import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import { isServerName, nameToKey } from "../wire/name.js";
import { type BindingEvent, Bindings, type KeptBindings } from "./binding/bindings.js";
import { BoundServers } from "./binding/bound-servers.js";
import type { AcmeRules } from "./certificates/authority.js";
import { Certificates } from "./certificates/certificates.js";
import { type ClassicNetwork, DirectNetwork, MACHINE, type MachineNetwork } from "./classic/network.js";
import { ClassicServers } from "./classic/servers.js";
import type { Authorities } from "./classic/tls.js";
import { WellKnown } from "./classic/well-known.js";
import { KEY_BODY_BYTES_MAX, KEY_TIMEOUT_MS } from "./config.js";
import { FederationError } from "./errors.js";
import { Exit, type ExitRules, isExitPath } from "./exit/exit.js";
import { ExitNetwork } from "./exit/exit-network.js";
import type { Standing } from "./gateway/admission.js";
import { ClassicFront, type FrontRules } from "./gateway/classic-front.js";
import { Gateway, type GatewayRules, type ServingRules } from "./gateway/gateway.js";
import { Guest, INVITATION_PATH } from "./gateway/guest.js";
import { Invited, type KeptInvited } from "./gateway/invited.js";
import { Terminator } from "./gateway/terminator.js";
import { Homeserver } from "./homeserver.js";
import { http2Question } from "./http2.js";
import { Inbound } from "./inbound.js";
import { KeyFolder } from "./key-folder.js";
import { KeyResponses } from "./key-responses.js";
import type { ListenAddress } from "./listen-address.js";
import { LocalCa, type LocalCaFiles } from "./local-ca.js";
import { LocalListener, type OutboundRequest } from "./local-listener.js";
import { Outbound } from "./outbound.js";
import type { FederationOverlay, RemoteNode, Timers } from "./overlay.js";
import type { Accounts } from "./quota.js";
import { Reachability } from "./reachability.js";
import { type CheckStep, selfCheck } from "./self-check.js";
import { Servers } from "./servers.js";
import { Signer } from "./signing.js";
import { type FederationStats, newFederationStats } from "./stats.js";
import type { Use } from "./use.js";
import { askForWakeUp } from "./wake-request.js";
import { type KeptWakeUps, WakeUps } from "./wake-ups.js";
import { askWhole } from "./whole.js";
import { formatXMatrix } from "./x-matrix.js";

export interface FederationOptions {
  /** This node's name, which is its homeserver's where that has none of its own; and the 32-byte seed of its key. */
  readonly name: string;
  readonly seed: Uint8Array;
  readonly overlay: FederationOverlay;
  /** Undefined where the node serves none: then others are told so. */
  readonly homeserver: HomeserverOptions | undefined;
  /** The way to classic servers; undefined where they are not asked. */
  readonly classic: ClassicWay | undefined;
  /** Whom this node lets out to classic servers. */
  readonly exit: ExitRules;
  /** The gateway that this node is; undefined: none. */
  readonly gateway?: GatewayRules | undefined;
  /** Nodes that the gateway serves by invitation, as they were kept. */
  readonly keptInvited: KeptInvited;
  /** Invitations of gateways to this node. */
  readonly invitations: readonly string[];
  /** Where certificates are got that come by ACME; undefined: none does. */
  readonly acme?: AcmeRules | undefined;
  /** How classic servers come to this node by gateways; undefined: not at all. */
  readonly front?: FrontRules | undefined;
  /** Told of each use of exit and gateway, once it is over. */
  readonly onUse: (use: Use) => void;
  /** The authorities of classic servers' certificates; undefined: those that the platform brings. */
  readonly authorities?: Authorities;
  /** The network of this machine; undefined: as it is. */
  readonly machine?: MachineNetwork | undefined;
  /** A folder for the key responses of other servers. */
  readonly keyFolder: string;
  readonly caFiles: LocalCaFiles;
  readonly keptWakeUps: KeptWakeUps;
  readonly keptBindings: KeptBindings;
  /** Told what happens to bindings of classic names. */
  readonly onBinding: (event: BindingEvent) => void;
  readonly timers: Timers;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Told in a sentence what a person should look at. */
  readonly warn: (text: string) => void;
  /** Told what was thrown that should not have been; its request was answered with `PINYON_INTERNAL`. */
  readonly onFault: (error: unknown) => void;
}

export interface HomeserverOptions {
  /** Its name of the classic federation, which holds no key, where it has one: then it signs with a key of its own. */
  readonly name?: string | undefined;
  /** Where it listens. */
  readonly url: ListenAddress;
  /** Where it hands over what it asks of other servers, and what it shows there. */
  readonly listen: ListenAddress;
  readonly secret: string;
  /** It asks again within seconds after an error. */
  readonly fastRetries: boolean;
}

/** How classic servers are reached: from this machine, or by way of exits. */
export interface ClassicWay {
  /** Keys of the nodes that let this one out, in the order of preference; undefined: from this machine. */
  readonly exits: readonly Uint8Array[] | undefined;
}

/** Matrix federation of one homeserver with those beside other nodes, under this node's name. */
export class Federation {
  readonly homeserver: Homeserver | undefined;
  readonly bindings: Bindings;
  /** The server that this node speaks for. */
  readonly #serverName: string;
  readonly #options: FederationOptions;
  readonly #signer: Signer;
  readonly #servers: Servers;
  readonly #network: ClassicNetwork | undefined;
  readonly #exits: ExitNetwork | undefined;
  readonly #exit: Exit;
  readonly #certificates: Certificates;
  readonly #front: ClassicFront;
  #terminator: Terminator | undefined;
  readonly #guest: Guest;
  #gateway: Gateway | undefined;
  #invited: Invited | undefined;
  readonly #wellKnown: WellKnown | undefined;
  readonly #classic: ClassicServers | undefined;
  readonly #reachability: Reachability;
  readonly #wakeUps: WakeUps;
  readonly #inbound: Inbound;
  readonly #outbound: Outbound;
  /** By a server's name, who takes what the homeserver asks of it instead of that server. */
  readonly #watchers = new Map<string, (outbound: OutboundRequest) => void>();
  #listener: LocalListener | undefined;

  /**
   * Rejects with the system's error where the homeserver's side cannot be listened on or what is kept cannot be read, and as `LocalCa.open`
   * does. Then nothing is left open.
   */
  static async start(options: FederationOptions): Promise<Federation> {
    const stats = newFederationStats();
    const federation = new Federation(options, stats, await KeyFolder.open(options.keyFolder, stats));
    try {
      await federation.#open();
    } catch (error) {
      await federation.stop();
      throw error;
    }
    return federation;
  }

  private constructor(
    options: FederationOptions,
    readonly stats: FederationStats,
    keyFolder: KeyFolder,
  ) {
    const { name, seed, overlay, homeserver, classic, keptWakeUps, timers, random, onFault } = options;
    this.#options = options;
    this.#signer = new Signer(seed, name);
    this.homeserver = homeserver && new Homeserver(homeserver.url, timers);
    this.#serverName = homeserver?.name ?? name;
    const reachability = new Reachability({ timers, random, stats });
    this.#servers = new Servers(overlay, reachability, timers);
    const direct = new DirectNetwork(stats, timers, options.machine);
    const { exits } = classic ?? {};
    this.#exits = exits && new ExitNetwork({ exits, overlay, stats, timers, random });
    this.#network = classic && (this.#exits ?? direct);
    const { exit: rules, onUse, authorities } = options;
    this.#exit = new Exit({
      rules,
      network: direct,
      authorities,
      stats,
      timers,
      wallMs: Date.now,
      random,
      onUse,
      onFault,
    });
    const bindings = new Bindings({ stats, wallMs: Date.now, kept: options.keptBindings, onEvent: options.onBinding });
    this.bindings = bindings;
    const outward = this.#network && { network: this.#network, authorities, stats, timers, random };
    const wellKnown = outward && new WellKnown({ ...outward, onSaid: (host, said) => bindings.handleSaid(host, said) });
    this.#wellKnown = wellKnown;
    // Who cannot be reached by the mesh may be reached by the Internet, and the other way round.
    const elsewhere = new Reachability({ timers, random, stats });
    this.#classic = outward && new ClassicServers({ ...outward, wellKnown: wellKnown!, reachability: elsewhere });
    const wakeUps = new WakeUps({
      overlay,
      timers,
      wallMs: Date.now,
      random,
      stats,
      kept: keptWakeUps,
      sendSigned: (server) => this.#sendWakeUp(server),
      isUnsigned: this.#serverName !== name,
    });
    reachability.onBack = (server) => wakeUps.handleBack(server);
    this.#reachability = reachability;
    this.#wakeUps = wakeUps;
    const { front, gateway, invitations, acme, caFiles: files, warn } = options;
    const gateways = front?.gateways ?? new Set<string>();
    this.#certificates = new Certificates({
      name,
      front,
      gateway,
      acme,
      files,
      authorities,
      stats,
      timers,
      wallMs: Date.now,
      random,
      warn,
    });
    const { own: certificate, challenger } = this.#certificates;
    const terminating = certificate === undefined ? gateways : new Set<string>();
    const common = { name: this.#serverName, bindings, reachability, wakeUps, stats, timers, onFault };
    this.#inbound = new Inbound({ ...common, homeserver: this.homeserver, terminating });
    this.#guest = new Guest({ invitations, overlay, stats, timers, random, warn });
    this.#front = new ClassicFront({ name, gateways, certificate, challenger, inbound: this.#inbound, stats, timers });
    this.#outbound = new Outbound({
      ...common,
      servers: this.#servers,
      classic: new BoundServers({ bindings, mesh: this.#servers, classic: this.#classic, stats }),
      keys: new KeyResponses({ files: keyFolder, stats, wallMs: Date.now }),
      fastRetries: homeserver?.fastRetries ?? false,
    });
    if (this.homeserver !== undefined) this.homeserver.onBack = () => wakeUps.handleConnected();
  }

  /** Where the homeserver hands over what it asks of other servers; undefined where the node serves none. */
  address(): ListenAddress | undefined {
    return this.#listener?.address();
  }

  /** Another node asks. */
  handleRequest(
    remote: RemoteNode,
    request: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
  ): void {
    const { name } = this.#options;
    const isGateway = headers[":method"] === "CONNECT" && headers[":authority"] === `${name}:443`;
    if (isGateway) {
      void this.#front.handle(remote, request);
      return;
    }
    if (headers[":path"] === INVITATION_PATH) {
      if (this.#gateway === undefined) this.#refuseInvitation(request);
      else void this.#gateway.handleInvitation(remote, request, headers, rawHeaders);
      return;
    }
    const isOutward = headers[":method"] === "CONNECT" || isExitPath(headers[":path"] ?? "");
    const handler = isOutward ? this.#exit : this.#inbound;
    void handler.handle(remote, request, headers, rawHeaders);
  }

  #refuseInvitation(request: ServerHttp2Stream): void {
    const error = new FederationError("PINYON_GATEWAY_INVITATION", "this node is no gateway");
    this.stats.gatewayErrors[error.code]++;
    http2Question(request).fail(error);
  }

  /** The node has a link, after a time without one. */
  handleConnected(): void {
    this.#reachability.handleConnected();
    this.#guest.handleConnected();
    this.#certificates.handleConnected();
    if (this.homeserver !== undefined) this.#wakeUps.handleConnected();
  }

  /** Looks whether the homeserver federates through this node; empty where there is none. */
  async check(): Promise<CheckStep[]> {
    if (this.homeserver === undefined) return [];
    return selfCheck({
      homeserver: this.homeserver,
      name: this.#serverName,
      node: this.#signer,
      wellKnown: this.#ownWellKnown(),
      stats: this.stats,
      watch: (name, handler) => {
        this.#watchers.set(name, handler);
        return () => this.#watchers.delete(name);
      },
    });
  }

  /** To look at the homeserver's own name: that it stands on this very machine is no reason not to. */
  #ownWellKnown(): WellKnown | undefined {
    const { classic, machine = MACHINE, authorities, timers, random } = this.#options;
    if (classic === undefined || classic.exits !== undefined) return this.#wellKnown;
    const network = new DirectNetwork(this.stats, timers, { ...machine, ownAddresses: () => [] });
    return new WellKnown({ network, authorities, stats: this.stats, timers, random });
  }

  async stop(): Promise<void> {
    await this.#wakeUps.stop();
    await this.bindings.stop();
    this.homeserver?.stop();
    await this.#listener?.close();
    this.#classic?.stop();
    this.#exits?.stop();
    this.#front.stop();
    this.#guest.stop();
    this.#terminator?.stop();
    await this.#gateway?.close();
    await this.#invited?.written();
    this.#certificates.stop();
  }

  /** Where the gateway listens. */
  gatewayAddresses(): readonly ListenAddress[] {
    return this.#gateway?.addresses() ?? [];
  }

  /** Lets others out by other rules from now on, and cuts the streams that they forbid. */
  setExitRules(rules: ExitRules): void {
    this.#exit.setRules(rules);
  }

  /** The same of a gateway, but for its domain and addresses. A node that is none stays none. */
  setGatewayRules(rules: ServingRules): void {
    this.#gateway?.setRules(rules);
  }

  /** What each key used of the exit, and of the gateway, and each source of classic servers there. */
  exitAccounts(): Accounts {
    return this.#exit.accounts();
  }

  gatewayAccounts(): { readonly nodes: Accounts; readonly sources: Accounts } {
    const { admission } = this.#gateway ?? {};
    return { nodes: admission?.nodes() ?? [], sources: admission?.sources() ?? [] };
  }

  /** Why the gateway serves a node, by its key in hex; undefined: it does not. */
  gatewayStanding(node: string): Standing | undefined {
    return this.#gateway?.admission.standing(node);
  }

  /** The nodes that the gateway serves by invitation; undefined where this is none. */
  get invited(): Invited | undefined {
    return this.#invited;
  }

  /** The uses of exit and gateway that are not over. */
  openUses(): Use[] {
    return [...this.#exit.openUses(), ...(this.#gateway?.openUses() ?? [])];
  }

  /** Days until the end of each certificate that classic servers are shown. */
  certificateDaysLeft(): ReturnType<Certificates["daysLeft"]> {
    return this.#certificates.daysLeft();
  }

  async #open(): Promise<void> {
    const { homeserver, caFiles, timers } = this.#options;
    await this.bindings.start(this.#wellKnown);
    await this.#certificates.start();
    await this.#openGateway();
    if (homeserver === undefined) return;
    const { listen, secret } = homeserver;
    const ca = await LocalCa.open(caFiles, this.stats);
    await this.#wakeUps.start();
    this.#listener = await LocalListener.open({
      listen,
      secret,
      handler: (outbound) => this.#handleOutbound(outbound),
      isBound: (name) => this.bindings.known(name) !== undefined,
      certificateOf: (name) => ca.secureContext(name),
      connectClassic: (host, port) => this.#connectClassic(host, port),
      stats: this.stats,
      timers,
    });
  }

  async #openGateway(): Promise<void> {
    const { name, seed, gateway: rules, keptInvited: kept, overlay, timers, onFault, onUse } = this.#options;
    if (rules === undefined) return;
    const common = { overlay, stats: this.stats, timers };
    const wallMs = Date.now;
    const { wildcard } = this.#certificates;
    this.#invited = await Invited.open({ key: nameToKey(name)!, seed, kept, stats: this.stats, wallMs });
    this.#terminator = wildcard && new Terminator({ ...common, certificate: wildcard, onFault });
    const parts = { rules, invited: this.#invited, terminator: this.#terminator };
    this.#gateway = await Gateway.open({ ...common, ...parts, wallMs, onUse });
  }

  async #connectClassic(host: string, port: number): Promise<Duplex> {
    if (this.#network === undefined) throw new FederationError("PINYON_CLASSIC_NAME", host);
    return this.#network.open(host, port);
  }

  #handleOutbound(outbound: OutboundRequest): void {
    const watcher = this.#watchers.get(outbound.destination);
    if (watcher === undefined) void this.#outbound.handle(outbound);
    else watcher(outbound);
  }

  /**
   * Wakes another homeserver; true where it took that. A node whose homeserver signs with a key of its own tells the other node instead, which
   * then holds back nothing more, and wakes this homeserver.
   */
  async #sendWakeUp(server: string): Promise<boolean> {
    const { name, overlay, timers } = this.#options;
    const key = isServerName(server) ? nameToKey(server) : this.bindings.pinned(server);
    if (key === undefined) return false;
    if (this.#serverName !== name) return askForWakeUp(overlay, timers, server, key);
    try {
      const keyId = await this.homeserver?.keyId(nameToKey(name)!);
      if (keyId === undefined) return false;
      const content = { origin: name, origin_server_ts: Date.now(), pdus: [], edus: [] };
      const request = { method: "PUT", path: `/_matrix/federation/v1/send/pinyon-${randomUUID()}`, content };
      const signature = this.#signer.authorization({ ...request, destination: server }, keyId);
      const headers = { "content-type": "application/json", "x-matrix": [formatXMatrix(signature)] };
      const passage = await this.#servers.open(server, { ...request, headers, hasBody: true }, key);
      const body = Buffer.from(JSON.stringify(content));
      const { status } = await askWhole(passage, body, KEY_BODY_BYTES_MAX, KEY_TIMEOUT_MS, timers);
      return status === 200;
    } catch {
      return false;
    }
  }
}
