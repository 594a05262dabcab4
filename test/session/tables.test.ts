/** The small tables that sessions stand on, each against a naive twin. */
import fc from "fast-check";
import t from "tap";
import { DeadlineQueue, type Timed } from "../../src/session/deadline-queue.js";
import { RangeSet } from "../../src/session/ranges.js";
import { REPLAY_WINDOW_PACKETS, ReplayWindow } from "../../src/session/replay.js";
import { SendQueue } from "../../src/session/send-queue.js";
import { Timer, TimerTable } from "../../src/session/timers.js";

t.test("a set of ranges holds what a set of numbers holds, in the fewest ranges", async () => {
  const step = fc.record({ insert: fc.boolean(), start: fc.nat(60), length: fc.nat(15) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ranges = new RangeSet();
      const twin = new Set<number>();
      for (const { insert, start, length } of steps) {
        if (insert) ranges.insert(start, start + length);
        else ranges.remove(start, start + length);
        for (let i = start; i < start + length; i++) insert ? twin.add(i) : twin.delete(i);
        const held: number[] = [];
        for (let r = 0; r < ranges.count; r++) {
          if (r > 0 && ranges.start(r) <= ranges.end(r - 1)) return false;
          for (let i = ranges.start(r); i < ranges.end(r); i++) held.push(i);
        }
        if (held.join() !== [...twin].sort((a, b) => a - b).join()) return false;
      }
      return true;
    }),
  );
});

t.test("the replay window tells replays as a set of all numbers does, within its reach", async () => {
  const jump = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: -60, max: 60 }) },
    fc.integer({ min: -3_000, max: 3_000 }),
  );
  fc.assert(
    fc.property(fc.array(jump, { minLength: 1, maxLength: 300 }), (jumps) => {
      const window = new ReplayWindow();
      const seen = new Set<number>();
      let at = 0;
      for (const jump of jumps) {
        at = Math.max(0, at + jump);
        const tooOld = at <= window.largest - (REPLAY_WINDOW_PACKETS - 32);
        if (window.isReplay(at) !== (seen.has(at) || tooOld)) return false;
        if (window.isReplay(at)) continue;
        window.mark(at);
        seen.add(at);
        if (window.largest !== Math.max(...seen)) return false;
      }
      return true;
    }),
  );
});

t.test("the replay window reaches to the last packet number", async (t) => {
  const window = new ReplayWindow();
  const last = 2 ** 48 - 1;
  window.mark(3);
  window.mark(last);
  t.equal(window.isReplay(last), true);
  t.equal(window.isReplay(last - 1), false);
  window.mark(last - 1);
  t.equal(window.isReplay(last - 1), true);
  t.equal(window.isReplay(3), true);
});

t.test("the queue of deadlines gives the earliest, however they change", async () => {
  const change = fc.record({
    item: fc.nat(9),
    deadlineMs: fc.oneof(fc.nat(50), fc.constant(Number.POSITIVE_INFINITY)),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 100 }), (changes) => {
      const queue = new DeadlineQueue<Timed>();
      const items = Array.from({ length: 10 }, () => ({ deadlineMs: Number.POSITIVE_INFINITY, queueIndex: -1 }));
      for (const { item, deadlineMs } of changes) {
        queue.update(items[item]!, deadlineMs);
        const earliest = Math.min(...items.map((each) => each.deadlineMs));
        if ((queue.first?.deadlineMs ?? Number.POSITIVE_INFINITY) !== earliest) return false;
        if (items.some((each) => each.queueIndex >= 0 !== each.deadlineMs < Number.POSITIVE_INFINITY)) return false;
      }
      return items[changes.at(-1)?.item ?? 0]!.deadlineMs === (changes.at(-1)?.deadlineMs ?? Number.POSITIVE_INFINITY);
    }),
  );
});

t.test("a timer table says which timer ends first, and gives each once", async (t) => {
  const timers = new TimerTable();
  t.equal(timers.next, undefined);
  t.equal(timers.takeDue(1e9), undefined);
  timers.set(Timer.IDLE, 300);
  timers.set(Timer.PTO, 100);
  timers.set(Timer.ACK, 25);
  timers.stop(Timer.ACK);
  t.equal(timers.next, Timer.PTO);
  t.equal(timers.nextMs, 100);
  t.equal(timers.takeDue(99), undefined);
  t.equal(timers.takeDue(300), Timer.PTO);
  t.equal(timers.takeDue(300), Timer.IDLE);
  t.equal(timers.takeDue(300), undefined);
  timers.set(Timer.DEAD, 5);
  timers.stopAll();
  t.equal(timers.nextMs, Number.POSITIVE_INFINITY);
});

