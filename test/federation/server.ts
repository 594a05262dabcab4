import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Test } from "tap";
import { Clock } from "../../src/driver/clock.js";
import type { BindingEvent, KeptPins } from "../../src/federation/binding/bindings.js";
import type { AcmeRules } from "../../src/federation/certificates/authority.js";
import type { MachineNetwork } from "../../src/federation/classic/network.js";
import { CLOSED, type ExitRules } from "../../src/federation/exit/exit.js";
import { type ClassicWay, Federation } from "../../src/federation/federation.js";
import type { FrontRules } from "../../src/federation/gateway/classic-front.js";
import type { GatewayRules } from "../../src/federation/gateway/gateway.js";
import type { InvitedState } from "../../src/federation/gateway/invited.js";
import type { Timers } from "../../src/federation/overlay.js";
import { Signer, unpaddedBase64 } from "../../src/federation/signing.js";
import type { Use } from "../../src/federation/use.js";
import type { WakeUpState } from "../../src/federation/wake-ups.js";
import { formatXMatrix } from "../../src/federation/x-matrix.js";
import { tempFolder } from "../daemon/temp-folder.js";
import type { TestNetwork, TestNode } from "./network.js";

export const SECRET = "the-secret-of-the-tests";
export const KEY_ID = "ed25519:test";

/** What a homeserver answers, by path, or by one up to its last slash; whatever else is asked gets 404. */
export type Answers = Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>>;

export interface WholeAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A homeserver of the tests' own, with the federation of its node. */
export interface TestServer {
  readonly node: TestNode;
  readonly name: string;
  readonly signer: Signer;
  readonly federation: Federation;
  readonly homeserver: Server;
  /** Heads of the requests that reached the homeserver. */
  readonly asked: IncomingMessage[];
  /** Uses of the node as an exit or a gateway. */
  readonly used: Use[];
  /** What a person was told to look at. */
  readonly warnings: string[];
  /** Where the node keeps key responses. */
  readonly keyFolder: string;
  /** What the node keeps of bindings, and what became of them. */
  readonly pins: { kept: KeptPins };
  readonly events: readonly BindingEvent[];
}

interface Options {
  readonly answers?: Answers;
  readonly suffix?: string;
  readonly fastRetries?: boolean;
  readonly timers?: Timers;
  readonly classic?: ClassicWay;
  readonly exit?: ExitRules;
  readonly machine?: MachineNetwork;
  readonly authorities?: readonly string[];
  readonly gateway?: GatewayRules;
  readonly acme?: AcmeRules;
  readonly seed?: Uint8Array;
  readonly invitations?: readonly string[];
  readonly invited?: InvitedState;
  /** The homeserver's own name, one of the classic federation, and the seed of its key. */
  readonly classicName?: string;
  readonly classicSeed?: Uint8Array;
  /** What the node kept of bindings. */
  readonly bindings?: KeptPins;
  /** Made for the node's name. */
  readonly front?: (name: string) => Promise<FrontRules>;
  /** What the node kept from its last run: files by name, and wake-ups. */
  readonly kept?: Map<string, string>;
  readonly wakeUps?: WakeUpState;
}

