import { PACKET_DROP_LABEL } from "./codes.js";

/** Counters of one session; plain numbers that only grow. */
export class SessionStats {
  packetsSent = 0;
  packetsReceived = 0;
  bytesSent = 0;
  bytesReceived = 0;
  /** Stream bytes that went again. */
  bytesSentAgain = 0;
  packetsLost = 0;
  /** Packets received with the congestion bit. */
  marksReceived = 0;
  /** Times that the congestion window was made smaller. */
  congestionEvents = 0;
  probeTimeouts = 0;
  /** Packets dropped unacknowledged because `receiveRangesMax` or `receiveMemoryBytesMax` was reached. */
  receiveRangesRefused = 0;
  receiveMemoryRefused = 0;
  /** Notes not taken because `notesMax` wait. */
  notesRefused = 0;
  /** Times that `packetsInFlightMax` held a packet back. */
  packetsInFlightRefused = 0;
}

/** Counters of a node's sessions together. */
export class EndpointStats {
  /** By `PacketDrop`; 0 counts what was accepted. */
  readonly drops: number[] = PACKET_DROP_LABEL.map(() => 0);
  /** `connect` refused: no room, or a key that is no point to agree on. */
  connectsRefusedFull = 0;
  connectsRefusedKey = 0;
  /** Half-open sessions that made room for others. */
  halfOpenEvicted = 0;
  /** Idle sessions that made room for others. */
  sessionsEvicted = 0;
  /** Ingresses whose handshake rate was forgotten. */
  ingressesEvicted = 0;
}
