import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type BindingEvent, BindingsSchema } from "../federation/binding/bindings.js";
import type { CertifiedKey } from "../federation/certificates/served-certificate.js";
import { type ClassicWay, Federation } from "../federation/federation.js";
import type { FrontRules } from "../federation/gateway/classic-front.js";
import type { GatewayRules } from "../federation/gateway/gateway.js";
import { readInvitation } from "../federation/gateway/invitation.js";
import { InvitedSchema, NOBODY_INVITED } from "../federation/gateway/invited.js";
import type { FederationOverlay, Timers } from "../federation/overlay.js";
import type { Use } from "../federation/use.js";
import { WakeUpStateSchema } from "../federation/wake-ups.js";
import { keyToName } from "../wire/name.js";
import { writeAtomic } from "./atomic-file.js";
import type { CertificateFiles } from "./classic-config.js";
import type { Config } from "./config.js";
import { formatEndpoint } from "./endpoint.js";
import { ErrorCode, messageOf, PinyonError, systemCode } from "./errors.js";
import { KeptFile } from "./kept-file.js";
import { listenError } from "./listeners.js";
import { keyHex } from "./target.js";

export interface FederationParts {
  /** The state folder. */
  readonly folder: string;
  readonly config: Config;
  /** This node's server name, and the seed of its key. */
  readonly name: string;
  readonly seed: Uint8Array;
  readonly overlay: FederationOverlay;
  readonly timers: Timers;
  /** Told in a sentence what a person should look at. */
  readonly warn: (text: string) => void;
  /** Another node used this one as its exit or gateway. */
  readonly onUse: (use: Use) => void;
  readonly onBinding: (event: BindingEvent) => void;
  readonly onFault: (error: unknown) => void;
}

/** Starts federation with what it keeps in the state folder. Throws `PINYON_LISTEN`, and `PINYON_STATE` where that cannot be used. */
export async function openFederation(parts: FederationParts): Promise<Federation> {
  const { folder, config, name, seed, overlay, timers, warn, onUse, onBinding, onFault } = parts;
  const { homeserver } = config;
  if (homeserver?.name !== undefined) {
    if (config.classic === "off") warn(NO_CLASSIC);
  } else if (config.classic !== "off" && NO_DNS.test(name)) warn(NO_WAY_BACK);
  if (config.classic === "exit" && config.exits.length === 0) warn("`classic: exit` needs `exits`, which names none");
  for (const text of config.gateways?.invitations ?? []) {
    const gateway = readInvitation(text)!.gateway;
    if (!config.gateways!.nodes.has(keyHex(gateway))) {
      warn(`\`gateways.invitations\` has one of ${keyToName(gateway)}, which \`gateways.nodes\` does not name`);
    }
  }
  try {
    return await Federation.start({
      name,
      seed,
      overlay,
      homeserver,
      classic: classicWay(config),
      exit: config.exit,
      gateway: gatewayRules(config),
      keptInvited: new KeptFile(join(folder, "invited"), InvitedSchema, NOBODY_INVITED, warn),
      invitations: config.gateways?.invitations ?? [],
      front: frontRules(config, name),
      acme: config.acme,
      onUse,
      keyFolder: join(folder, "keys"),
      caFiles: {
        read: (file) => readIfThere(join(folder, file)),
        write: (file, text) => writeAtomic(join(folder, file), text),
      },
      keptWakeUps: new KeptFile(join(folder, "wake-ups"), WakeUpStateSchema, { recent: [], owed: [] }, warn),
      keptBindings: new KeptFile(join(folder, "bindings"), BindingsSchema, [], warn),
      onBinding,
      timers,
      random: Math.random,
      warn,
      onFault,
    });
  } catch (error) {
    throw startError(error, parts);
  }
}

/** A name that is in no DNS. */
const NO_DNS = /\.alt$/;
const NO_WAY_BACK =
  "`classic` lets the homeserver ask servers outside of the mesh, and none of them can find a server whose name ends in `.alt`: they refuse what it signs";

const NO_CLASSIC =
  "`homeserver.name` is one of the classic federation, and the homeserver reaches no server of it: set `classic: direct`";

function classicWay({ classic, exits }: Config): ClassicWay | undefined {
  if (classic === "off") return undefined;
  return { exits: classic === "exit" ? exits : undefined };
}

function frontRules({ gateways }: Config, name: string): FrontRules | undefined {
  if (gateways === undefined) return undefined;
  const { nodes, terminate, files } = gateways;
  const kept = files && readCertificate(files, "gateways.certificate", name, name);
  return { gateways: nodes, certificate: terminate ? undefined : (kept ?? "acme") };
}

function gatewayRules({ gateway }: Config): GatewayRules | undefined {
  if (gateway === undefined) return undefined;
  const { terminate, files, domain } = gateway;
  const kept = files && readCertificate(files, "gateway.certificate", `*.${domain}`, `any.${domain}`);
  return { ...gateway, terminate: terminate ? (kept ?? "acme") : undefined };
}

/** Reads the certificate of a config's key for `name`, one host of which is `host`. It throws `PINYON_CONFIG` where it is none. */
function readCertificate(
  files: CertificateFiles,
  configKey: string,
  name: string,
  host: string,
): () => Promise<CertifiedKey> {
  return async () => {
    try {
      return await readFiles(files, name, host);
    } catch (error) {
      const message = `${files.certificate}: \`${configKey}\` cannot be used: ${messageOf(error)}`;
      throw new PinyonError(ErrorCode.CONFIG, message, { cause: error });
    }
  };
}

async function readFiles({ certificate, key }: CertificateFiles, name: string, host: string): Promise<CertifiedKey> {
  const pem = { certificate: await readFile(certificate, "utf8"), key: await readFile(key, "utf8") };
  const first = new X509Certificate(pem.certificate);
  if (first.checkHost(host) === undefined) {
    throw new Error(`it is for ${first.subjectAltName ?? "no name"}, and not for ${name}`);
  }
  if (!first.checkPrivateKey(createPrivateKey(pem.key))) throw new Error(`${key} is the key of another certificate`);
  return pem;
}

/** What the system was asked for where an address cannot be listened on. */
const LISTEN_CALLS: readonly unknown[] = ["listen", "bind", "getaddrinfo"];

function startError(error: unknown, { folder, config: { homeserver, gateway } }: FederationParts): PinyonError {
  if (error instanceof PinyonError) return error;
  const { syscall, port } = error as { syscall?: unknown; port?: unknown };
  const asked = gateway?.listen.find((each) => "port" in each && each.port === port);
  if (asked !== undefined && LISTEN_CALLS.includes(syscall)) {
    return listenError(error, formatEndpoint(asked), "gateway.listen");
  }
  if (homeserver !== undefined && LISTEN_CALLS.includes(syscall)) {
    return listenError(error, formatEndpoint(homeserver.listen), "homeserver.listen");
  }
  const message = `${folder}: federation cannot start with what is kept there: ${messageOf(error)}`;
  return new PinyonError(ErrorCode.STATE, message, { cause: error });
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  });
}
