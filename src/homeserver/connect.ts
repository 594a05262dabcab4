import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { DEFAULT_FEDERATION } from "../daemon/config.js";
import { type Endpoint, formatEndpoint } from "../daemon/endpoint.js";
import { ErrorCode, PinyonError, systemCode } from "../daemon/errors.js";
import { parseHostPort } from "../daemon/host-port.js";
import { readConfigFile, refuseLater } from "./config-file.js";
import { HomeserverCode, homeserverError } from "./errors.js";
import { firstFree, requireFree } from "./free-port.js";
import type { Homeserver, Join } from "./homeserver.js";
import { KIND_NAMES } from "./kind.js";
import type { OwnNode } from "./own-node.js";
import { editText, type FileChange, marks, NEW_MARKS, nodeConfigChange, type Plan } from "./plan.js";
import { requireUnconnected } from "./record.js";
import { shellWord } from "./shell.js";
import { readText } from "./text-file.js";

/** The port of a homeserver's plain HTTP listener where nothing else is said. */
const DEFAULT_HOMESERVER_PORT = 8_008;
const SECRET_BYTES = 32;

/** What a person may choose of a join. */
export interface JoinOptions {
  /** The port of the homeserver's listener on 127.0.0.1, where its file does not tell; unset: 8008. */
  readonly port?: number | undefined;
  /** Where the daemon is to take what the homeserver sends; unset: the first free port from 18200. */
  readonly listen?: Endpoint | undefined;
}

/** What joins a homeserver that is there, by its configuration file, with a node. */
export async function planConnect(
  homeserver: Homeserver,
  node: OwnNode,
  config: string,
  options: JoinOptions,
): Promise<Plan> {
  await requireUnconnected(node.folder);
  const file = await readConfigFile(homeserver, config);
  const found = await homeserver.examine(file, node);
  const meeting: Join = {
    name: found.name,
    url: found.url ?? ownUrl(options.port),
    listen:
      options.listen === undefined && found.listen !== undefined
        ? found.listen
        : await listenEndpoint(homeserver, options.listen),
    secret: found.secret ?? newSecret(),
  };
  const settings = homeserver.settings(meeting, file.values);
  refuseLater(file, settings);
  const before = file.text;
  const after = editText(before.text, file.path, settings, marks(homeserver.kind));
  return {
    kind: homeserver.kind,
    config: file.path,
    newFolder: undefined,
    files: [
      ...(after === before.text ? [] : [{ path: file.path, before, after }]),
      ...(await companions(homeserver, node, dirname(file.path), meeting)),
      await nodeConfigChange(node, homeserver, meeting),
    ],
    join: meeting,
    notes: found.notes,
    secrets: [meeting.secret],
  };
}

/** What makes a new homeserver under a node's name in a folder that is empty or not there. */
export async function planNew(
  homeserver: Homeserver,
  node: OwnNode,
  target: string,
  options: JoinOptions,
): Promise<Plan> {
  await requireUnconnected(node.folder);
  const folder = resolve(target);
  await refuseFull(folder, homeserver.configName);
  const url = ownUrl(options.port);
  await requireFree(url, "choose another port for the homeserver with --port");
  const meeting: Join = {
    name: undefined,
    url,
    listen: await listenEndpoint(homeserver, options.listen),
    secret: newSecret(),
  };
  const { config, others, secrets } = homeserver.make({ folder, port: url.port, node, secret: newSecret });
  const path = join(folder, homeserver.configName);
  const joined = editText(config, path, homeserver.settings(meeting, {}), NEW_MARKS);
  const created = [[path, joined] as const, ...[...others].map(([name, text]) => [join(folder, name), text] as const)];
  return {
    kind: homeserver.kind,
    config: path,
    newFolder: folder,
    files: [
      ...created.map(([path, after]) => ({ path, before: undefined, after })),
      ...(await companions(homeserver, node, folder, meeting)),
      await nodeConfigChange(node, homeserver, meeting),
    ],
    join: meeting,
    notes: [],
    secrets: [meeting.secret, ...secrets],
  };
}

function companions(homeserver: Homeserver, node: OwnNode, folder: string, meeting: Join): Promise<FileChange[]> {
  const files = [...homeserver.companions(meeting, node)].map(async ([name, after]) => {
    const path = join(folder, name);
    return { path, before: existsSync(path) ? await readText(path) : undefined, after };
  });
  return Promise.all(files);
}

function ownUrl(port = DEFAULT_HOMESERVER_PORT) {
  return { host: "127.0.0.1", port };
}

/** The endpoint asked for, if it is free, else the first free port. */
async function listenEndpoint({ kind, takesSocket }: Homeserver, asked: Endpoint | undefined): Promise<Endpoint> {
  const instead = "choose with --listen where the node is to take the homeserver's federation";
  if (asked === undefined) return firstFree(parseHostPort(DEFAULT_FEDERATION)!, instead);
  if ("path" in asked && !takesSocket) {
    throw new PinyonError(
      ErrorCode.LISTEN,
      `${formatEndpoint(asked)}: ${KIND_NAMES[kind]} reaches a node on TCP alone: name a host:port with --listen, or none`,
    );
  }
  await requireFree(asked, instead);
  return asked;
}

/** 256 random bits in hexadecimal, which needs no care in YAML, a URL or a shell. */
function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString("hex");
}

async function refuseFull(folder: string, configName: string): Promise<void> {
  const expected = "expected an empty folder, or none";
  try {
    const names = await readdir(folder);
    if (names.length > 0) {
      const isThere = names.includes(configName);
      const instead = isThere
        ? `; the homeserver in it is connected by --config ${shellWord(join(folder, configName))}`
        : "";
      const found = isThere ? configName : names[0];
      throw homeserverError(HomeserverCode.FOLDER, `${folder}: it holds ${found}: ${expected}${instead}`);
    }
  } catch (error) {
    if (systemCode(error) === "ENOENT") return;
    if (systemCode(error) !== "ENOTDIR") throw error;
    throw homeserverError(HomeserverCode.FOLDER, `${folder}: it is a file: ${expected}`);
  }
}
