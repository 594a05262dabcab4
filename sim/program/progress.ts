/** Between two lines where the output is no terminal. */
const LINE_GAP_MS = 30_000;
const REDRAW_MS = 200;

/** How far a long run is and how long it will take, on the standard error. */
export class Progress {
  done = 0;
  readonly #startMs = performance.now();
  #shownMs = performance.now();

  constructor(
    private readonly total: number,
    private readonly what: string,
  ) {}

  /** One more is done, or so many. */
  step(more = 1): void {
    this.done += more;
    const nowMs = performance.now();
    if (nowMs - this.#shownMs < (process.stderr.isTTY ? REDRAW_MS : LINE_GAP_MS)) return;
    this.#shownMs = nowMs;
    const leftS = ((nowMs - this.#startMs) * (this.total - this.done)) / Math.max(this.done, 1e-9) / 1_000;
    const line = `${round(this.done)} of ${round(this.total)} ${this.what}, ${timeText(leftS)} left`;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  }
}

const round = (value: number): string => String(Math.round(value * 10) / 10);

function timeText(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
