import { z } from "zod";
import type { BindingInfo } from "../federation/binding/bindings.js";
import type { Standing } from "../federation/gateway/admission.js";
import { INVITATION_USES_MAX } from "../federation/gateway/invitation.js";
import type { Quota } from "../federation/quota.js";
import type { CheckStep } from "../federation/self-check.js";
import type { Use } from "../federation/use.js";
import type { BallDump, RoutesDump, TableDump, TreeDump } from "./dumps.js";
import type { PinyonCode } from "./errors.js";
import type { ExplainResult } from "./explain.js";
import { INVITATION_DAYS_MAX } from "./limits.js";

/*
 * The requests of the control socket and their results. Keys are given as server names, times as milliseconds.
 */

/** A node by name or key. */
const target = z.string().max(300);
/** A peer URI, or the peer's name or key. */
const peer = z.string().max(4_096);
/** What the node is to others. */
const way = z.enum(["exit", "gateway"]);

export const ControlRequestSchema = z.discriminatedUnion("verb", [
  z.strictObject({ verb: z.literal("status") }),
  z.strictObject({ verb: z.literal("peers") }),
  z.strictObject({ verb: z.literal("peer-add"), uri: peer }),
  z.strictObject({ verb: z.literal("peer-rm"), peer }),
  z.strictObject({ verb: z.literal("ping"), target }),
  z.strictObject({ verb: z.literal("trace"), target }),
  z.strictObject({ verb: z.literal("explain"), target }),
  z.strictObject({ verb: z.literal("lookup"), target }),
  z.strictObject({ verb: z.literal("show-trees") }),
  z.strictObject({ verb: z.literal("show-table") }),
  z.strictObject({ verb: z.literal("show-routes") }),
  z.strictObject({ verb: z.literal("show-balls") }),
  z.strictObject({ verb: z.literal("homeserver-check") }),
  z.strictObject({ verb: z.literal("exit-status") }),
  z.strictObject({ verb: z.literal("gateway-status") }),
  z.strictObject({
    verb: z.literal("gateway-invite"),
    uses: z.int().min(1).max(INVITATION_USES_MAX),
    days: z.int().min(1).max(INVITATION_DAYS_MAX),
  }),
  z.strictObject({ verb: z.literal("list"), way, change: z.enum(["allow", "deny"]), what: target }),
  z.strictObject({
    verb: z.literal("report"),
    way,
    node: target.optional(),
    host: target.optional(),
    sinceMs: z.number(),
    untilMs: z.number(),
  }),
  z.strictObject({ verb: z.literal("bindings") }),
  z.strictObject({ verb: z.literal("binding-import"), text: z.string().max(8_192) }),
  z.strictObject({ verb: z.literal("binding-forget"), name: target }),
]);
export type ControlRequest = z.output<typeof ControlRequestSchema>;

export type ControlResponse =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: { readonly code: PinyonCode; readonly message: string } };

export interface LinkInfo {
  readonly name: string;
  readonly port: number;
  /** The other end's address, or the URI dialled. */
  readonly remote: string;
  readonly dialled: boolean;
  readonly rttMs: number;
  readonly upMs: number;
}

export interface TreeInfo {
  /** Null where the node has no place in the tree yet. */
  readonly root: string | null;
  /** Links from the root to the node. */
  readonly depth: number;
  /** Null at the root. */
  readonly parent: string | null;
  /** Keys known to live below this node. */
  readonly tableEntries: number;
  /** How often the root changed in the last ten minutes; more than three are a warning. */
  readonly rootChanges: number;
}

export interface HomeserverInfo {
  /** Its name of the classic federation; null where it has the node's. */
  readonly name: string | null;
  /** Where the node finds it, and where the node takes what it sends to others. */
  readonly url: string;
  readonly listen: string;
}

export interface StatusResult {
  readonly name: string;
  readonly key: string;
  readonly version: string;
  readonly network: string;
  readonly crypto: "portable" | "native";
  readonly leaf: boolean;
  readonly pid: number;
  readonly uptimeMs: number;
  readonly listen: readonly string[];
  /** Only loopback, link-local and private sources are admitted. */
  readonly localOnly: boolean;
  readonly metrics: string;
  /** Null where the node serves none. */
  readonly homeserver: HomeserverInfo | null;
  /** What LAN discovery does. */
  readonly discovery: string;
  readonly links: readonly LinkInfo[];
  readonly trees: readonly TreeInfo[];
  readonly sessions: number;
  /** What a person should look at, a sentence each. */
  readonly warnings: readonly string[];
}

