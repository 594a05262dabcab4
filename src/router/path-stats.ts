/** What probing and routes did since the start; frames that were dropped are in `Drops`. Read by the node's status and metrics. */
export interface PathStats {
  /** PROBE frames of this node. */
  probesSent: number;
  /** Probes answered as their target. */
  probesAnswered: number;
  /** Replies that ended a question. */
  repliesTaken: number;
  /** Replies to a question that had its answer: other ways, where it was not about one. */
  repliesLate: number;
  /** Replies that do not fit their probe or bear a false signature. */
  repliesBad: number;
  /** Questions that were not asked because `inquiriesMax` were open. */
  inquiriesRefused: number;
  /** Routes that came into use, a first or a better one. */
  routesFound: number;
  /** Spares that took the place of a route. */
  sparesTaken: number;
  /** Routes given up because probes went unanswered or the session doubted them twice. */
  routesDead: number;
  /** Own routes reported broken or begun on a lost link. */
  routesBroken: number;
  /** Requests for records of others; those unanswered in time, and not sent for want of budget. */
  ballsAsked: number;
  ballsUnanswered: number;
  ballsRefused: number;
  /** Requests for records that were answered. */
  ballsAnswered: number;
  /** Records of others that have no layout or are another node's than was asked. */
  ballsBad: number;
  /** Notes of peers about the way that came too often or in another version. */
  notesIgnored: number;
  /** Routes from the map that were probed. */
  routesJoined: number;
  /** Searches that ended without a route. */
  searchesFailed: number;
  /** Destinations forgotten for newer ones. */
  destinationsEvicted: number;
  /** Locators forgotten for newer ones. */
  locatorsEvicted: number;
  /** Locators refused for a false signature. */
  locatorsBad: number;
}

export function createPathStats(): PathStats {
  return {
    probesSent: 0,
    probesAnswered: 0,
    repliesTaken: 0,
    repliesLate: 0,
    repliesBad: 0,
    inquiriesRefused: 0,
    routesFound: 0,
    sparesTaken: 0,
    routesDead: 0,
    routesBroken: 0,
    ballsAsked: 0,
    ballsUnanswered: 0,
    ballsRefused: 0,
    ballsAnswered: 0,
    ballsBad: 0,
    notesIgnored: 0,
    routesJoined: 0,
    searchesFailed: 0,
    destinationsEvicted: 0,
    locatorsEvicted: 0,
    locatorsBad: 0,
  };
}
