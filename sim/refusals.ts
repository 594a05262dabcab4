import { PACKET_DROP_LABEL, PacketDrop } from "../src/session/codes.js";
import { CloseCode, DROP_LABEL } from "../src/wire/codes.js";
import { RegRefusal } from "../src/wire/control.js";
import type { Host } from "./host.js";

/** Counters that say that a node was told, asked or sent what it did not want, by name; summed over some nodes. Only those above 0. */
export type Refusals = Readonly<Record<string, number>>;

const CLOSE_LABEL = Object.keys(CloseCode).map((name) => name.toLowerCase());
const REG_LABEL = Object.keys(RegRefusal).map((name) => name.toLowerCase());

/**
 * What nodes refused: `closed.bad_edge` links closed with that code, `drops.unasked` frames dropped for that reason,
 * `regsRefused.full` registrations refused so, `packets.replayed` packets of sessions dropped so; all else by the counter's own name.
 */
export function refusalsOf(hosts: Iterable<Host>): Refusals {
  const sums: Record<string, number> = {};
  const add = (name: string, count: number) => {
    if (count > 0) sums[name] = (sums[name] ?? 0) + count;
  };
  for (const { node } of hosts) {
    if (node === undefined) continue;
    const { links, router, paths, sessions } = node.status().counters;
    for (const [code, count] of links.closed.entries()) add(`closed.${CLOSE_LABEL[code]}`, count);
    for (const [i, count] of router.drops.entries()) add(`drops.${DROP_LABEL.get(-i)}`, count);
    for (const [i, count] of router.regsRefused.entries()) add(`regsRefused.${REG_LABEL[i]}`, count);
    for (const [i, count] of sessions.drops.entries())
      if (i !== PacketDrop.NONE) add(`packets.${PACKET_DROP_LABEL[i]}`, count);
    const { heartbeatsIgnored, announcesUnread, checksDelayed, rootLostsIgnored, seqRequestsIgnored } = router;
    const { regsDelayed, regsUnattached, refusalsIgnored, refusalsUntold } = router;
    const { repliesBad, inquiriesRefused, ballsBad, ballsRefused, notesIgnored, locatorsBad } = paths;
    const trees = { heartbeatsIgnored, announcesUnread, checksDelayed, rootLostsIgnored, seqRequestsIgnored };
    const tables = { regsDelayed, regsUnattached, refusalsIgnored, refusalsUntold };
    const routes = { repliesBad, inquiriesRefused, ballsBad, ballsRefused, notesIgnored, locatorsBad };
    const { hellosEvicted, hellosOverBudget, linksRefused } = links;
    const hellos = { hellosEvicted, hellosOverBudget, linksRefused };
    for (const [name, count] of Object.entries({ ...trees, ...tables, ...routes, ...hellos })) add(name, count);
  }
  return sums;
}
