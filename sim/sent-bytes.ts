/** Bytes that a host sent, WebSocket headers included: DATA frames, and all else. They only grow. */
export interface SentBytes {
  control: number;
  data: number;
}

/** Bytes of a binary WebSocket message (RFC 6455, 5.2): the header, from the dialler a mask too, and what it carries. */
export function webSocketBytes(sizeBytes: number, dialled: boolean): number {
  return sizeBytes + (sizeBytes < 126 ? 2 : sizeBytes < 65_536 ? 4 : 10) + (dialled ? 4 : 0);
}
