import type { Bindings } from "../federation/binding/bindings.js";
import { parsePeerUri } from "../link/peer-uri.js";
import { decodePlace, locatorPlace } from "../wire/locator.js";
import { keyToName } from "../wire/name.js";
import type {
  ControlRequest,
  HomeserverCheckResult,
  LookupResult,
  PeerInfo,
  PingResult,
  ResultOf,
  TraceResult,
} from "./control-protocol.js";
import type { Daemon } from "./daemon.js";
import { dumpBall, dumpRoutes, dumpTable, dumpTrees } from "./dumps.js";
import { formatEndpoint, formatHttpUrl } from "./endpoint.js";
import { ErrorCode, PinyonError } from "./errors.js";
import { explain } from "./explain.js";
import { changeList, exitStatus, gatewayStatus, invite, report } from "./operator-answers.js";
import { roundMs, statusOf } from "./status.js";
import { keyHex, targetKey } from "./target.js";

/** Does what a control request asks of the node. Rejects with a `PinyonError` or an error of the folders below. */
export async function answerRequest(daemon: Daemon, request: ControlRequest): Promise<ResultOf<ControlRequest>> {
  switch (request.verb) {
    case "status":
      return statusOf(daemon);
    case "peers":
      return daemon.peers.list();
    case "peer-add":
      return addPeer(daemon, request.uri);
    case "peer-rm": {
      const removed = daemon.peers.remove(request.peer);
      daemon.savePeers();
      return removed;
    }
    case "ping":
      return ping(daemon, targetKey(request.target));
    case "trace":
      return trace(daemon, targetKey(request.target));
    case "explain":
      return explain(daemon, targetKey(request.target), () => trace(daemon, targetKey(request.target)));
    case "show-trees":
      return dumpTrees(daemon);
    case "show-table":
      return dumpTable(daemon);
    case "show-routes":
      return dumpRoutes(daemon);
    case "show-balls":
      return dumpBall(daemon);
    case "lookup":
      return lookup(daemon, targetKey(request.target));
    case "homeserver-check":
      return checkHomeserver(daemon);
    case "exit-status":
      return exitStatus(daemon);
    case "gateway-status":
      return gatewayStatus(daemon);
    case "gateway-invite":
      return invite(daemon, request.uses, request.days);
    case "list":
      return changeList(daemon, request.way, request.change, request.what);
    case "report":
      return report(daemon, request);
    case "bindings":
      return bindingsOf(daemon).list();
    case "binding-import":
      return bindingsOf(daemon).import(request.text);
    case "binding-forget":
      return bindingsOf(daemon).forget(request.name);
  }
}

function addPeer(daemon: Daemon, uri: string): PeerInfo {
  const peer = daemon.peers.add(parsePeerUri(uri), "added");
  daemon.savePeers();
  return peer;
}

async function ping({ overlay }: Daemon, key: Uint8Array): Promise<PingResult> {
  const { ok, reason, rttMs, hops } = await overlay.ping(key);
  if (!ok) throw unreachable(key, reason);
  return { name: keyToName(key), rttMs: roundMs(rttMs), hops };
}

async function trace({ overlay }: Daemon, key: Uint8Array): Promise<TraceResult> {
  const { ok, reason, hops } = await overlay.trace(key);
  if (!ok) throw unreachable(key, reason);
  return {
    name: keyToName(key),
    hops: hops.map((hop) => {
      if (hop === undefined) return { name: null, rttMs: null, port: null };
      return { name: keyToName(hop.key), rttMs: roundMs(hop.rttMs), port: hop.port };
    }),
  };
}

async function lookup({ overlay }: Daemon, key: Uint8Array): Promise<LookupResult> {
  const { ok, reason, locator, route, rttMs } = await overlay.lookup(key);
  if (!ok) throw unreachable(key, reason);
  const place = locator === undefined ? undefined : decodePlace(locatorPlace(locator));
  return {
    name: keyToName(key),
    key: keyHex(key),
    rttMs: roundMs(rttMs),
    route: [...route],
    trees: (place ?? []).map((position) => {
      if (position === undefined) return null;
      return { rootId: keyHex(position.rootId), coordinates: [...position.coordinates] };
    }),
  };
}

async function checkHomeserver({ federation, options }: Daemon): Promise<HomeserverCheckResult> {
  const { homeserver } = options.config;
  return {
    url: homeserver === undefined ? null : formatHttpUrl(homeserver.url),
    listen: homeserver === undefined ? null : formatEndpoint(homeserver.listen),
    steps: (await federation?.check()) ?? [],
  };
}

/** Federation is there before the control socket is. */
function bindingsOf({ federation }: Daemon): Bindings {
  return federation!.bindings;
}

function unreachable(key: Uint8Array, reason: string | undefined): PinyonError {
  const why = reason ?? "no answer";
  return new PinyonError(
    ErrorCode.UNREACHABLE,
    `${keyToName(key)}: ${why}: is it running, and linked to this network?`,
  );
}
