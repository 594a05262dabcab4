import { newFederationStats } from "../federation/stats.js";
import {
  type DialerStats,
  type DiscoveryStats,
  type LinkStats,
  type ListenerStats,
  newDiscoveryStats,
  newLinkStats,
  newListenerStats,
} from "../link/stats.js";
import type { ControlStats } from "./control-server.js";
import type { Daemon } from "./daemon.js";
import { federationMetrics } from "./federation-metrics.js";
import { counters, gauge, type Metric, sum } from "./metrics.js";
import { nodeMetrics } from "./node-metrics.js";
import { VERSION } from "./version.js";

/** All figures of a daemon, read when they are asked for; docs/metrics.md has the same list, held equal by a test. */
export function daemonMetrics(daemon: Daemon): Metric[] {
  const { overlay, peers } = daemon;
  return [
    { ...gauge("info", "1, with the version as label.", () => [[VERSION, 1]]), label: "version" },
    gauge("peers_unlinked", "Peers to be dialled to which there is no link.", () => {
      return peers.list().filter(({ linked }) => !linked).length;
    }),
    gauge("lan_neighbours", "Nodes of the network heard on the LAN.", () => daemon.discovery?.neighbourCount ?? 0),
    {
      ...gauge("tree_root_changes", "Changes of a tree's root in the last ten minutes.", () =>
        daemon.roots.map((watch) => [`${watch.tree}`, watch.recentCount(daemon.clock.nowMs())]),
      ),
      label: "tree",
    },
    gauge(
      "bindings_changed",
      "Classic names bound to another node than before, and refused until a person decides.",
      () => {
        return (daemon.federation?.bindings.list() ?? []).filter(({ state }) => state === "changed").length;
      },
    ),
    {
      ...gauge(
        "federation_certificate_days_left",
        "Days until the end of a certificate that classic servers see.",
        () => daemon.federation?.certificateDaysLeft() ?? [],
      ),
      label: "of",
    },
    {
      name: "pinyon_faults_total",
      kind: "counter",
      help: "Errors of Pinyon itself that nobody caught.",
      read: () => daemon.faults,
    },
    ...operatorMetrics(daemon),
    ...nodeMetrics(() => overlay.status()),
    ...linkMetrics(daemon),
    ...controlMetrics(daemon),
    ...federationMetrics(() => daemon.federation?.stats ?? newFederationStats()),
  ];
}

function operatorMetrics({ configWatch, journal }: Daemon): Metric[] {
  const counter = (name: string, help: string, read: () => number): Metric => {
    return { name: `pinyon_${name}_total`, kind: "counter", help, read };
  };
  return [
    counter("config_reloads", "Times that the changed config file was read again.", () => configWatch.reloads),
    counter("config_failures", "Times that it could not be used, so that nothing changed.", () => configWatch.failures),
    counter("journal_errors", "Uses of exit and gateway that could not be written down.", () => journal.errors),
  ];
}

function linkMetrics(daemon: Daemon): Metric[] {
  const { peers } = daemon;
  return [
    ...counters<ListenerStats>(
      "listener",
      () => sum([newListenerStats(), ...daemon.listeners.map(({ stats }) => stats)]),
      {
        accepted: "Connections accepted.",
        links: "Connections that became links.",
        addressRefusals: "Connections from addresses that are not admitted.",
        busyRefusals: "Connections for which there was no room.",
        refusalsTold: "Refused connections that were told why.",
        waitingEvictions: "Connections cut to make room for newer ones.",
        upgradeTimeouts: "Connections that were no link in time.",
        tlsFailures: "TLS handshakes that failed.",
        headerOverflows: "Requests with too long headers.",
        badRequests: "Requests that are not HTTP, or no proper upgrade.",
        plainRequests: "Plain HTTP requests, answered by a text.",
        originRefusals: "Upgrades asked by a web page.",
        acceptErrors: "Errors of the operating system at accept.",
      },
    ),
    ...counters<DialerStats>("dialer", () => peers.dialerStats, {
      dials: "Dials begun.",
      links: "Dials that became links.",
      failures: "Dials that failed.",
      keyMismatches: "Dials to another key than the pinned ones.",
    }),
    ...counters<LinkStats>(
      "link",
      () => sum([newLinkStats(), peers.linkStats, ...daemon.listeners.map(({ linkStats }) => linkStats)]),
      {
        textMessages: "Text messages: links are binary.",
        oversizeMessages: "Messages longer than a frame may be.",
        malformedMessages: "Breaches of the WebSocket protocol by the other end.",
        fragmentBombs: "Messages in too many fragments.",
        pingFloods: "Links closed for too many WebSocket pings.",
        stalls: "Links closed because the other end read nothing.",
        overflows: "Links closed because their sender went on while they were full.",
      },
    ),
    ...counters<DiscoveryStats>("discovery", () => daemon.discovery?.stats ?? newDiscoveryStats(), {
      queriesSent: "Questions asked on the LAN.",
      answersSent: "Announcements of this node.",
      garbage: "Messages that are no DNS or make no neighbour.",
      foreignSenders: "Messages from outside the subnets of this host.",
      otherNetworks: "Neighbours of other networks.",
      reports: "Neighbours reported, to be linked to.",
      reportsHeld: "Reports held back by their rate.",
      neighbourEvictions: "Neighbours forgotten for newer ones.",
      socketsRefused: "Interfaces left out because there were too many.",
      socketErrors: "Errors of the operating system.",
    }),
  ];
}

function controlMetrics(daemon: Daemon): Metric[] {
  const none: ControlStats = { requests: 0, malformed: 0, oversize: 0, refused: 0 };
  return counters<ControlStats>("control", () => daemon.control?.stats ?? none, {
    requests: "Requests on the control socket.",
    malformed: "Requests without their form.",
    oversize: "Requests longer than a line may be.",
    refused: "Clients turned away because there were too many.",
  });
}
