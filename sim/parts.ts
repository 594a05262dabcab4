import type { Host } from "./host.js";
import type { Network } from "./network.js";
import { partsOf } from "./random-graphs.js";

/** The hosts of each part that links join now: those that read, that `counts`, over links that are up and pass both ways. */
export function partsNow(network: Network, counts: (host: Host) => boolean = () => true): Host[][] {
  const isIn = (host: Host) => host.isReading && counts(host);
  const joined: [number, number][] = [];
  for (const host of network.hosts) {
    if (!isIn(host)) continue;
    for (const port of host.ports.keys()) {
      const behind = network.behind(host, port);
      if (behind === undefined || !isIn(behind.host) || !behind.link.isWhole(0) || !behind.link.isWhole(1)) continue;
      if (host.index < behind.host.index) joined.push([host.index, behind.host.index]);
    }
  }
  return partsOf(network.hosts.length, joined)
    .map((part) => part.map((index) => network.hosts[index]!))
    .filter(([first]) => isIn(first!));
}
