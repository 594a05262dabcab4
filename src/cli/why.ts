import type { DestinationDump, RouteDump } from "../daemon/dumps.js";
import type { ExplainResult } from "../daemon/explain.js";
import { count, duration, rtt, shortName } from "./output.js";

/*
 * An `ExplainResult` in sentences. All of it is what the asking node knows, by the rules of PROTOCOL.md, Probes and routes.
 */

/** The sentences behind a trace. */
export function whyLines(result: ExplainResult): string[] {
  if (result.isSelf) return [];
  return [
    "why:",
    ...[...beforeSentences(result), ...searchSentences(result), ...afterSentences(result)].map((text) => `  - ${text}`),
  ];
}

/** A route in one line. */
export function routeText({ ports, rttMs, confirmedAgoMs, state, foundBy }: RouteDump): string {
  const measured = rttMs === null ? "" : `, ${rtt(rttMs)} there and back`;
  const confirmed = confirmedAgoMs === null ? "" : `, answered ${duration(confirmedAgoMs)} ago`;
  return `${count(ports.length, "hop")}${measured}, ${state}${confirmed}, found ${FOUND_TEXT[foundBy]}, ports ${ports.join(" ")}`;
}

const FOUND_TEXT: Readonly<Record<RouteDump["foundBy"], string>> = {
  locator: "by the locator",
  "tree 0": "by key in tree 0",
  "tree 1": "by key in tree 1",
  "tree 2": "by key in tree 2",
  detour: "by a detour",
  map: "on the map",
  packets: "by the peer's packets",
};

function beforeSentences({ before, neighbourPort }: ExplainResult): string[] {
  const neighbour = neighbourPort === null ? [] : [`It is a neighbour, behind port ${neighbourPort}.`];
  const [route] = before?.routes ?? [];
  if (route === undefined) return [...neighbour, "No route to it was kept: a search began."];
  if (route.state === "confirmed") return [...neighbour, "A confirmed route was kept, so nothing was searched."];
  return [...neighbour, `A route was kept, but it is ${route.state}: a search began beside it.`];
}

function searchSentences({ byLocator, byKey, before }: ExplainResult): string[] {
  const isSearched = before?.routes[0]?.state !== "confirmed";
  const first = isSearched ? "The search began" : "A search would begin";
  return [
    byLocator === null
      ? `${first} by key in each tree: no locator of it was known.`
      : `${first} with its locator, tried before its key: ${locatorText(byLocator)}`,
    ...byKey.map((choice) => `By key, tree ${choice.tree}: ${keyText(choice)}.`),
  ];
}

function locatorText({ own, neighbours, port }: NonNullable<ExplainResult["byLocator"]>): string {
  if (port === null) return "no tree has the same root there and here, so the probe goes by key.";
  const here = own === null ? "this node cannot be compared" : `this node is ${inTree(own)}`;
  if (port === 0) return `${here}, and no neighbour is nearer, so by it nothing can be found from here.`;
  const others = neighbours.map((one) => `${shortName(one.name ?? "")} ${inTree(one)}`).join("; ");
  const chosen = neighbours.find((one) => one.port === port);
  const to = chosen?.name ? shortName(chosen.name) : `port ${port}`;
  return `${here}; it goes to ${to}, the nearest over all trees. Compared: ${others}.`;
}

function inTree({ tree, distance }: { tree: number; distance: number }): string {
  return `${count(distance, "hop")} away in tree ${tree}`;
}

function keyText({ way, name, port }: ExplainResult["byKey"][number]): string {
  const to = `${shortName(name ?? "")}, port ${port}`;
  switch (way) {
    case "neighbour":
      return `it is the neighbour behind port ${port}`;
    case "down":
      return `it lives below the child ${to}`;
    case "up":
      return `it is not below this node, so the parent is asked, ${to}`;
    case "stuck":
      return "it is not below this node, and there is no parent to ask: the tree leads nowhere from here";
  }
}

function afterSentences({ after, shortest, failure, before }: ExplainResult): string[] {
  const [route, ...spares] = after?.routes ?? [];
  if (route === undefined) return [`No route was found: ${failure ?? "nothing answered"}.`];
  return [
    `The route in use: ${routeText(route)}.`,
    foundSentence(route, before),
    ...spares.map((spare) => `A spare: ${routeText(spare)}.`),
    ...(spares.length === 0 ? ["There is no spare: no other way was confirmed by a probe."] : []),
    shortestSentence(route, shortest),
    ...(failure === null ? [] : [`The trace itself failed: ${failure}`]),
  ];
}

function foundSentence(route: RouteDump, before: DestinationDump | null): string {
  const isKept = before?.routes.some(({ ports }) => ports.join() === route.ports.join()) === true;
  if (isKept)
    return "It was the route before as well: another takes its place if it is shorter by a fifth, or if this one does not answer.";
  return `The probe ${FOUND_TEXT[route.foundBy]} was answered first, or found a better way than the first.`;
}

function shortestSentence({ rttMs }: RouteDump, shortest: ExplainResult["shortest"]): string {
  if (shortest === null) return "The map of nodes around has no way to it: maps are joined once there is a session.";
  const way = `The shortest way on the map has ${count(shortest.hops, "hop")} and ${rtt(shortest.delayMs)} one way`;
  if (rttMs === null || shortest.delayMs === 0) return `${way}.`;
  return `${way}: the route in use takes ${(rttMs / 2 / shortest.delayMs).toFixed(2)} times that.`;
}
