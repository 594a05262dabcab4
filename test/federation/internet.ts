import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Test } from "tap";
import type { DnsResolver, MachineNetwork } from "../../src/federation/classic/network.js";
import type { Subject, TestAuthority } from "./authority.js";

/** A request that reached a server. */
export interface Reached {
  readonly request: IncomingMessage;
  readonly host: string | undefined;
  /** The name in TLS; false where there was none. */
  readonly sni: string | false;
  /** A number for each connection. */
  readonly connection: number;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
type Records = string[] | Error;

/**
 * An Internet of the tests' own: servers stand at public addresses, each behind one of its sockets a real TCP or TLS server on loopback,
 * and DNS says what a test wants. It is the machine's network for the code under test, which judges and chooses addresses by itself.
 */
export class TestInternet implements MachineNetwork {
  /** Addresses by name, each list for one question: the last stays. */
  readonly hosts = new Map<string, Records[]>();
  readonly srv = new Map<string, { name: string; port: number; priority: number; weight: number }[] | Error>();
  /** Names that DNS was asked for, and addresses with port that connections were made to. */
  readonly asked: string[] = [];
  readonly connected: string[] = [];
  own: string[] = [];
  readonly #ports = new Map<string, number>();
  #connections = 0;

  constructor(
    private readonly t: Test,
    readonly authority: TestAuthority,
  ) {}

  readonly resolver = (): DnsResolver => ({
    resolve4: async (host) => this.#resolve(host, false),
    resolve6: async (host) => this.#resolve(host, true),
    resolveSrv: async (name) => {
      this.asked.push(name);
      return found(this.srv.get(name));
    },
  });

  readonly ownAddresses = (): readonly string[] => this.own;

  readonly connect = (address: string, port: number): Socket => {
    const place = `${address} ${port}`;
    this.connected.push(place);
    // Nothing listens on port 1 of the loopback address.
    return connect({ host: "127.0.0.1", port: this.#ports.get(place) ?? 1 });
  };

  host(name: string, ...addresses: string[]): void {
    this.hosts.set(name, [addresses]);
  }

  service(name: string, target: string, port: number, priority = 10, weight = 5): void {
    const known = this.srv.get(name);
    this.srv.set(name, [...(Array.isArray(known) ? known : []), { name: target, port, priority, weight }]);
  }

  /** A server with HTTPS, and what reaches it. */
  async server(address: string, port: number, subject: Subject, handler: Handler): Promise<Reached[]> {
    const reached: Reached[] = [];
    const numbers = new WeakMap<object, number>();
    const server = createServer(await this.authority.certify(subject), (request, response) => {
      const socket = request.socket as TLSSocket;
      const number = numbers.get(socket) ?? ++this.#connections;
      numbers.set(socket, number);
      const { servername = false } = socket as { servername?: string | false };
      reached.push({ request, host: request.headers.host, sni: servername, connection: number });
      handler(request, response);
    });
    server.on("tlsClientError", () => {});
    this.t.teardown(() => server.close().closeAllConnections());
    await this.#place(server, address, port);
    return reached;
  }

  /** A server with TCP alone. */
  async tcpServer(address: string, port: number, handler: (socket: Socket) => void): Promise<void> {
    const sockets = new Set<Socket>();
    const server = createTcpServer((socket) => {
      sockets.add(socket.on("error", () => {}));
      handler(socket);
    });
    this.t.teardown(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    await this.#place(server, address, port);
  }

  async #place(server: Server, address: string, port: number): Promise<void> {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#ports.set(`${address} ${port}`, (server.address() as AddressInfo).port);
  }

  #resolve(host: string, isSix: boolean): string[] {
    if (!isSix) this.asked.push(host);
    const lists = this.hosts.get(host);
    const list = lists === undefined || lists.length > 1 ? (isSix ? lists?.[0] : lists?.shift()) : lists[0];
    return found(found(list).filter((address) => address.includes(":") === isSix));
  }
}

/** A well-known answer that names a server. */
export function delegates(to: string, headers: Record<string, string> = {}): Handler {
  return (_request, response) => response.writeHead(200, headers).end(JSON.stringify({ "m.server": to }));
}

function found<T>(records: T[] | Error | undefined): T[] {
  if (records instanceof Error) throw records;
  if (records === undefined || records.length === 0) throw dnsError("ENOTFOUND");
  return records;
}

export function dnsError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
