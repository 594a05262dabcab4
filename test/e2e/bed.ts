import type { Graph } from "../../sim/graphs.js";

/** A flow between two nodes, at one moment. */
export interface FlowState {
  readonly from: number;
  readonly to: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly isCorrupt: boolean;
  /** The longest time without a byte at the receiver since the last mark. */
  readonly pauseMs: number;
}

/** What a mesh is made of, whether it is of daemons or simulated. */
export interface MeshPlan {
  /** With a delay for each edge. */
  readonly graph: Graph;
  /** The seed of each node's keys. */
  readonly seeds: readonly Uint8Array[];
}

/**
 * A mesh that a script does things to and asks things of, in its own time: one of daemons, or one of the simulator. Nodes and edges
 * are those of the plan, by their index.
 */
export interface Bed {
  nowMs(): number;
  pause(forMs: number): Promise<void>;
  /** Dials every edge, all at once. */
  open(): Promise<void>;
  /** The hops of the way that a search found; undefined where it found none. */
  lookup(from: number, to: number): Promise<number | undefined>;
  /** The round trip by the route in use; undefined where there is no answer. */
  ping(from: number, to: number): Promise<{ readonly rttMs: number; readonly hops: number } | undefined>;
  /** Keys that a node knows below itself. */
  keysBelow(node: number, tree: number): Promise<number>;
  /** Seconds of CPU that the nodes used so far; undefined where they use none of their own time. */
  cpuS(): number | undefined;
  /** Bytes that the nodes sent so far, WebSocket headers included. */
  sentBytes(): number;
  /** Keeps a flow of small writes going from one node to another. */
  flow(from: number, to: number): Promise<void>;
  /** Pauses of flows count from now on. */
  mark(): Promise<void>;
  /** Nothing more is written to any flow. */
  stopFlows(): Promise<void>;
  flows(): Promise<FlowState[]>;
  /** Nothing passes the edge any more, and nobody is told. */
  cut(edge: number): void;
  heal(edge: number): void;
  /** The node is gone, and its machine with it: nobody is told. */
  powerOff(node: number): Promise<void>;
}

/** From one write of a flow to the next. */
export const FLOW_EVERY_MS = 50;