/** A sender with so many packets. */
function sender(name: number, packets: number) {
  return { remoteKey: Uint8Array.of(name), queued: false, packets, asked: 0, hasPacket: (): boolean => false };
}

function senders(...packets: number[]) {
  return packets.map((count, name) => {
    const item = sender(name, count);
    item.hasPacket = () => {
      item.asked++;
      return item.packets > 0;
    };
    return item;
  });
}

/** Lets all send what they may; gives the names in order. */
function drain(queue: SendQueue<ReturnType<typeof sender>>, sizeBytes: number, nowMs: number, blocked: number[] = []) {
  const order: number[] = [];
  const headroom = (key: Uint8Array) => (blocked.includes(key[0]!) ? -1 : 0);
  for (let item = queue.next(nowMs, headroom); item !== undefined; item = queue.next(nowMs, headroom)) {
    order.push(item.remoteKey[0]!);
    item.packets--;
    queue.handleSent(sizeBytes);
  }
  return order;
}

t.test("senders take turns of so many bytes", async (t) => {
  const queue = new SendQueue<ReturnType<typeof sender>>(2_000);
  for (const item of senders(4, 1, 3)) queue.add(item);
  t.strictSame(drain(queue, 1_000, 0), [0, 0, 1, 2, 2, 0, 0, 2]);
});

t.test("a sender that may not send holds up nobody and is asked once a pass", async (t) => {
  const queue = new SendQueue<ReturnType<typeof sender>>(1_000);
  const items = senders(2, 500, 2);
  for (const item of items) queue.add(item);
  t.strictSame(drain(queue, 1_000, 0, [1]), [0, 2, 0, 2]);
  t.equal(items[1]!.asked, 1);
  items[0]!.packets = 1;
  queue.add(items[0]!);
  t.strictSame(drain(queue, 1_000, 0, [1]), [0], "it is asked again at the next pass");
  t.equal(items[1]!.asked, 2);
  t.equal(drain(queue, 1_000, 0).length, 500);
});

t.test("a sender that is held back while another goes on without end is asked again when time moves", async (t) => {
  const queue = new SendQueue<ReturnType<typeof sender>>(1_000);
  const [endless, other] = senders(1e9, 1);
  queue.add(other!);
  queue.add(endless!);
  let blocked = true;
  const headroom = (key: Uint8Array) => (blocked && key[0] === 1 ? -1 : 0);
  for (let i = 0; i < 5; i++) {
    t.equal(queue.next(0, headroom), endless);
    queue.handleSent(1_000);
  }
  blocked = false;
  t.equal(queue.next(0.5, headroom), endless);
  queue.handleSent(1_000);
  queue.next(1, headroom);
  queue.handleSent(1_000);
  t.equal(queue.next(1, headroom), other);
});

t.test("many senders that are held back cost a bounded time, and each is asked again soon", async (t) => {
  const queue = new SendQueue<ReturnType<typeof sender>>(1_000);
  const items = senders(...new Array<number>(4_000).fill(1));
  for (const item of items) queue.add(item);
  const asked = () => items.reduce((sum, item) => sum + item.asked, 0);
  t.equal(queue.dueMs, Number.POSITIVE_INFINITY);
  for (let poll = 0; poll < 1_000; poll++) queue.next(poll / 100, () => -1);
  t.ok(asked() <= 2 * items.length, `asked ${asked()} times in 1,000 polls`);
  t.ok(queue.dueMs <= 20, `due after ${queue.dueMs} ms`);
  const late = senders(1)[0]!;
  queue.add(late);
  const headroom = (key: Uint8Array) => (key === late.remoteKey ? 0 : -1);
  t.equal(queue.next(10, headroom), late, "one that is not held back goes at once");
  late.packets--;
  const before = asked();
  queue.next(queue.dueMs, () => -1);
  t.equal(asked(), before + items.length);
  t.equal(queue.dueMs, Number.POSITIVE_INFINITY);
});

t.test("an idle sender is not in the queue", async (t) => {
  const queue = new SendQueue<ReturnType<typeof sender>>(1_000);
  const [idle] = senders(0);
  queue.add(idle!);
  t.equal(idle!.queued, true);
  t.equal(
    queue.next(0, () => 0),
    undefined,
  );
  t.equal(idle!.queued, false);
});
