import type { ClassicServers } from "../classic/servers.js";
import { type FederationCode, FederationError, federationErrorOf } from "../errors.js";
import type { Passage, RequestHead } from "../exchange.js";
import type { Servers } from "../servers.js";
import type { FederationStats } from "../stats.js";
import type { Bindings } from "./bindings.js";

export interface BoundServersOptions {
  readonly bindings: Bindings;
  /** The way by the mesh. */
  readonly mesh: Servers;
  /** The way by the Internet; undefined where there is none. */
  readonly classic: ClassicServers | undefined;
  readonly stats: FederationStats;
}

/** The node was not reached, or speaks for another server: it has nothing of the request. */
const NOT_REACHED: readonly FederationCode[] = ["PINYON_UNREACHABLE", "PINYON_DESTINATION"];

/** Servers whose name holds no key: by the mesh where the name is bound to a node that can be reached, else by the Internet. */
export class BoundServers {
  readonly #options: BoundServersOptions;

  constructor(options: BoundServersOptions) {
    this.#options = options;
  }

  /**
   * Opens a request, signed in `authorization`. It goes one way and no other: the second is tried only where nothing was sent by the first.
   * Throws as both ways do, `PINYON_BINDING_CHANGED`, and `PINYON_CLASSIC_NAME` where there is no way.
   */
  async open(name: string, head: RequestHead): Promise<Passage> {
    const { bindings, mesh, classic, stats } = this.#options;
    const key = await bindings.keyOf(name);
    if (key !== undefined) {
      try {
        return await mesh.open(name, byMesh(head), key);
      } catch (error) {
        const { code } = federationErrorOf(error);
        if (classic === undefined || !NOT_REACHED.includes(code)) throw error;
        stats.bindingFallbacks++;
      }
    }
    if (classic === undefined) throw new FederationError("PINYON_CLASSIC_NAME", name);
    return classic.open(name, head);
  }
}

/** Another node takes what is signed by a field of its own. */
function byMesh({ headers: { authorization, ...headers }, ...head }: RequestHead): RequestHead {
  return { ...head, headers: authorization === undefined ? headers : { ...headers, "x-matrix": authorization } };
}