export interface PeerInfo {
  /** Without its password. */
  readonly uri: string;
  readonly origin: "config" | "added" | "discovered";
  /** The pinned keys' names; none where any key is taken. */
  readonly names: readonly string[];
  readonly linked: boolean;
  /** Why the last dial or link ended; null where none has. */
  readonly lastError: string | null;
}

export interface PingResult {
  readonly name: string;
  readonly rttMs: number;
  /** Links from here to there. */
  readonly hops: number;
}

/** A node on a route; all null where it did not answer. */
export interface HopInfo {
  readonly name: string | null;
  /** From the asking node and back. */
  readonly rttMs: number | null;
  /** The port by which the node before it sends to it. */
  readonly port: number | null;
}

export interface TraceResult {
  readonly name: string;
  readonly hops: readonly HopInfo[];
}

export interface LookupResult {
  readonly name: string;
  readonly key: string;
  readonly rttMs: number;
  /** Ports from here to there. */
  readonly route: readonly number[];
  /** Its place in each tree: the root's first bytes in hex and the ports from there; null where it has none. */
  readonly trees: readonly ({ readonly rootId: string; readonly coordinates: readonly number[] } | null)[];
}

export interface HomeserverCheckResult {
  /** Where the node finds the homeserver, and where it takes what that asks of others; null where it serves none. */
  readonly url: string | null;
  readonly listen: string | null;
  /** In order, up to the first that failed. */
  readonly steps: readonly CheckStep[];
}

/** What a node, or a source of classic servers, uses of an exit or gateway. */
export interface AccountInfo {
  /** A server name; of a source an address of IPv4, or a network of IPv6. */
  readonly name: string;
  readonly standing: Standing | "denied" | "source";
  readonly streams: number;
  /** Both ways, in this day of UTC. */
  readonly bytesToday: number;
  /** Connections begun and refused since the node runs, or since the account was forgotten. */
  readonly connects: number;
  readonly refusals: number;
}

export interface ExitStatusResult {
  /** Nodes that are listed, or have used it. */
  readonly count: number;
  /** Those that used most today. */
  readonly nodes: readonly AccountInfo[];
  /** Domains to which nobody is let out. */
  readonly deny: readonly string[];
  readonly quota: Quota;
}

export interface GatewayStatusResult extends Omit<ExitStatusResult, "deny"> {
  readonly domain: string;
  readonly listen: readonly string[];
  readonly fronts: readonly string[];
  readonly open: number;
  readonly sourceQuota: Quota;
  readonly sources: readonly AccountInfo[];
}

export interface InviteResult {
  readonly invitation: string;
  /** The gateway's domain, below which the node must have its name, and its own name. */
  readonly domain: string;
  readonly gateway: string;
  readonly uses: number;
  /** Until when it is taken, on the wall's clock. */
  readonly untilMs: number;
}

export interface ListResult {
  readonly way: "exit" | "gateway";
  readonly change: "allow" | "deny";
  readonly what: string;
}

/** One use of an exit or gateway; `host` is where an exit led, and at a gateway who came. */
export interface UseInfo extends Omit<Use, "key"> {
  readonly node: string;
  /** It is not over. */
  readonly isOpen: boolean;
}

export interface ReportResult {
  /** All that were asked for. */
  readonly count: number;
  /** The latest of them. */
  readonly uses: readonly UseInfo[];
}

interface Results {
  readonly status: StatusResult;
  readonly peers: readonly PeerInfo[];
  readonly "peer-add": PeerInfo;
  readonly "peer-rm": readonly PeerInfo[];
  readonly ping: PingResult;
  readonly trace: TraceResult;
  readonly explain: ExplainResult;
  readonly "show-trees": readonly TreeDump[];
  readonly "show-table": readonly TableDump[];
  readonly "show-routes": RoutesDump;
  readonly "show-balls": BallDump;
  readonly lookup: LookupResult;
  readonly "homeserver-check": HomeserverCheckResult;
  readonly "exit-status": ExitStatusResult;
  readonly "gateway-status": GatewayStatusResult;
  readonly "gateway-invite": InviteResult;
  readonly list: ListResult;
  readonly report: ReportResult;
  readonly bindings: readonly BindingInfo[];
  readonly "binding-import": BindingInfo;
  /** True where it was known. */
  readonly "binding-forget": boolean;
}

/** What a request is answered with. */
export type ResultOf<R extends ControlRequest> = Results[R["verb"]];
