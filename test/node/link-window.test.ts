import t from "tap";
import { nodeConfig } from "../../src/node/config.js";
import { LinkWindow } from "../../src/node/link-window.js";
import { clockOf } from "../../src/wire/control.js";

const { linkWindow: config } = nodeConfig("native");
const FRAME = 1_400;
/** What the other end's clock says at first: it overflows soon. */
const CLOCK_MS = 2 ** 29 - 1_000;

/** A window before a line in virtual time, and frames that never run out; pongs come back as fast as the line is long. */
class Line {
  readonly window = new LinkWindow(config);
  readonly #events: { readonly atMs: number; readonly token: number; readonly clock: number }[] = [];
  bytesPerMs = 1_250;
  delayMs = 5;
  /** What somebody else's queue adds on the way, and on the way back. */
  foreignMs = 0;
  foreignBackMs = 0;
  /** How fast the other end's clock runs. */
  clockRate = 1;
  nowMs = 0;
  deliveredBytes = 0;
  #freeMs = 0;
  #token = 0;

  /** What waits at the line now, in ms. */
  get queueMs(): number {
    return Math.max(0, this.#freeMs - this.nowMs);
  }

  /** Gives the share of the line that was used, and the longest queue. */
  run(forMs: number): { share: number; queueMs: number } {
    const [untilMs, before] = [this.nowMs + forMs, this.deliveredBytes];
    let longestMs = 0;
    for (; this.nowMs < untilMs; this.nowMs += 0.25) {
      this.#arrive();
      this.#send();
      longestMs = Math.max(longestMs, this.queueMs);
    }
    return { share: (this.deliveredBytes - before) / (forMs * this.bytesPerMs), queueMs: longestMs };
  }

  #arrive(): void {
    for (let event = this.#events[0]; event !== undefined && event.atMs <= this.nowMs; event = this.#events[0]) {
      this.#events.shift();
      this.window.handlePong(event.token, event.clock, this.nowMs);
    }
  }

  #send(): void {
    for (;;) {
      if (this.window.isMarkDue(this.nowMs)) {
        this.window.handleMark(++this.#token, this.nowMs);
        const comesMs = this.nowMs + this.queueMs + this.delayMs + this.foreignMs;
        const atMs = comesMs + this.delayMs + this.foreignBackMs;
        const clock = clockOf(CLOCK_MS + comesMs * this.clockRate);
        this.#events.push({ atMs: Math.max(atMs, this.#events.at(-1)?.atMs ?? 0), token: this.#token, clock });
      }
      if (!this.window.hasRoom) break;
      this.window.handleSent(FRAME);
      this.deliveredBytes += FRAME;
      this.#freeMs = this.nowMs + this.queueMs + FRAME / this.bytesPerMs;
    }
    this.window.handleHeld();
  }
}

t.test("a line is full, and no more than a few milliseconds of it wait there", async (t) => {
  for (const [bytesPerMs, delayMs] of [
    [1_250, 2],
    [1_250, 20],
    [12_500, 2],
    [12_500, 100],
    [125_000, 10],
  ] as const) {
    const line = new Line();
    Object.assign(line, { bytesPerMs, delayMs });
    line.run(4_000);
    const { share, queueMs } = line.run(4_000);
    const name = `${bytesPerMs} bytes/ms, ${delayMs} ms`;
    t.ok(share > 0.97, `${name}: ${share} of the line`);
    t.ok(queueMs < 2 * config.queueMs + 2 + (2 * delayMs) / 8, `${name}: ${queueMs} ms waited`);
  }
});

t.test("a line that gets slow is not flooded for long, and one that gets fast is used again", async (t) => {
  const line = new Line();
  line.bytesPerMs = 12_500;
  line.run(2_000);
  line.bytesPerMs = 1_250;
  line.run(1_000);
  t.ok(line.run(1_000).queueMs < 2 * config.queueMs);
  line.bytesPerMs = 12_500;
  line.run(1_000);
  t.ok(line.run(1_000).share > 0.97);
});

t.test("a delay of somebody else's making does not starve the link, and is forgotten when it goes", async (t) => {
  const line = new Line();
  line.run(2_000);
  line.foreignMs = 300;
  line.run(9_000);
  const { share } = line.run(8_000);
  t.ok(share > 0.75, `${share} of the line`);
  line.foreignMs = 0;
  line.run(2_000);
  t.ok(line.run(2_000).queueMs < 3 * config.queueMs);
});

t.test("a queue on the way back holds nothing up, whatever the clocks", async (t) => {
  for (const clockRate of [1, 1.0001, 0.9999]) {
    const line = new Line();
    line.clockRate = clockRate;
    line.run(10_000);
    line.foreignBackMs = 40;
    line.run(1_000);
    const { share, queueMs } = line.run(4_000);
    t.ok(share > 0.97, `${share} of the line`);
    t.ok(queueMs < 3 * config.queueMs, `${queueMs} ms waited`);
  }
});

t.test("a pong confirms what went before its ping, and a guess nothing", async (t) => {
  const window = new LinkWindow(config);
  for (const token of [7, 8, 9]) {
    window.handleSent(20_000);
    t.ok(window.isMarkDue(100 * token));
    window.handleMark(token, 100 * token);
  }
  t.notOk(window.isMarkDue(2_000), "nothing was sent since");
  t.notOk(window.handlePong(6, 0, 1_000));
  t.equal(window.outBytes, 60_000);
  t.ok(window.handlePong(8, 0, 1_000));
  t.equal(window.outBytes, 20_000, "the first ping's as well");
  t.notOk(window.handlePong(7, 0, 1_000), "that was confirmed already");
  t.ok(window.handlePong(9, 0, 1_000));
  t.equal(window.outBytes, 0);
});

t.test("pings that stay without an answer are bounded, and those of keep-alive go on", async (t) => {
  const window = new LinkWindow(config);
  let pings = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs += 10) {
    window.handleSent(10_000);
    if (window.isMarkDue(nowMs)) window.handleMark(++pings, nowMs);
  }
  t.equal(pings, 32);
  t.notOk(window.hasRoom);
  window.handleMark(1_000, 10_000);
  t.ok(window.handlePong(1_000, 0, 10_001));
  t.equal(window.outBytes, 0);
});
