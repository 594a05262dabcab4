import { request } from "node:http";
import type { TLSSocket } from "node:tls";
import { isServerName } from "../../wire/name.js";
import type { MachineNetwork } from "../classic/network.js";
import { type Authorities, startClassicTls } from "../classic/tls.js";
import { KEY_BODY_BYTES_MAX } from "../config.js";
import { memberOf, parseJsonObject } from "../json.js";
import { isKeyResponse } from "../key-responses.js";
import type { Timers } from "../overlay.js";
import type { CheckStep } from "../self-check.js";
import { readWhole } from "../whole.js";
import { within } from "../within.js";
import { NAME_CHECK_ADDRESSES_MAX, NAME_CHECK_MS } from "./config.js";

export interface NameCheckOptions {
  /** The server name that classic servers are to find. */
  readonly name: string;
  readonly machine: Pick<MachineNetwork, "resolver" | "connect">;
  readonly authorities?: Authorities;
  readonly timers: Timers;
  /** Unix time in ms. */
  readonly wallMs: () => number;
}

const PORT = 443;
/** Where servers look that cannot ask for well-known. */
const MATRIX_PORT = 8448;
const KEY_PATH = "/_matrix/key/v2/server";
const WELL_KNOWN_PATH = "/.well-known/matrix/server";
const DAY_MS = 86_400_000;

/**
 * Looks for a server of the overlay as a classic server would, from the outside in, step by step until one fails: DNS, then at each address TCP,
 * TLS with its certificate, well-known and the key API.
 */
export async function checkName(options: NameCheckOptions): Promise<CheckStep[]> {
  const steps: CheckStep[] = [];
  let addresses: readonly string[] = [];
  const each = (check: (address: string) => Promise<string>) => async () => {
    const texts = await Promise.all(addresses.map((address) => at(address, check(address))));
    return [...new Set(texts)].join("; ");
  };
  const checks: [step: string, run: () => Promise<string>][] = [
    ["name", async () => checkForm(options.name)],
    [
      "dns",
      async () => {
        addresses = await resolve(options);
        return `${options.name} has ${addresses.join(", ")}`;
      },
    ],
    ["tcp", each((address) => checkTcp(options, address))],
    ["tls", each((address) => checkTls(options, address, PORT))],
    ["8448", each((address) => checkTls(options, address, MATRIX_PORT))],
    ["well-known", each((address) => checkWellKnown(options, address))],
    ["key", each((address) => checkKey(options, address))],
  ];
  for (const [step, run] of checks) {
    try {
      const text = await within(run(), NAME_CHECK_MS, options.timers);
      steps.push({ step, ok: true, text });
    } catch (error) {
      steps.push({ step, ok: false, text: error instanceof Error ? error.message : String(error) });
      return steps;
    }
  }
  return steps;
}

function checkForm(name: string): string {
  if (!isServerName(name))
    throw new Error("it is no name of a node: expected <52 letters and digits>.<gateway domain>");
  if (name.endsWith(".alt"))
    throw new Error("names below `.alt` are in no DNS: the node's `suffix` must be a gateway's domain");
  return "it is the name of a node, below a gateway's domain";
}

async function resolve({ name, machine }: NameCheckOptions): Promise<readonly string[]> {
  const resolver = machine.resolver();
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const addresses = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  if (addresses.length > 0) return addresses.slice(0, NAME_CHECK_ADDRESSES_MAX);
  const domain = name.slice(name.indexOf(".") + 1);
  throw new Error(
    `DNS has no address for it: expected records A or AAAA for *.${domain}, with the gateway's addresses`,
  );
}

/** Says at which address something went wrong. */
async function at(address: string, check: Promise<string>): Promise<string> {
  return check.catch((error: Error) => Promise.reject(new Error(`at ${address}: ${error.message}`)));
}

async function checkTcp({ machine }: NameCheckOptions, address: string): Promise<string> {
  for (const port of [PORT, MATRIX_PORT]) {
    await new Promise<void>((resolve, reject) => {
      const socket = machine.connect(address, port);
      socket.once("connect", () => {
        socket.destroy();
        resolve();
      });
      socket.once("error", ({ message }) => {
        reject(
          new Error(`nothing listens on port ${port} (${message}): is the gateway running, and no firewall before it?`),
        );
      });
    });
  }
  return `${PORT} and ${MATRIX_PORT} are open`;
}

/** The platform's words for what a gateway does, and what that means here. */
const TLS_CAUSES: readonly [pattern: RegExp, text: string][] = [
  [/UNRECOGNIZED_NAME/i, "the gateway brings nobody to this name: it is not allowed there, or the domain is another"],
  [
    /ended in the handshake|ECONNRESET/,
    "the gateway found no way to the node, or the node does not name it in `gateways.nodes`, or a quota is used up: its `pinyon gateway status` and metrics tell",
  ],
  [/EXPIRED/, "the certificate has expired"],
  [/ALTNAME/, "the certificate is for another name"],
  [/SELF_SIGNED|ISSUER|SIGNATURE/, "the certificate is of no authority that is believed here"],
];

async function openTls({ name, machine, authorities, timers }: NameCheckOptions, address: string, port: number) {
  const socket = machine.connect(address, port).on("error", () => {});
  try {
    return await startClassicTls(socket, { host: name, isAddress: false }, authorities, timers);
  } catch (error) {
    const { message } = error as Error;
    const cause = TLS_CAUSES.find(([pattern]) => pattern.test(message))?.[1];
    throw new Error(cause === undefined ? message : `${cause} (${message})`);
  }
}

async function checkTls(options: NameCheckOptions, address: string, port: number): Promise<string> {
  const secured = await openTls(options, address, port);
  const { issuer, valid_to: end } = secured.getPeerCertificate();
  secured.destroy();
  const days = Math.floor((Date.parse(end) - options.wallMs()) / DAY_MS);
  return `a certificate for it by ${issuer.O ?? issuer.CN}, good for ${days} days more`;
}

async function ask(options: NameCheckOptions, address: string, path: string): Promise<Uint8Array> {
  const secured: TLSSocket = await openTls(options, address, PORT);
  try {
    const outgoing = request({
      host: options.name,
      path,
      headers: { host: options.name },
      createConnection: () => secured,
    });
    const answer = await new Promise<Parameters<typeof readWhole>[0] & { statusCode?: number }>((resolve, reject) => {
      outgoing.once("response", resolve).once("error", reject).end();
    });
    const body = await readWhole(answer, KEY_BODY_BYTES_MAX);
    if (answer.statusCode === 200) return body;
    const code = memberOf(parseJsonObject(body) ?? {}, "errcode");
    throw new Error(`${path} is answered ${answer.statusCode}${typeof code === "string" ? `, ${code}` : ""}`);
  } finally {
    secured.destroy();
  }
}

async function checkWellKnown(options: NameCheckOptions, address: string): Promise<string> {
  const expected = `${options.name}:${PORT}`;
  const server = memberOf(parseJsonObject(await ask(options, address, WELL_KNOWN_PATH)) ?? {}, "m.server");
  if (server === expected) return `it says ${expected}`;
  throw new Error(`well-known says ${JSON.stringify(server)}: expected ${expected}`);
}

async function checkKey(options: NameCheckOptions, address: string): Promise<string> {
  const body = await ask(options, address, KEY_PATH);
  if (isKeyResponse(options.name, body)) return "the homeserver answers, and signs with the key of its name";
  throw new Error("the answer is not signed by the key of the name: another server is there");
}
