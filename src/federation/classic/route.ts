import { FederationError } from "../errors.js";
import { SERVICES_MAX } from "./config.js";
import type { ClassicNetwork, Service } from "./network.js";
import { type ClassicName, DEFAULT_PORT } from "./server-name.js";
import type { WellKnown } from "./well-known.js";

/** A host and a port to connect to. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/**
 * Who answers for a server: the name under which it is asked, in `Host` and in TLS alike (server-server API, "Resolving server names",
 * steps 1 to 3). An address or a name with a port speaks for itself; any other may name another by well-known.
 */
export async function delegateOf(server: ClassicName, wellKnown: WellKnown): Promise<ClassicName> {
  if (server.isAddress || server.port !== undefined) return server;
  return (await wellKnown.delegateOf(server.host)) ?? server;
}

/**
 * Where the one that answers can be connected to, in the order to try: at its port, or where DNS says (steps 3.3 to 6), `_matrix-fed` before
 * the older `_matrix`, or at the port of Matrix.
 */
export async function placesOf(
  { host, port, isAddress }: ClassicName,
  network: ClassicNetwork,
  random: () => number,
): Promise<readonly Place[]> {
  if (isAddress || port !== undefined) return [{ host, port: port ?? DEFAULT_PORT }];
  for (const service of ["_matrix-fed", "_matrix"]) {
    const found = await network.services(`${service}._tcp.${host}`);
    if (found.length === 0) continue;
    const places = inOrder(found, random).filter((each) => each.host !== "" && each.port !== 0);
    if (places.length === 0) throw new FederationError("PINYON_CLASSIC_LOOKUP", `${host} says that it has no server`);
    return places.slice(0, SERVICES_MAX);
  }
  return [{ host, port: DEFAULT_PORT }];
}

/** By priority, and by chance among those of one, each as often as its weight says (RFC 2782). */
function inOrder(services: readonly Service[], random: () => number): Service[] {
  const left = [...services].sort((one, other) => one.priority - other.priority || one.weight - other.weight);
  const ordered: Service[] = [];
  while (left.length > 0) {
    const rivals = left.filter(({ priority }) => priority === left[0]!.priority);
    let at = random() * rivals.reduce((sum, { weight }) => sum + weight, 0);
    const chosen = rivals.find(({ weight }) => (at -= weight) < 0) ?? rivals[0]!;
    ordered.push(chosen);
    left.splice(left.indexOf(chosen), 1);
  }
  return ordered;
}
