import fc from "fast-check";

/** Nodes joined by links whose ports are drawn at random: as little of a network as a route needs. */
export class PortMap {
  private readonly ends = new Map<string, { readonly node: number; readonly ingress: number }>();

  /** Joins two nodes, each with its own number for the link. */
  join(a: number, portAtA: number, b: number, portAtB: number): void {
    this.ends.set(`${a}:${portAtA}`, { node: b, ingress: portAtB });
    this.ends.set(`${b}:${portAtB}`, { node: a, ingress: portAtA });
  }

  has(node: number, port: number): boolean {
    return this.ends.has(`${node}:${port}`);
  }

  /** Where a frame comes out that leaves `node` by `port`, and by which port it comes in there. */
  cross(node: number, port: number): { readonly node: number; readonly ingress: number } {
    const end = this.ends.get(`${node}:${port}`);
    if (end === undefined) throw new Error(`node ${node} has no link on port ${port}`);
    return end;
  }

  /** The node at the end of a route. */
  follow(node: number, route: readonly number[]): number {
    return route.reduce((at, port) => this.cross(at, port).node, node);
  }
}

export interface Walk {
  readonly network: PortMap;
  readonly start: number;
  /** The ports of a walk of 1 to `hopsMax` hops, nodes twice and thrice allowed. */
  readonly route: readonly number[];
}

const NODES = 12;

/** A walk over a network that grows as it is walked, each hop a new link or one that is there. */
export function walk(hopsMax: number): fc.Arbitrary<Walk> {
  const hop = fc.record({
    to: fc.nat({ max: NODES - 1 }),
    portOut: fc.integer({ min: 1, max: 0xffff }),
    portIn: fc.integer({ min: 1, max: 0xffff }),
  });
  return fc
    .array(hop, { minLength: 1, maxLength: hopsMax, size: "max" })
    .map((hops) => {
      const network = new PortMap();
      const route: number[] = [];
      let at = 0;
      for (const { to, portOut, portIn } of hops) {
        if (!network.has(at, portOut)) {
          if (to === at || network.has(to, portIn)) continue;
          network.join(at, portOut, to, portIn);
        }
        route.push(portOut);
        at = network.cross(at, portOut).node;
      }
      return { network, start: 0, route };
    })
    .filter(({ route }) => route.length > 0);
}
