import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { HttpPeer } from "../driver/http-peer.js";
import type { Overlay } from "../driver/overlay.js";
import type { OverlaySession } from "../driver/overlay-session.js";
import type { FederationOverlay, RemoteNode } from "../federation/overlay.js";
import type { Timers } from "../link/link.js";

/** Takes what another node asks. */
export type RemoteRequestHandler = (
  remote: RemoteNode,
  request: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
) => void;

/** The other nodes as federation sees them: HTTP on each session. */
export class Remotes implements FederationOverlay {
  onRequest: RemoteRequestHandler = (_remote, request) => request.destroy();
  readonly #nodes = new WeakMap<OverlaySession, RemoteNode>();

  constructor(
    private readonly overlay: () => Overlay,
    private readonly name: string,
    private readonly timers: Timers,
  ) {}

  async connect(key: Uint8Array): Promise<RemoteNode> {
    const session = await this.overlay().connect(key);
    return this.#nodes.get(session)!;
  }

  /** A session is there, whoever asked for it. */
  handleSession(session: OverlaySession): void {
    const peer = new HttpPeer(session, {
      name: this.name,
      timers: this.timers,
      handler: (request, headers, rawHeaders) => this.onRequest(node, request, headers, rawHeaders),
    });
    const node: RemoteNode = {
      key: session.remoteKey,
      name: peer.remoteName,
      get stated() {
        return peer.stated;
      },
      request: (headers, options) => peer.request(headers, options),
      silenceMs: () => peer.silenceMs(),
      giveUp: () => peer.giveUp(),
    };
    this.#nodes.set(session, node);
  }
}
