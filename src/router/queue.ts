import { DropReason } from "../wire/codes.js";
import { countDrop, type Drops } from "./drops.js";
import type { PathConfig } from "./path-config.js";
import { Ring } from "./ring.js";

/** Flows kept for reuse in an idle queue, and the frames for which such a flow keeps room. */
const SPARE_FLOWS_MAX = 4;
const SPARE_FRAMES_MAX = 256;
/** So many frames of a class wait as they came; any more that is small in the chunk it came in is copied, or it would hold the chunk. */
const UNCOPIED_FRAMES_MAX = 64;

/** What the flows of one class hold together. */
class Room {
  sizeBytes = 0;
  frames = 0;

  constructor(readonly sizeBytesMax: number) {}
}

/** The frames of one ingress and class that wait for a link. */
class Flow extends Ring {
  /** Where the queue keeps it. */
  slot = 0;
  room: Room | undefined;
  sizeBytes = 0;
  /** What it may still send in its turn, in cost. */
  deficit = 0;
  /** The next in the circle of flows with frames. */
  next: Flow = this;
}

/**
 * What waits for one link. Control frames between its two ends go first. All else goes by deficit round robin (Shreedhar and Varghese,
 * 1995) over flows: for each ingress port one of DATA, and one of probes and what comes back of them, so that a probe does not wait
 * behind its ingress's bulk. The deficit counts cost, for DATA bytes × hops still to go, so an ingress whose frames wind through the
 * mesh sends fewer bytes.
 *
 * Each of the two classes is bounded. Where it has no room, the ingress that holds most bytes gives way: its newest frame is dropped,
 * or the newcomer where that would hold most. So a flood loses its own frames, and what is lost had the longest wait before it.
 */
export class LinkQueue {
  /** Bookkeeping of `Queues`: got frames since it was last found empty; stands in the list of those to be polled; the next there. */
  isAwake = false;
  isListed = false;
  nextListed: LinkQueue | undefined;

  readonly #control = new Ring();
  #controlBytes = 0;
  readonly #data: Room;
  readonly #probes: Room;
  /** The flows with frames: of DATA at 2 × ingress, of probes at 2 × ingress + 1. */
  readonly #flows: (Flow | undefined)[] = [];
  readonly #spare: Flow[] = [];
  /** What the line takes; Infinity where it is not what limits. */
  #bytesPerMs = Number.POSITIVE_INFINITY;
  #ownBytesMax: number;
  #quantum: number;
  /** The flow before the one whose turn it is. */
  #last: Flow | undefined;
  #flowCount = 0;

  constructor(
    readonly port: number,
    private readonly config: PathConfig,
    private readonly drops: Drops,
  ) {
    this.#ownBytesMax = config.ownBytesMax;
    this.#quantum = config.quantum;
    this.#data = new Room(config.dataBytesMax);
    this.#probes = new Room(config.probeBytesMax);
  }

  get controlBytes(): number {
    return this.#controlBytes;
  }

  get dataBytes(): number {
    return this.#data.sizeBytes;
  }

  get probeBytes(): number {
    return this.#probes.sizeBytes;
  }

  get isEmpty(): boolean {
    return this.#control.count === 0 && this.#last === undefined;
  }

