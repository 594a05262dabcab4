import type { BindingInfo } from "../federation/binding/bindings.js";
import { keyToName } from "../wire/name.js";
import type { HomeserverConfig } from "./config.js";
import type { HomeserverInfo, LinkInfo, StatusResult, TreeInfo } from "./control-protocol.js";
import type { Daemon } from "./daemon.js";
import { formatEndpoint, formatHttpUrl } from "./endpoint.js";
import { formatHostPort } from "./host-port.js";
import { keyHex } from "./target.js";
import { VERSION } from "./version.js";

/** What a node is and sees at this moment, for people and scripts. */
export function statusOf(daemon: Daemon): StatusResult {
  const { options, overlay, clock, discovery, metrics } = daemon;
  const { key, links, trees, sessions } = overlay.status();
  const { homeserver } = options.config;
  const nameAtPort = new Map(links.map((link) => [link.port, keyToName(link.key)]));
  return {
    name: daemon.name,
    key: keyHex(key),
    version: VERSION,
    network: options.config.network.id,
    crypto: options.crypto.crypto.name,
    leaf: options.config.leaf,
    pid: process.pid,
    uptimeMs: roundMs(clock.nowMs() - daemon.startedMs),
    listen: listenAddresses(daemon),
    localOnly: options.config.listen === undefined,
    metrics: metrics === undefined ? "" : formatHostPort(metrics.address()),
    homeserver: homeserver === undefined ? null : homeserverEndpoints(homeserver),
    discovery: discovery?.status() ?? "off",
    links: links.map((link): LinkInfo => {
      const name = keyToName(link.key);
      const remote = daemon.links.get(keyHex(link.key))?.remote ?? "";
      return {
        name,
        port: link.port,
        remote,
        dialled: link.dialled,
        rttMs: roundMs(link.rttMs),
        upMs: roundMs(clock.nowMs() - link.upMs),
      };
    }),
    trees: trees.map(
      ({ root, coordinates, parentPort, tableSize }, tree): TreeInfo => ({
        root: root === undefined ? null : keyToName(root),
        depth: coordinates?.length ?? 0,
        parent: nameAtPort.get(parentPort) ?? null,
        tableEntries: tableSize,
        rootChanges: daemon.roots[tree]!.recentCount(clock.nowMs()),
      }),
    ),
    sessions: sessions.length,
    warnings: warningsOf(daemon, links.length),
  };
}

/** Milliseconds to the microsecond: what lies below is noise. */
export function roundMs(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

/** Where a node listens, as `host:port`. */
export function listenAddresses({ listeners }: Daemon): string[] {
  return listeners.flatMap((listener) => {
    const address = listener.address();
    return address === undefined ? [] : [formatHostPort({ host: address.address, port: address.port })];
  });
}

/** Where node and homeserver meet, as the config file says it. */
export function homeserverEndpoints({ name, url, listen }: HomeserverConfig): HomeserverInfo {
  return { name: name ?? null, url: formatHttpUrl(url), listen: formatEndpoint(listen) };
}

function warningsOf(daemon: Daemon, linkCount: number): string[] {
  const { warnings, peers, faults, federation } = daemon;
  const unlinked = peers.list().filter(({ linked, origin }) => !linked && origin !== "discovered");
  return [
    ...warnings,
    ...(daemon.configWatch.fault?.split("\n") ?? []),
    ...unlinked.map(
      ({ uri, lastError }) => `no link to the peer ${uri}${lastError === null ? " yet" : `: ${lastError}`}`,
    ),
    ...(federation?.bindings.list() ?? []).flatMap(bindingWarning),
    ...daemon.roots.flatMap((watch) => watch.warning(daemon.clock.nowMs()) ?? []),
    ...(faults > 0 ? [`errors of Pinyon itself: ${faults}: the log has them, please report them`] : []),
    ...(linkCount === 0 ? ["no links: add a peer with `pinyon peer add <uri>`, or start a node on this LAN"] : []),
  ];
}

function bindingWarning({ name, node, changedTo }: BindingInfo): string[] {
  if (changedTo === null) return [];
  return [
    `${name} was bound to the node ${node}, and now says ${changedTo}: nothing passes to it or from it. Ask its owner; \`pinyon binding forget ${name}\` believes what it says now`,
  ];
}
