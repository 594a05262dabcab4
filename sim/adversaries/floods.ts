import { dataHeaderBytes, editHops, editSourceStep, writeDataHeader } from "../../src/wire/data.js";
import { ROUTE_HOPS_MAX } from "../../src/wire/limits.js";
import type { Host } from "../host.js";
import type { Network } from "../network.js";
import type { Random } from "../random.js";
import { type Adversary, openLinks, repeat } from "./adversary.js";

const PROBE_MS = 200;
const PROBES = 20;

/** Asks for keys without end. */
export const prober: Adversary = (host, network, random) => {
  repeat(host, network, PROBE_MS, () => {
    host.note("asked for a key", PROBES);
    for (let i = 0; i < PROBES; i++) network.ask("lookup", host.index, network.key(random.below(network.hosts.length)));
  });
};

const FLOOD_MS = 100;
const FLOOD_FRAMES = 40;
const FLOOD_BYTES = 1_000;

/** Sends frames for keys that nobody has, as fast as its links take them. */
export const flooder: Adversary = (host, network, random) => {
  repeat(host, network, FLOOD_MS, () => {
    for (const [, end] of openLinks(host))
      for (let i = 0; end.isWritable && i < FLOOD_FRAMES; i++) {
        const frame = dataFrame([], FLOOD_BYTES, random);
        editHops(frame);
        host.note("sent a frame for a key that nobody has");
        host.transmit(end, frame);
      }
  });
};

const WIND_MS = 100;
const WINDING_FRAMES = 4;
const WINDING_BYTES = 10_000;

/** Sends large frames to and fro through the whole network, by the longest routes that it can make, and by some that turn back at once. */
export const winder: Adversary = (host, network, random) => {
  repeat(host, network, WIND_MS, () => {
    for (const [port, end] of openLinks(host))
      for (let i = 0; end.isWritable && i < WINDING_FRAMES; i++) {
        const route = i === 0 ? turnRoute(host, network, port) : windingRoute(host, network, port, random);
        const frame = dataFrame(route, WINDING_BYTES, random);
        editSourceStep(frame, 0);
        editHops(frame);
        host.note(i === 0 ? "sent a frame by a route that turns back" : "sent a frame by a winding route");
        host.transmit(end, frame);
      }
  });
};

/** Over a link, and back by the same. */
function turnRoute(host: Host, network: Network, port: number): number[] {
  const behind = network.behind(host, port)?.host;
  const back = behind?.node?.router.view.peerByKey(host.key)?.port ?? 1;
  return [port, back];
}

/** A walk at random that never goes back by the port that it came by. */
function windingRoute(host: Host, network: Network, first: number, random: Random): number[] {
  const route = [first];
  let before = host;
  let at = network.behind(host, first)?.host;
  while (at !== undefined && route.length < ROUTE_HOPS_MAX) {
    const ingress = at.node?.router.view.peerByKey(before.key)?.port;
    const ports = [...at.ports.keys()].filter((port) => port !== ingress);
    if (ports.length === 0) break;
    const port = random.pick(ports);
    route.push(port);
    before = at;
    at = network.behind(at, port)?.host;
  }
  return route;
}

/** A frame for a key at random. */
function dataFrame(route: readonly number[], payloadBytes: number, random: Random): Uint8Array {
  const frame = new Uint8Array(dataHeaderBytes(route.length) + payloadBytes);
  writeDataHeader(frame, route, random.bytes(8), random.bytes(32));
  return frame;
}