  /** What the line takes, where it is what limits; else Infinity. True where it was another before. */
  handlePace(bytesPerMs: number): boolean {
    if (bytesPerMs === this.#bytesPerMs) return false;
    const { ownMs, ownBytesMin, ownBytesMax, turnMs, quantumMin, quantum } = this.config;
    this.#bytesPerMs = bytesPerMs;
    this.#quantum = Math.min(Math.max(bytesPerMs * turnMs, quantumMin), quantum);
    this.#ownBytesMax = Math.min(Math.max(bytesPerMs * ownMs, ownBytesMin), ownBytesMax);
    return true;
  }

  /**
   * True where DATA of that ingress is to be marked, so that its senders slow down before any is lost: DATA holds more than half of its
   * room and the ingress no less than its share of that, or what it has here takes longer than `markMs` while the others have their turns.
   */
  isCongested(ingress: number): boolean {
    const flowBytes = this.#flows[2 * ingress]?.sizeBytes ?? 0;
    const { sizeBytes, sizeBytesMax } = this.#data;
    if (sizeBytes > sizeBytesMax / 2 && flowBytes * this.#flowCount >= sizeBytes) return true;
    const { markMs, markBytesMin } = this.config;
    return flowBytes > markBytesMin && flowBytes * this.#flowCount > markMs * this.#bytesPerMs;
  }

  /** True while this node may queue more DATA of its own. */
  get hasRoomForOwn(): boolean {
    return (this.#flows[0]?.sizeBytes ?? 0) < this.#ownBytesMax;
  }

  /** A frame between the two ends of the link. False where there is no room: the link is too slow for its own control. */
  pushControl(frame: Uint8Array): boolean {
    if (this.#controlBytes + frame.length > this.config.controlBytesMax) return false;
    this.#control.push(frame, 0);
    this.#controlBytes += frame.length;
    return true;
  }

  /** A PROBE, PROBE_REPLY or ROUTE_BROKEN that came in by `ingress`, 0 for this node's own. False where it was refused. */
  pushProbe(frame: Uint8Array, ingress: number): boolean {
    return this.#push(this.#probes, 2 * ingress + 1, frame, frame.length);
  }

  /** A DATA frame that came in by `ingress`, 0 for this node's own. False where it was refused; the caller counts it. */
  push(frame: Uint8Array, ingress: number, cost: number): boolean {
    return this.#push(this.#data, 2 * ingress, frame, cost);
  }

  /** The frame to be sent next. */
  pop(): Uint8Array | undefined {
    const control = this.popControl();
    if (control !== undefined) return control;
    const flow = this.#takeTurn();
    if (flow === undefined) return undefined;
    flow.deficit -= flow.headCost;
    const frame = flow.shift()!;
    this.#shrink(flow, frame.length);
    return frame;
  }

  /** The frame to be sent next, where only control frames may go. */
  popControl(): Uint8Array | undefined {
    const control = this.#control.shift();
    if (control !== undefined) this.#controlBytes -= control.length;
    return control;
  }

  /** The link is down: everything goes, and what had farther to go is counted. */
  clear(): void {
    while (this.#control.shift() !== undefined);
    this.#controlBytes = 0;
    while (this.#last !== undefined) {
      const flow = this.#last;
      countDrop(this.drops, DropReason.LINK_DOWN, flow.count);
      while (flow.count > 0) this.#shrink(flow, flow.shift()!.length);
    }
  }

  /** The flow whose turn it is and whose deficit covers its first frame. */
  #takeTurn(): Flow | undefined {
    if (this.#last === undefined) return undefined;
    let flow = this.#last.next;
    for (let passed = 0; flow.deficit < flow.headCost; passed++) {
      if (passed === this.#flowCount) this.#skipRounds();
      this.#last = flow;
      flow = flow.next;
      flow.deficit += this.#quantum;
    }
    return flow;
  }

  /** Nobody could send in a whole round: gives every flow, at once, the rounds in which that would go on. */
  #skipRounds(): void {
    let rounds = Number.POSITIVE_INFINITY;
    let flow = this.#last!;
    for (let i = 0; i < this.#flowCount; i++, flow = flow.next)
      rounds = Math.min(rounds, Math.ceil((flow.headCost - flow.deficit) / this.#quantum) - 1);
    if (rounds <= 0) return;
    for (let i = 0; i < this.#flowCount; i++, flow = flow.next) flow.deficit += rounds * this.#quantum;
  }

  #push(room: Room, slot: number, frame: Uint8Array, cost: number): boolean {
    const heldBytes = this.#flows[slot]?.sizeBytes ?? 0;
    while (room.sizeBytes + frame.length > room.sizeBytesMax)
      if (!this.#makeRoom(room, heldBytes + frame.length)) return false;
    const flow = this.#flows[slot] ?? this.#addFlow(room, slot);
    const isHolding = room.frames >= UNCOPIED_FRAMES_MAX && frame.buffer.byteLength > 2 * frame.length;
    flow.push(isHolding ? frame.slice() : frame, cost);
    flow.sizeBytes += frame.length;
    room.sizeBytes += frame.length;
    room.frames++;
    return true;
  }

  /** Drops the newest frame of the longest flow of a class, unless a newcomer's flow would be longer still. */
  #makeRoom(room: Room, newcomerBytes: number): boolean {
    let longest: Flow | undefined;
    let flow = this.#last;
    for (let i = 0; i < this.#flowCount; i++, flow = flow!.next)
      if (flow!.room === room && flow!.sizeBytes > (longest?.sizeBytes ?? 0)) longest = flow;
    if (longest === undefined || newcomerBytes > longest.sizeBytes) return false;
    countDrop(this.drops, DropReason.QUEUE_FULL);
    this.#shrink(longest, longest.pop()!.length);
    return true;
  }

  /** A frame of `sizeBytes` left `flow`; without frames it leaves the circle. */
  #shrink(flow: Flow, sizeBytes: number): void {
    flow.sizeBytes -= sizeBytes;
    flow.room!.sizeBytes -= sizeBytes;
    flow.room!.frames--;
    if (flow.count === 0) this.#removeFlow(flow);
  }

  /** The new flow is the last of the round; the only one begins at once. */
  #addFlow(room: Room, slot: number): Flow {
    const flow = this.#spare.pop() ?? new Flow();
    flow.room = room;
    flow.slot = slot;
    flow.deficit = 0;
    if (this.#last === undefined) {
      flow.next = flow;
      flow.deficit = this.#quantum;
    } else {
      flow.next = this.#last.next;
      this.#last.next = flow;
    }
    this.#last = flow;
    this.#flows[slot] = flow;
    this.#flowCount++;
    return flow;
  }

  #removeFlow(flow: Flow): void {
    this.#flows[flow.slot] = undefined;
    this.#flowCount--;
    if (this.#flowCount === 0) {
      this.#last = undefined;
    } else {
      let before = this.#last!;
      const hadTurn = before.next === flow;
      while (before.next !== flow) before = before.next;
      before.next = flow.next;
      if (this.#last === flow) this.#last = before;
      if (hadTurn) flow.next.deficit += this.#quantum;
    }
    if (this.#spare.length < SPARE_FLOWS_MAX && flow.capacity <= SPARE_FRAMES_MAX) {
      flow.next = flow;
      this.#spare.push(flow);
    }
  }
}
