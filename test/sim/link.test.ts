import t from "tap";
import { type LinkEnd, type LinkModel, SimLink, type Station } from "../../sim/link.js";
import { Random } from "../../sim/random.js";
import { Schedule } from "../../sim/schedule.js";

class Recorder implements Station {
  isReading = true;
  readonly received: { readonly timeMs: number; readonly first: number }[] = [];
  readonly closed: (number | undefined)[] = [];
  writable = 0;

  constructor(private readonly schedule: Schedule) {}

  handleMessage(_end: LinkEnd, message: Uint8Array): void {
    this.received.push({ timeMs: this.schedule.nowMs, first: message[0]! });
  }

  handleClosed(_end: LinkEnd, code: number | undefined): void {
    this.closed.push(code);
  }

  handleWritable(): void {
    this.writable++;
  }
}

function makeLink(model: Partial<LinkModel> = {}) {
  const schedule = new Schedule();
  const stations = [new Recorder(schedule), new Recorder(schedule)] as const;
  const full = { delayMs: 10, bytesPerMs: 100, bufferBytes: 1_000, loss: [0, 1] as const, stallMs: 200, ...model };
  const link = new SimLink(1, stations, schedule, new Random(1), full);
  const run = (forMs: number) => {
    const untilMs = schedule.nowMs + forMs;
    while (schedule.step(untilMs));
    schedule.nowMs = untilMs;
  };
  return { link, run, near: stations[0], far: stations[1] };
}
const message = (first: number, sizeBytes = 100) => new Uint8Array(sizeBytes).fill(first);

t.test("a message takes its turn at the rate of the link, then its delay", async (t) => {
  const { link, run, far } = makeLink();
  link.ends[0].send(message(1));
  link.ends[0].send(message(2, 200));
  run(1_000);
  t.same(far.received, [
    { timeMs: 11, first: 1 },
    { timeMs: 13, first: 2 },
  ]);
});

t.test("a lost message and those behind it come later, in order, none missing", async (t) => {
  const { link, run, far } = makeLink({ loss: [1, 4], bufferBytes: 100_000 });
  for (let i = 0; i < 100; i++) link.ends[0].send(message(i, 10));
  run(10_000);
  t.same(
    far.received.map(({ first }) => first),
    Array.from({ length: 100 }, (_, i) => i),
  );
  t.ok(far.received.at(-1)!.timeMs > 200);
});

t.test("a full link takes no more, and says when it does again", async (t) => {
  const { link, run, near } = makeLink();
  let sent = 0;
  while (link.ends[0].isWritable) link.ends[0].send(message(sent++));
  t.equal(sent, 10);
  run(4);
  t.equal(near.writable, 0);
  run(2);
  t.equal(near.writable, 1, "half empty");
  t.ok(link.ends[0].isWritable);
});

t.test("what is not read fills the link, and reading frees it", async (t) => {
  const { link, run, near, far } = makeLink();
  far.isReading = false;
  let sent = 0;
  for (let i = 0; i < 50; i++) {
    while (link.ends[0].isWritable) link.ends[0].send(message(sent++));
    run(10);
  }
  t.ok(sent >= 10 && sent <= 30, `${sent} messages of ${50 * 10}`);
  t.same(far.received, []);
  const before = near.writable;
  far.isReading = true;
  link.flushTo(far);
  run(50);
  t.equal(far.received.length, sent);
  t.ok(near.writable > before);
});

t.test("a cut holds messages up, in one direction or both, until it is healed", async (t) => {
  const { link, run, near, far } = makeLink();
  link.cut(0);
  link.ends[0].send(message(1));
  link.ends[1].send(message(2));
  run(500);
  t.same(far.received, []);
  t.equal(near.received.length, 1);
  link.heal();
  t.equal(far.received.length, 1);
});

t.test("closing tells the other end why, after what was sent before; a reset tells both ends", async (t) => {
  const { link, run, near, far } = makeLink();
  link.ends[0].send(message(1));
  link.ends[0].close(9);
  link.ends[0].send(message(2));
  run(100);
  t.equal(far.received.length, 1);
  t.same(far.closed, [9]);
  t.same(near.closed, []);
  t.ok(link.isClosed);
  const other = makeLink();
  other.link.reset();
  other.run(100);
  t.same([other.near.closed, other.far.closed], [[undefined], [undefined]]);
});

t.test("a lost link tells nobody", async (t) => {
  const { link, run, near, far } = makeLink();
  link.ends[0].send(message(1));
  link.lose();
  link.ends[1].send(message(2));
  run(10_000);
  t.same([near.received, far.received, near.closed, far.closed], [[], [], [], []]);
});
