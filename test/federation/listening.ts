import { connect, type Socket } from "node:net";
import type { Test } from "tap";
import { FederationError } from "../../src/federation/errors.js";
import type { LocalCaFiles } from "../../src/federation/local-ca.js";
import { LocalListener, type LocalListenerOptions, type OutboundRequest } from "../../src/federation/local-listener.js";
import { type FederationStats, newFederationStats } from "../../src/federation/stats.js";
import { keyToName } from "../../src/wire/name.js";
import { realTimers } from "../link/timers.js";

export const SECRET = "secret-of-the-homeserver";
/** A server of the overlay. */
export const NAME = keyToName(new Uint8Array(32).fill(7));
export const BEARER = `Proxy-Authorization: Bearer ${SECRET}\r\n`;
export const BASIC = `Proxy-Authorization: Basic ${Buffer.from(`pinyon:${SECRET}`).toString("base64")}\r\n`;

export interface Listening {
  readonly listener: LocalListener;
  readonly stats: FederationStats;
  /** Requests that were handed on. */
  readonly handed: OutboundRequest[];
  readonly connect: () => Socket;
  /** Writes bytes and gives all that is answered until the connection closes. */
  readonly say: (...chunks: (string | Buffer)[]) => Promise<string>;
  /** Asserts that a request as Synapse makes it is answered. */
  readonly assertServes: () => Promise<void>;
}

/** A listener whose handler answers with what it was given, unless `options` has another. */
export async function listening(t: Test, options: Partial<LocalListenerOptions> = {}): Promise<Listening> {
  const stats = newFederationStats();
  const handed: OutboundRequest[] = [];
  const listener = await LocalListener.open({
    listen: { host: "127.0.0.1", port: 0 },
    secret: SECRET,
    isBound: () => false,
    certificateOf: () => Promise.reject(new Error("no certificate")),
    connectClassic: (host) => Promise.reject(new FederationError("PINYON_CLASSIC_NAME", host)),
    stats,
    timers: realTimers,
    ...options,
    handler: (outbound: OutboundRequest) => {
      handed.push(outbound);
      (options.handler ?? echo)(outbound);
    },
  });
  t.teardown(() => listener.close());
  const connectTo = () => {
    const socket = connect({ ...listener.address(), allowHalfOpen: true });
    socket.on("error", () => {});
    return socket;
  };
  const say = async (...chunks: (string | Buffer)[]) => {
    const socket = connectTo().setNoDelay();
    const answer = readAll(socket);
    for (const chunk of chunks) {
      socket.write(chunk);
      if (chunks.length > 1) await new Promise((resolve) => setImmediate(resolve));
    }
    return answer;
  };
  const assertServes = async () => {
    const answer = await say(synapseRequest("/_matrix/federation/v1/version"));
    t.match(answer, /^HTTP\/1\.1 200 /, "an honest request is served meanwhile");
  };
  return { listener, stats, handed, connect: connectTo, say, assertServes };
}

/** A request as Synapse makes it in its first mode. */
export function synapseRequest(path: string, fields = BEARER, name = NAME): string {
  return `GET matrix-federation://${name}${path} HTTP/1.1\r\nConnection: close\r\nAuthorization: X-Matrix origin="a"\r\n${fields}Host: ${name}:80\r\n\r\n`;
}

/** All that comes on a socket until it closes, which it does from this side too; one character a byte. */
export function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("end", () => socket.end());
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
}

/** The code of an error answer. */
export function codeIn(answer: string): unknown {
  const [, body = ""] = answer.split("\r\n\r\n");
  return (JSON.parse(body) as { errcode?: unknown }).errcode;
}

function echo({ destination, path, request, response }: OutboundRequest): void {
  let bodyBytes = 0;
  request.on("data", (chunk: Buffer) => {
    bodyBytes += chunk.length;
  });
  request.on("end", () => {
    response.end(JSON.stringify({ destination, path, method: request.method, fields: request.rawHeaders, bodyBytes }));
  });
}

/** Files in memory, for the local authority. */
export function memoryFiles(files = new Map<string, string>()): LocalCaFiles {
  return {
    read: async (name) => files.get(name),
    write: async (name, text) => {
      files.set(name, text);
    },
  };
}
