import type { LinkStats } from "../node/stats.js";
import type { NodeStatus } from "../node/status.js";
import type { PathStats } from "../router/path-stats.js";
import type { RouterStats } from "../router/stats.js";
import { PACKET_DROP_LABEL } from "../session/codes.js";
import type { EndpointStats } from "../session/stats.js";
import { CloseCode, DROP_LABEL } from "../wire/codes.js";
import { RegRefusal } from "../wire/control.js";
import { Kind } from "../wire/kinds.js";
import { counters, gauge, type Metric } from "./metrics.js";

/** What the node has now, and what it counts: hellos, router, ways to keys, sessions. */
export function nodeMetrics(status: () => NodeStatus): Metric[] {
  return [...stateMetrics(status), ...helloMetrics(status), ...routerMetrics(status), ...sessionMetrics(status)];
}

type Read = () => NodeStatus;

function stateMetrics(status: Read): Metric[] {
  return [
    gauge("links", "Links whose hello is complete.", () => status().links.length),
    gauge("links_in_hello", "Links whose hello is not complete.", () => status().linksInHello),
    gauge("ports", "Port numbers in use or at rest.", () => status().ports),
    gauge("sessions", "Sessions with other nodes.", () => status().sessions.length),
    gauge("sessions_half_open", "Sessions whose handshake is not complete.", () => status().sessionsHalfOpen),
    gauge("requests", "Pings, traces and look-ups under way.", () => status().requests),
    {
      ...gauge("tree_depth_links", "Links from the root to this node.", () =>
        status().trees.map(({ coordinates }, tree) => [`${tree}`, coordinates?.length ?? 0]),
      ),
      label: "tree",
    },
    {
      ...gauge("tree_table_keys", "Keys known to live below this node.", () =>
        status().trees.map(({ tableSize }, tree) => [`${tree}`, tableSize]),
      ),
      label: "tree",
    },
  ];
}

function helloMetrics(status: Read): Metric[] {
  const stats = () => status().counters.links;
  return [
    ...counters<LinkStats>("node", stats, {
      established: "Hellos that were completed.",
      hellosEvicted: "Links in hello that made room for newer ones.",
      hellosOverBudget: "Hellos refused because strangers had spent the budget of signatures.",
      linksRefused: "Hellos refused because there was no room for the link, or no port number.",
      pongsUnasked: "PONGs that answer no PING that is out.",
      windowsFull: "Times that frames began to wait for what was under way on a link.",
    }),
    {
      name: "pinyon_node_links_closed_total",
      kind: "counter",
      help: "Links that this node closed, by close code.",
      label: "code",
      read: () => Object.entries(CloseCode).map(([name, code]) => [name.toLowerCase(), stats().closed[code] ?? 0]),
    },
    {
      name: "pinyon_node_requests_refused_total",
      kind: "counter",
      help: "Pings, traces and look-ups over their limit.",
      read: () => status().requestsRefused,
    },
  ];
}

function routerMetrics(status: Read): Metric[] {
  const stats = () => status().counters.router;
  return [
    {
      name: "pinyon_router_drops_total",
      kind: "counter",
      help: "Frames that went no further, by drop reason.",
      label: "reason",
      read: () => [...DROP_LABEL].map(([reason, label]) => [label, stats().drops[-reason] ?? 0]),
    },
    {
      name: "pinyon_router_control_frames_total",
      kind: "counter",
      help: "Control frames that came in, by kind.",
      label: "kind",
      read: () => Object.entries(Kind).map(([name, kind]) => [name.toLowerCase(), stats().control[kind] ?? 0]),
    },
    {
      name: "pinyon_router_regs_refused_total",
      kind: "counter",
      help: "REG entries of children refused, by reason.",
      label: "reason",
      read: () =>
        Object.entries(RegRefusal).map(([name, code]) => [name.toLowerCase(), stats().regsRefused[code] ?? 0]),
    },
    ...counters<RouterStats>("router", stats, {
      forwarded: "DATA frames sent on.",
      delivered: "DATA frames for this node.",
      heartbeatsIgnored: "Heartbeats that say nothing new, or come from another than the parent.",
      announcesUnread: "Announcements that keep edges of one that was not read.",
      checksDelayed:
        "Announcements, heartbeats and reports put off because their neighbour had spent its budget of checks.",
      floods: "Links closed because the neighbour sent more than its budget.",
      parentChanges: "Changes of a parent, in any tree.",
      rootChanges: "Changes of a root, in any tree.",
      rootsDead: "Roots given up because nothing new was heard of them.",
      rootsForgotten: "Roots whose seqs were forgotten for those of newer ones.",
      seqsGiven: "Heartbeats that this node made as a root.",
      rootLostsIgnored: "Reports of a lost root that were known or over their rate.",
      seqRequestsIgnored: "Requests for a newer seq that were known or over their rate.",
      regsDelayed: "REGs that waited because their child had spent its budget of checks.",
      regsUnattached: "REGs of a neighbour that is no child.",
      regRefusals: "Refusals of REG entries that this node was told.",
      refusalsIgnored: "Refusals that a parent told faster than its budget.",
      refusalsUntold: "Refusals that a child was not told because it had spent its budget.",
      violations: "Rules that neighbours broke; each closed a link.",
    }),
    ...counters<PathStats>("path", () => status().counters.paths, {
      probesSent: "Probes of this node.",
      probesAnswered: "Probes answered as their target.",
      repliesTaken: "Replies that ended a question.",
      repliesLate: "Replies to a question that had its answer.",
      repliesBad: "Replies that do not fit their probe or bear a false signature.",
      inquiriesRefused: "Questions not asked because too many were open.",
      routesFound: "Routes that came into use, a first or a better one.",
      sparesTaken: "Spares that took the place of a route.",
      routesDead: "Routes given up because nothing came back.",
      routesBroken: "Routes reported broken, or begun on a lost link.",
      ballsAsked: "Requests for records of nodes around.",
      ballsUnanswered: "Requests for records that were not answered in time.",
      ballsRefused: "Requests for records not sent because too many were.",
      ballsAnswered: "Requests for records that this node answered.",
      ballsBad: "Answers without the layout of records, or with another node's.",
      notesIgnored: "Notes of peers that came too often or in another version.",
      routesJoined: "Routes that records gave and that were probed.",
      searchesFailed: "Searches that ended without a route.",
      destinationsEvicted: "Destinations forgotten for newer ones.",
      locatorsEvicted: "Locators forgotten for newer ones.",
      locatorsBad: "Locators refused for a false signature.",
    }),
  ];
}

function sessionMetrics(status: Read): Metric[] {
  const stats = () => status().counters.sessions;
  return [
    {
      name: "pinyon_session_packets_dropped_total",
      kind: "counter",
      help: "Packets that no session took, by reason.",
      label: "reason",
      read: () => PACKET_DROP_LABEL.map((label, reason) => [label, stats().drops[reason] ?? 0] as const).slice(1),
    },
    ...counters<EndpointStats>("session", stats, {
      connectsRefusedFull: "Sessions not begun because there was no room.",
      connectsRefusedKey: "Sessions not begun because the key is none to agree on.",
      halfOpenEvicted: "Sessions in handshake that made room for others.",
      sessionsEvicted: "Idle sessions that made room for others.",
      ingressesEvicted: "Neighbours whose rate of handshakes was forgotten for others.",
    }),
  ];
}