/** Starts a homeserver and the federation of its node; they end with the test. */
export async function startServer(t: Test, network: TestNetwork, options: Options = {}): Promise<TestServer> {
  const {
    answers = {},
    suffix,
    fastRetries = true,
    timers = new Clock(),
    classic,
    exit = CLOSED,
    machine,
    authorities,
    gateway,
    acme,
    front,
    kept = new Map<string, string>(),
    seed: given,
  } = options;
  const { invitations = [], invited = { invitations: [], nodes: [] } } = options;
  const { wakeUps = { recent: [], owed: [] } } = options;
  const node = network.join(suffix, given);
  const { name: nodeName, seed } = node;
  const { classicName, classicSeed = randomBytes(32), bindings = [] } = options;
  const name = classicName ?? nodeName;
  const signer = new Signer(classicName === undefined ? seed : classicSeed, name);
  node.stated = Promise.resolve(name);
  const pins = { kept: bindings };
  const events: BindingEvent[] = [];
  const asked: IncomingMessage[] = [];
  const used: Use[] = [];
  const warnings: string[] = [];
  const all: Answers = { ...answersOf(signer), ...answers };
  const homeserver = createServer((request, response) => {
    asked.push(request);
    const { pathname } = new URL(request.url!, "http://host");
    const answer = all[pathname] ?? all[pathname.replace(/[^/]*$/, "")];
    if (answer !== undefined) return answer(request, response);
    response.writeHead(404, { "content-type": "application/json" }).end('{"errcode":"M_UNRECOGNIZED"}');
  });
  await new Promise<void>((resolve) => homeserver.listen(0, "127.0.0.1", resolve));
  t.teardown(() => homeserver.close().closeAllConnections());
  const keyFolder = tempFolder(t);
  const federation = await Federation.start({
    name: nodeName,
    seed,
    overlay: node,
    homeserver: {
      name: classicName,
      url: { host: "127.0.0.1", port: (homeserver.address() as AddressInfo).port },
      listen: { host: "127.0.0.1", port: 0 },
      secret: SECRET,
      fastRetries,
    },
    classic,
    exit,
    onUse: (use) => used.push(use),
    machine,
    authorities,
    gateway,
    keptInvited: {
      load: async () => invited,
      save: (state) => void Object.assign(invited, state),
      written: async () => {},
    },
    invitations,
    acme,
    front: await front?.(nodeName),
    keyFolder,
    caFiles: { read: async (file) => kept.get(file), write: async (file, text) => void kept.set(file, text) },
    keptWakeUps: { load: async () => wakeUps, save: () => {}, written: async () => {} },
    keptBindings: {
      load: async () => pins.kept,
      save: (kept) => {
        pins.kept = JSON.parse(JSON.stringify(kept)) as KeptPins;
      },
      written: async () => {},
    },
    onBinding: (event) => events.push(event),
    timers,
    random: Math.random,
    warn: (text) => warnings.push(text),
    onFault: (error) => {
      throw error;
    },
  });
  t.teardown(() => federation.stop());
  node.handler = (...asking) => federation.handleRequest(...asking);
  return { node, name, signer, federation, homeserver, asked, used, warnings, keyFolder, pins, events };
}

/** What every homeserver of the tests answers. */
function answersOf(signer: Signer): Answers {
  const keys = {
    server_name: signer.name,
    verify_keys: { [KEY_ID]: { key: unpaddedBase64(signer.publicKey) } },
    old_verify_keys: {},
    valid_until_ts: Date.now() + 86_400_000,
  };
  return {
    "/_matrix/key/v2/server": (_request, response) => giveJson(response, signer.signJson(keys, KEY_ID)),
    "/_matrix/federation/v1/version": (_request, response) => giveJson(response, { server: { name: "test" } }),
    "/_matrix/federation/v1/send/": (_request, response) => giveJson(response, { pdus: {} }),
    "/echo": (request, response) => request.pipe(response),
  };
}

export function giveJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

export function* repeat(chunk: Uint8Array, count: number): Generator<Uint8Array> {
  for (let i = 0; i < count; i++) yield chunk;
}

/** Where the homeserver of a server hands over what it asks of others. */
export function addressOf({ federation }: TestServer): { host: string; port: number } {
  return federation.address() as { host: string; port: number };
}

/** What a homeserver says with a request, the right credential and signature among it. */
export function headersOf(
  from: TestServer,
  to: string,
  method: string,
  path: string,
  content?: unknown,
): Record<string, string> {
  const signed = { method, path, destination: to, ...(content === undefined ? {} : { content }) };
  return {
    host: `${to}:80`,
    connection: "close",
    "proxy-authorization": `Bearer ${SECRET}`,
    authorization: formatXMatrix(from.signer.authorization(signed, KEY_ID)),
    ...(content === undefined ? {} : { "content-type": "application/json" }),
  };
}

export interface Asking {
  readonly method?: string;
  readonly path: string;
  readonly body?: unknown;
  /** In place of the right ones. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

/** What a homeserver sends to its node, as Synapse does with `outbound_federation_restricted_to`. */
export async function ask(from: TestServer, to: string, asking: Asking): Promise<WholeAnswer> {
  const { method = "GET", path, body } = asking;
  const outgoing = request({
    ...addressOf(from),
    method,
    path: `https://${to}${path}`,
    headers: { ...headersOf(from, to, method, path, body), ...asking.headers },
  });
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
  });
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
  return { status: incoming.statusCode!, headers: incoming.headers, body: text };
}

/** The stable code of an error's answer. */
export function codeOf({ body }: WholeAnswer): unknown {
  return (JSON.parse(body) as { errcode?: unknown }).errcode;
}

/** A text that nobody else has. */
export function unique(): string {
  return randomBytes(8).toString("hex");
}
