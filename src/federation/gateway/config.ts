/** Local limits of gateways, both of one that brings classic servers in and of the node that they are brought to. */

/** Connections of classic servers to a gateway at once: some 60 KB each. */
export const GATEWAY_CONNECTIONS_MAX = 4_000;
/** Of the room that is left one node may have one part in so many, so that a few nodes that hold theirs leave room for others. */
export const GATEWAY_PARTS = 8;
/** Time without a byte in one, in ms: no less than the wait for the head of an answer, which the gateway does not see. */
export const GATEWAY_IDLE_MS = 660_000;
/** The files of the certificate are read again after so long, in ms, when a connection comes: a renewed one is shown without a restart. */
export const CERTIFICATE_KEPT_MS = 60_000;
/** Time until the node that a connection is for has taken it, in ms: a search of the mesh and a handshake. */
export const GATEWAY_TIMEOUT_MS = 20_000;
