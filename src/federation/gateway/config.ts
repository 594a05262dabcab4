import type { BackOff } from "../back-off.js";

/** Local limits of gateways, both of one that brings classic servers in and of the node that they are brought to. */

/** Connections of classic servers to a gateway at once: some 60 KB each. */
export const GATEWAY_CONNECTIONS_MAX = 4_000;
/** Of the room that is left one node may have one part in so many, so that a few nodes that hold theirs leave room for others. */
export const GATEWAY_PARTS = 8;
/** The same of what is left of one node's streams, for each source: so a few that hold theirs shut nobody out. Each may have one. */
export const SOURCE_PARTS = 2;
/** Time without a byte in one, in ms: no less than the wait for the head of an answer, which the gateway does not see. */
export const GATEWAY_IDLE_MS = 660_000;
/**
 * Connections of classic servers without a request that are kept open where their TLS ends: some 60 KB each. At a node each is one of the
 * 100 streams that HTTP/2 lets a gateway have.
 */
export const CLASSIC_IDLE_MAX = 50;
/** Requests on one connection that are under way: classic servers send the next after an answer. */
export const CLASSIC_REQUESTS_MAX = 8;
/** Time until the node that a connection is for has taken it, in ms: a search of the mesh and a handshake. */
export const GATEWAY_TIMEOUT_MS = 20_000;
/** Bytes of what a front says in the PROXY protocol before a connection: 52 of addresses, and what else it was told to add. */
export const PROXY_HEADER_BYTES_MAX = 2_048;
/** Nodes that are counted what they use of a gateway: 200 bytes each. */
export const GATEWAY_NODES_MAX = 5_000;
/** Sources, addresses of IPv4 and networks of IPv6, that are counted so: 200 bytes each. */
export const GATEWAY_SOURCES_MAX = 20_000;

if (GATEWAY_CONNECTIONS_MAX >= Math.min(GATEWAY_NODES_MAX, GATEWAY_SOURCES_MAX)) {
  throw new Error("there must be room for the account of each connection");
}

/** Nodes that are served by invitation, kept on disk: 100 bytes each. */
export const INVITED_MAX = 1_000;
/** Invitations that were used and have not ended, kept with them: 100 bytes each. */
export const INVITATIONS_MAX = 1_000;
/** A gateway that cannot be reached is shown an invitation again after so long, in ms. */
export const INVITATION_BACK_OFF: BackOff = { firstMs: 10_000, maxMs: 600_000 };
/** Addresses of a name at which `pinyon gateway test` looks for it, and time for each step, in ms. */
export const NAME_CHECK_ADDRESSES_MAX = 8;
export const NAME_CHECK_MS = 30_000;
