import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { isServerName, nameToKey } from "../../wire/name.js";
import { awaitBeginning, type Reading } from "../beginning.js";
import type { CertificateSource } from "../certificates/served-certificate.js";
import { readingOfHello } from "../client-hello.js";
import { CLIENT_HELLO_TIMEOUT_MS } from "../config.js";
import { FEDERATION_CODES, FederationError, federationErrorOf } from "../errors.js";
import { checkRawHeaders, headerValues } from "../headers.js";
import { CODE_HEADER, http2Question } from "../http2.js";
import { join } from "../join.js";
import { addressOf, type ListenAddress, listenOn } from "../listen-address.js";
import type { FederationOverlay, RemoteNode, Timers } from "../overlay.js";
import { Charge } from "../quota.js";
import type { FederationStats } from "../stats.js";
import { type Use, Uses } from "../use.js";
import { Admission, type AdmissionRules } from "./admission.js";
import { GATEWAY_CONNECTIONS_MAX, GATEWAY_IDLE_MS, GATEWAY_PARTS, GATEWAY_TIMEOUT_MS } from "./config.js";
import { INVITATION_HEADER } from "./guest.js";
import type { Invited } from "./invited.js";
import { isProxyHeader, readProxyHeader } from "./proxy-header.js";
import { plainAddress } from "./source.js";
import { Terminator } from "./terminator.js";

export interface GatewayRules extends AdmissionRules {
  /** The domain below which the nodes have their names, in lower case. */
  readonly domain: string;
  readonly listen: readonly ListenAddress[];
  /** Addresses of fronts, as `plainAddress` gives them: what comes from there begins with a PROXY header, and nothing else does. */
  readonly fronts: ReadonlySet<string>;
  /** The certificate for all names below the domain, with which TLS ends here for the nodes that want it; undefined: for none. */
  readonly terminate?: CertificateSource | undefined;
}

/** Those that may change while it runs. */
export type ServingRules = Omit<GatewayRules, "domain" | "listen" | "terminate">;

export interface GatewayOptions {
  readonly rules: GatewayRules;
  /** Undefined: TLS ends at no connection here. */
  readonly terminator: Terminator | undefined;
  readonly invited: Invited;
  readonly overlay: FederationOverlay;
  readonly stats: FederationStats;
  readonly timers: Timers;
  readonly wallMs: () => number;
  readonly onUse: (use: Use) => void;
}

/** A fatal alert of TLS: `unrecognized_name` (RFC 6066, section 3; RFC 8446, section 6). */
const UNKNOWN_NAME = Buffer.from([21, 3, 3, 0, 2, 2, 112]);

