/** SEQ_REQUESTs of one tree: how often this node asks, how often it passes on what others ask, and who waits for an answer. */
export class SeqRequests {
  /** Ports behind which a seq was asked for that is not here yet. As many as there are links. */
  #waiting: number[] = [];
  #askMs = Number.NEGATIVE_INFINITY;
  #passMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly gapMs: number) {}

  /** When this node may ask again. */
  get nextAskMs(): number {
    return this.#askMs;
  }

  /** True where this node may ask now; then it does. */
  mayAsk(nowMs: number): boolean {
    if (nowMs < this.#askMs) return false;
    this.#askMs = nowMs + this.gapMs;
    return true;
  }

  /** True where a request may be passed on now; then it is. All neighbours share the rate: one new seq answers every one of them. */
  mayPass(nowMs: number): boolean {
    if (nowMs < this.#passMs) return false;
    this.#passMs = nowMs + this.gapMs;
    return true;
  }

  /** The neighbour behind `port` is to hear of the next seq. */
  addWaiting(port: number): void {
    if (!this.#waiting.includes(port)) this.#waiting.push(port);
  }

  handleLinkDown(port: number): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting !== port);
  }

  /** A new seq is here: the ports that waited for one. */
  takeWaiting(): number[] {
    const ports = this.#waiting;
    if (ports.length > 0) this.#waiting = [];
    return ports;
  }
}
