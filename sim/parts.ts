import type { Host } from "./host.js";
import type { Network } from "./network.js";
import { Ways } from "./ways.js";

/** The hosts of each part that links join now: those that read, that `counts`, over links that are up and pass both ways. */
export function partsNow(network: Network, counts: (host: Host) => boolean = () => true): Host[][] {
  return hostsOf(network, Ways.now(network, counts), counts);
}

/** The hosts of each part of these ways. */
export function hostsOf(network: Network, ways: Ways, counts: (host: Host) => boolean): Host[][] {
  return ways
    .parts()
    .map((part) => part.map((index) => network.hosts[index]!))
    .filter(([first]) => first!.isReading && counts(first!));
}
