import type { Account } from "../federation/quota.js";
import type { Use } from "../federation/use.js";
import { keyToName } from "../wire/name.js";
import type { GatewayConfig } from "./classic-config.js";
import type {
  AccountInfo,
  ExitStatusResult,
  GatewayStatusResult,
  InviteResult,
  ListResult,
  ReportResult,
  UseInfo,
} from "./control-protocol.js";
import type { Daemon } from "./daemon.js";
import { formatEndpoint } from "./endpoint.js";
import { ErrorCode, PinyonError } from "./errors.js";
import { isAsked, type UseQuery } from "./journal.js";
import { SHOWN_ACCOUNTS_MAX } from "./limits.js";
import type { Lists, Way } from "./lists.js";
import { keyHex, targetKey } from "./target.js";

const DAY_S = 86_400;

/* What the operator of an exit or a gateway asks: whom it serves, what they used of it, who used it when. */

export function exitStatus({ lists, federation }: Daemon): ExitStatusResult {
  const { allow, deny, quota } = lists!.exit;
  const used = new Map(federation?.exitAccounts());
  const keys = new Set([...allow, ...used.keys()]);
  const nodes = [...keys].map((key) => accountInfo(nameOf(key), allow.has(key) ? "allowed" : "denied", used.get(key)));
  return { ...shown(nodes), deny, quota };
}

export function gatewayStatus({ lists, federation }: Daemon): GatewayStatusResult {
  const { domain, allow, deny, open, quota, sourceQuota, fronts } = requireGateway(lists);
  const { nodes, sources } = federation!.gatewayAccounts();
  const used = new Map(nodes);
  const keys = new Set([...allow, ...deny, ...(federation?.invited?.nodes() ?? []), ...used.keys()]);
  const infos = [...keys].map((key) => {
    return accountInfo(nameOf(key, domain), federation!.gatewayStanding(key) ?? "denied", used.get(key));
  });
  return {
    domain,
    listen: federation!.gatewayAddresses().map(formatEndpoint),
    fronts: [...fronts],
    open,
    quota,
    sourceQuota,
    ...shown(infos),
    sources: shown([...sources].map(([source, account]) => accountInfo(source, "source", account))).nodes,
  };
}

/** Invites so many nodes, for so long. */
export function invite({ lists, federation, overlay }: Daemon, uses: number, days: number): InviteResult {
  const { domain } = requireGateway(lists);
  const untilS = Math.floor(Date.now() / 1_000) + days * DAY_S;
  const invitation = federation!.invited!.invite(uses, untilS);
  return { invitation, domain, gateway: keyToName(overlay.node.key), uses, untilMs: untilS * 1_000 };
}

function requireGateway(lists: Lists | undefined): GatewayConfig {
  const rules = lists?.gateway;
  if (rules !== undefined) return rules;
  throw new PinyonError(ErrorCode.LIST, "this node is no gateway: set `gateway` in its config file and start it again");
}

/** Allows or denies a node, or a domain at an exit, from now on. */
export function changeList(daemon: Daemon, way: Way, change: "allow" | "deny", what: string): ListResult {
  daemon.lists![change](way, what);
  daemon.applyLists();
  return { way, change, what };
}

/** The uses of exit or gateway that the operator asks for, those that are not over among them. */
export async function report(daemon: Daemon, asked: ReportQuery): Promise<ReportResult> {
  const { way, node, host, sinceMs, untilMs } = asked;
  const key = node === undefined ? undefined : keyHex(targetKey(node));
  const query: UseQuery = { way, key, host: host?.toLowerCase(), sinceMs, untilMs };
  const begun = (daemon.federation?.openUses() ?? []).filter((use) => isAsked(use, query));
  const { count, uses } = await daemon.journal.find(query);
  // One that ended while the journal was read may be in it.
  const open = begun.filter((use) => !uses.some((each) => isSame(use, each)));
  const domain = way === "gateway" ? daemon.lists!.gateway?.domain : undefined;
  const info = (isOpen: boolean) => {
    return ({ key: user, ...use }: Use): UseInfo => ({ node: nameOf(user, domain), ...use, isOpen });
  };
  return { count: count + open.length, uses: [...uses.map(info(false)), ...open.map(info(true))] };
}

export interface ReportQuery {
  readonly way: Way;
  readonly node?: string | undefined;
  readonly host?: string | undefined;
  readonly sinceMs: number;
  readonly untilMs: number;
}

function isSame(one: Use, other: Use): boolean {
  return one.beganMs === other.beganMs && one.key === other.key && one.host === other.host && one.port === other.port;
}

function nameOf(key: string, domain?: string): string {
  return keyToName(Buffer.from(key, "hex"), domain);
}

function accountInfo(name: string, standing: AccountInfo["standing"], account: Account | undefined): AccountInfo {
  const { streams = 0, bytesToday = 0, connects = 0, refusals = 0 } = account ?? {};
  return { name, standing, streams, bytesToday, connects, refusals };
}

/** Those that used most today. */
function shown(all: AccountInfo[]): { count: number; nodes: readonly AccountInfo[] } {
  const sorted = all.sort((one, other) => other.bytesToday - one.bytesToday || other.connects - one.connects);
  return { count: all.length, nodes: sorted.slice(0, SHOWN_ACCOUNTS_MAX) };
}
