import { randomBytes } from "node:crypto";
import type { Homeserver } from "../homeserver.js";
import type { MatrixClient } from "../matrix-client.js";
import type { MeshNode } from "../mesh.js";
import { Scene } from "../stage.js";
import type { ClassicHomeservers } from "./classic-side.js";
import type { Host } from "./hosts.js";
import { EVERY_NODE, type OverlaySide } from "./overlay-side.js";
import type { SmallInternet } from "./small-internet.js";

/** A gateway, which is an exit as well, and its machine. */
export interface GatewayHost {
  readonly node: MeshNode;
  readonly host: Host;
}

/** A homeserver of the stage, and who has an account there. */
export interface Party {
  readonly homeserver: Homeserver;
  readonly alice: MatrixClient;
  readonly bob: MatrixClient;
}

/** Homeservers of the overlay and of the classic federation, gateways between them, and what the steps before have made there. */
export class MixedStage {
  /** Stands in every text that is sent. */
  readonly marker = `pinyon-${randomBytes(8).toString("hex")}`;
  readonly overlay: readonly [Homeserver, Homeserver];
  /** Beside those of the overlay. */
  readonly nodes: readonly [MeshNode, MeshNode];
  readonly gateways: readonly [GatewayHost, GatewayHost];
  /** Where HAProxy stands before both gateways. */
  readonly front: Host;
  /** Empty before there are accounts. */
  parties: readonly Party[] = [];
  /** All parties' Bobs, and the first one's Alice, are in this room. */
  roomId = "";

  constructor(
    private readonly internet: SmallInternet,
    { homeservers, nodes, gateways, front }: OverlaySide,
    readonly classic: ClassicHomeservers,
    /** A classic one with a node of its own. */
    readonly bound: Homeserver,
  ) {
    this.nodes = nodes;
    this.overlay = homeservers;
    this.gateways = gateways;
    this.front = front;
  }

  /** Has the DNS lead classic servers to these machines. */
  async leadTo(...hosts: readonly Host[]): Promise<void> {
    await this.internet.dns.setAddresses(
      EVERY_NODE,
      hosts.map((host) => host.address("internet")),
    );
  }

  get homeservers(): readonly Homeserver[] {
    return [...this.overlay, ...this.classic, this.bound];
  }

  /** Alice of one homeserver and Bob of another. */
  scene(from: Homeserver, to: Homeserver): Scene {
    const [one, other] = [this.party(from), this.party(to)];
    const scene = new Scene(from, to);
    scene.alice = one.alice;
    scene.bob = other.bob;
    return scene;
  }

  party(homeserver: Homeserver): Party {
    const found = this.parties.find((party) => party.homeserver === homeserver);
    if (found === undefined) throw new Error("the step that makes accounts did not come about");
    return found;
  }

  /** Every pair of a homeserver of the overlay and a classic one, both ways. */
  crossings(): readonly Scene[] {
    const [a, b] = this.overlay;
    const [synapse, dendrite] = this.classic;
    const pairs = [
      [a, synapse],
      [synapse, b],
      [b, dendrite],
      [dendrite, a],
      [a, this.bound],
      [this.bound, b],
    ] as const;
    return pairs.map(([from, to]) => this.scene(from, to));
  }
}