/**
 * Brings classic servers to nodes of the mesh: a connection is for the node whose name its TLS asks for, and passes to it as it is, on a
 * CONNECT stream. TLS ends at the node, with the node's own certificate: the gateway can neither read nor change what passes. A node that
 * has none says so, and lets the gateway end TLS where it has one.
 */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  /** Connections by the key of their node, in hex. */
  readonly #byNode = new Map<string, number>();
  readonly #admission: Admission;
  readonly #uses: Uses;
  #rules: GatewayRules;

  private constructor(options: GatewayOptions) {
    this.#options = options;
    this.#rules = options.rules;
    this.#admission = new Admission({ ...options, isInvited: (node) => options.invited.has(node) });
    this.#uses = new Uses(options);
  }

  /** Listens. Rejects with the system's error; then nothing is left open. */
  static async open(options: GatewayOptions): Promise<Gateway> {
    const gateway = new Gateway(options);
    try {
      for (const address of options.rules.listen) await gateway.#listen(address);
    } catch (error) {
      await gateway.close();
      throw error;
    }
    return gateway;
  }

  /** Where it listens, in the order of the rules. */
  addresses(): readonly ListenAddress[] {
    return this.#servers.map((server, i) => addressOf(server, this.#options.rules.listen[i]!));
  }

  /** Goes by other rules from now on, and cuts the connections that they forbid. */
  setRules(rules: ServingRules): void {
    const { domain, listen, terminate } = this.#rules;
    this.#rules = { ...rules, domain, listen, terminate };
    this.#admission.rules = rules;
    this.#uses.cut(({ key }) => this.#admission.standing(key) === undefined);
  }

  /** A node shows an invitation. */
  async handleInvitation(
    remote: RemoteNode,
    request: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
  ): Promise<void> {
    const { invited, stats } = this.#options;
    const question = http2Question(request);
    try {
      checkRawHeaders(rawHeaders);
      const [text = "", ...more] = headerValues(rawHeaders, INVITATION_HEADER);
      if (headers[":method"] !== "POST" || more.length > 0) throw new FederationError("PINYON_PATH");
      const node = hex(remote.key);
      const { domain, deny } = this.#rules;
      const isOurs = (await remote.name).endsWith(`.${domain}`) && !deny.has(node);
      if (!isOurs) throw new FederationError("PINYON_GATEWAY_INVITATION", `it is denied, or has no name in ${domain}`);
      invited.accept(node, text);
      question.answer(200, {}).end();
    } catch (thrown) {
      const error = federationErrorOf(thrown);
      stats.gatewayErrors[error.code]++;
      question.fail(error);
    }
  }

  /** What it lets whom, and what they used of it. */
  get admission(): Admission {
    return this.#admission;
  }

  /** The uses that are not over. */
  openUses(): Use[] {
    return this.#uses.list();
  }

  /** Takes no more and cuts what is open. */
  async close(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  async #listen(address: ListenAddress): Promise<void> {
    const { stats } = this.#options;
    const server = createServer({ noDelay: true, keepAlive: true }, (socket) => void this.#serve(socket));
    server.maxConnections = GATEWAY_CONNECTIONS_MAX;
    server.on("drop", () => stats.gatewayErrors.PINYON_BUSY++);
    await listenOn(server, address);
    // One that could not be accepted, for want of file descriptors: others can.
    server.on("error", () => stats.gatewayErrors.PINYON_BUSY++);
    this.#servers.push(server);
  }

  async #serve(socket: Socket): Promise<void> {
    const { stats } = this.#options;
    stats.gatewayConnections++;
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
    const charge = new Charge();
    try {
      if (this.#sockets.size > GATEWAY_CONNECTIONS_MAX) throw new FederationError("PINYON_BUSY");
      const source = await this.#source(socket, charge);
      const name = source && (await this.#nodeName(socket, source.isFront));
      if (name === undefined) {
        stats.gatewayChecks++;
        socket.destroySoon();
        return;
      }
      await this.#pass(socket, source!.address, name, charge);
      stats.gatewayAnswers++;
    } catch (thrown) {
      const { code } = federationErrorOf(thrown);
      stats.gatewayErrors[code]++;
      if (code === "PINYON_GATEWAY_NAME") socket.end(UNKNOWN_NAME);
      socket.destroySoon();
    } finally {
      charge.end();
    }
  }

  /**
   * The address that a connection comes from, as the front says it or as it is. What a front says for itself is counted on nobody. Undefined
   * where it says nothing and goes: it looks whether this gateway is alive.
   */
  async #source(socket: Socket, charge: Charge): Promise<{ address: string; isFront: boolean } | undefined> {
    const own = plainAddress(socket.remoteAddress ?? "");
    if (own === undefined) throw new FederationError("PINYON_BODY_BROKEN");
    if (!this.#rules.fronts.has(own)) {
      this.#admission.chargeSource(charge, own);
      return { address: own, isFront: false };
    }
    const { found, seen, hasEnded } = await this.#begin(socket, readProxyHeader);
    if (found === undefined && seen.length === 0 && hasEnded) return undefined;
    if (found === undefined) throw new FederationError("PINYON_GATEWAY_PROXY");
    if (found.address === undefined) return { address: own, isFront: true };
    this.#admission.chargeSource(charge, found.address);
    return { address: found.address, isFront: false };
  }

  /** The name of the node that is asked for; undefined where a front says no more. Throws where it is none of this gateway's. */
  async #nodeName(socket: Socket, isFront: boolean): Promise<string | undefined> {
    const { found, seen, hasEnded } = await this.#begin(socket, readingOfHello);
    if (found === undefined && seen.length === 0 && hasEnded && isFront) return undefined;
    if (found === undefined) {
      throw new FederationError(isProxyHeader(seen) ? "PINYON_GATEWAY_PROXY" : "PINYON_GATEWAY_HELLO");
    }
    const { domain } = this.#rules;
    const { serverName = "" } = found;
    const isOurs = isServerName(serverName) && serverName.indexOf(".") === serverName.length - domain.length - 1;
    if (!isOurs || !serverName.endsWith(domain)) throw new FederationError("PINYON_GATEWAY_NAME", serverName);
    return serverName;
  }

  /** What a connection begins with, and all that came of it where that is nothing. */
  async #begin<T>(
    socket: Socket,
    read: (bytes: Buffer) => Reading<T>,
  ): Promise<{ found: T | undefined; seen: Buffer; hasEnded: boolean }> {
    let seen: Buffer = Buffer.alloc(0);
    const found = await awaitBeginning(socket, CLIENT_HELLO_TIMEOUT_MS, this.#options.timers, (bytes) => {
      seen = bytes;
      return read(bytes);
    });
    return { found, seen, hasEnded: socket.readableEnded || socket.destroyed };
  }

  async #pass(socket: Socket, address: string, name: string, charge: Charge): Promise<void> {
    const { stats, timers } = this.#options;
    const node = hex(nameToKey(name)!);
    const standing = this.#admission.standing(node);
    if (standing === undefined) throw new FederationError("PINYON_GATEWAY_NAME", name);
    this.#admission.chargeNode(charge, { node, address, standing });
    const open = (this.#byNode.get(node) ?? 0) + 1;
    if (open * GATEWAY_PARTS > GATEWAY_CONNECTIONS_MAX - this.#sockets.size) throw new FederationError("PINYON_BUSY");
    this.#byNode.set(node, open);
    const what = { way: "gateway", key: node, host: address, port: socket.localPort ?? 0 } as const;
    const use = this.#uses.begin(what, () => socket.destroy());
    try {
      const mayPass = (sizeBytes: number) => {
        use.sizeBytes += sizeBytes;
        stats.gatewayBytes += sizeBytes;
        if (charge.pass(sizeBytes)) return true;
        stats.gatewayErrors.PINYON_GATEWAY_QUOTA++;
        return false;
      };
      const stream = await this.#connect(name).catch((error: unknown) => this.#mayTerminate(error));
      if (stream instanceof Terminator) await stream.serve(socket, name, mayPass);
      else await join(socket, stream, GATEWAY_IDLE_MS, timers, mayPass);
    } finally {
      use.end();
      const left = this.#byNode.get(node)! - 1;
      if (left === 0) this.#byNode.delete(node);
      else this.#byNode.set(node, left);
    }
  }

  /** The node asks for it by an answer of its own. */
  #mayTerminate(error: unknown): Terminator {
    const { terminator } = this.#options;
    if (terminator !== undefined && federationErrorOf(error).code === "PINYON_GATEWAY_TERMINATE") return terminator;
    throw error;
  }

  async #connect(name: string): Promise<Duplex> {
    const remote = await this.#options.overlay.connect(nameToKey(name)!);
    const stream = remote.request({ ":method": "CONNECT", ":authority": `${name}:443` });
    return new Promise((resolve, reject) => {
      const cancel = this.#options.timers.after(GATEWAY_TIMEOUT_MS, () => stream.destroy());
      stream.on("error", reject);
      stream.once("close", () => {
        cancel();
        reject(new FederationError("PINYON_BODY_BROKEN"));
      });
      stream.once("response", (answer: IncomingHttpHeaders & { ":status"?: number }) => {
        cancel();
        if (answer[":status"] === 200) return resolve(stream);
        const code = FEDERATION_CODES.find((each) => each === answer[CODE_HEADER]);
        reject(new FederationError(code ?? "PINYON_GATEWAY_FORBIDDEN"));
        stream.destroy();
      });
    });
  }
}

function hex(key: Uint8Array): string {
  return Buffer.from(key).toString("hex");
}
