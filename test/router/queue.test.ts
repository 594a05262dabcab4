import fc from "fast-check";
import t from "tap";
import { PATH_DEFAULTS } from "../../src/router/path-config.js";
import { LinkQueue } from "../../src/router/queue.js";
import { Queues } from "../../src/router/queues.js";
import { DROP_REASON_COUNT, DropReason } from "../../src/wire/codes.js";
import { FRAME_BYTES_MAX } from "../../src/wire/limits.js";

const newDrops = (): number[] => new Array(DROP_REASON_COUNT + 1).fill(0);

type Frame = Uint8Array;

function newQueue(drops = newDrops()): LinkQueue {
  return new LinkQueue(1, PATH_DEFAULTS, drops);
}

/** A frame that says where it came from. */
function frameOf(ingress: number, sizeBytes: number, serial = 0): Uint8Array {
  const frame = new Uint8Array(sizeBytes);
  frame.set([ingress, serial >>> 8, serial]);
  return frame;
}

/** Bytes sent of each ingress while `frames` frames leave and every ingress of `offers` keeps its queue full. */
function share(offers: readonly { ingress: number; sizeBytes: number; hops: number }[], frames: number): number[] {
  const queue = newQueue();
  const sentBytes: number[] = [];
  const offer = ({ ingress, sizeBytes, hops }: (typeof offers)[number]) =>
    queue.push(frameOf(ingress, sizeBytes), ingress, sizeBytes * hops);
  for (const each of offers) for (let i = 0; i < 100; i++) offer(each);
  for (let i = 0; i < frames; i++) {
    const frame = queue.pop()!;
    sentBytes[frame[0]!] = (sentBytes[frame[0]!] ?? 0) + frame.length;
    offer(offers.find((each) => each.ingress === frame[0])!);
  }
  return sentBytes;
}

t.test("control leaves before all else, in its order", async (t) => {
  const queue = newQueue();
  const [a, b, c, d] = [1, 2, 3, 4].map((value) => frameOf(value, 10)) as [Frame, Frame, Frame, Frame];
  queue.push(a, 5, 10);
  queue.pushControl(b);
  queue.push(c, 5, 10);
  queue.pushControl(d);
  t.same([queue.pop(), queue.pop(), queue.pop(), queue.pop(), queue.pop()], [b, d, a, c, undefined]);
  t.equal(queue.controlBytes, 0);
  t.equal(queue.dataBytes, 0);
});

t.test("control is bounded, and what does not fit is refused", async (t) => {
  const queue = newQueue();
  let control = 0;
  while (queue.pushControl(new Uint8Array(1_000))) control++;
  t.equal(control, Math.floor(PATH_DEFAULTS.controlBytesMax / 1_000));
});

t.test("a probe does not wait behind the data of its ingress", async (t) => {
  const queue = newQueue();
  for (let i = 0; i < 300; i++) queue.push(frameOf(1, 1_400), 1, 1_400 * 5);
  queue.pop();
  queue.pushProbe(frameOf(2, 600), 1);
  let passed = 0;
  while (queue.pop()![0] !== 2) passed++;
  t.ok(passed <= Math.ceil(PATH_DEFAULTS.quantum / (1_400 * 5)), `${passed} frames went first`);
});

t.test("a flood of probes takes no more than its share from data, and no probe of another ingress", async (t) => {
  const queue = newQueue();
  let [dataBytes, honestProbes, refused, honestRefused] = [0, 0, 0, 0];
  for (let i = 0; i < 4_000; i++) {
    for (let k = 0; k < 3; k++) if (!queue.pushProbe(frameOf(2, 600), 2)) refused++;
    queue.push(frameOf(1, 1_400), 1, 1_400);
    if (i % 10 === 0 && !queue.pushProbe(frameOf(3, 600), 3)) honestRefused++;
    const frame = queue.pop()!;
    if (frame[0] === 1) dataBytes += frame.length;
    if (frame[0] === 3) honestProbes++;
  }
  t.ok(dataBytes > 4_000 * 600 * 0.4, `${dataBytes}`);
  t.equal(honestRefused, 0);
  t.ok(honestProbes > 390);
  t.ok(refused > 0 && queue.probeBytes <= PATH_DEFAULTS.probeBytesMax);
});

t.test("ingresses share a link equally by cost, whatever the size of their frames", async (t) => {
  const [, small, large] = share(
    [
      { ingress: 1, sizeBytes: 200, hops: 4 },
      { ingress: 2, sizeBytes: 1_400, hops: 4 },
    ],
    20_000,
  ) as [undefined, number, number];
  t.ok(Math.abs(small / large - 1) < 0.05, `${small} to ${large}`);
});

t.test("a winding route pays for its hops", async (t) => {
  const [, honest, winding] = share(
    [
      { ingress: 1, sizeBytes: 1_400, hops: 4 },
      { ingress: 2, sizeBytes: 1_400, hops: 100 },
    ],
    20_000,
  ) as [undefined, number, number];
  t.ok(Math.abs(honest / winding - 25) < 1.5, `${honest} to ${winding}`);
});

t.test("a frame that costs hundreds of turns leaves all the same", async (t) => {
  const queue = newQueue();
  queue.push(frameOf(1, 60_000), 1, 60_000 * 127);
  queue.push(frameOf(2, 60_000), 2, 60_000 * 127);
  t.equal(queue.pop()?.[0], 1);
  t.equal(queue.pop()?.[0], 2);
});

t.test("a flood loses its own frames, and an honest ingress none", async (t) => {
  const drops = newDrops();
  const queue = newQueue(drops);
  let [honestSent, honestRefused, refused] = [0, 0, 0];
  let bytesMax = 0;
  for (let round = 0; round < 2_000; round++) {
    for (let i = 0; i < 20; i++) if (!queue.push(frameOf(2, 1_400), 2, 1_400 * 4)) refused++;
    if (!queue.push(frameOf(1, 1_400), 1, 1_400 * 4)) honestRefused++;
    bytesMax = Math.max(bytesMax, queue.dataBytes);
    for (let i = 0; i < 3; i++) if (queue.pop()?.[0] === 1) honestSent++;
  }
  t.equal(honestRefused, 0);
  t.equal(honestSent, 2_000 - countOf(queue, 1), "every honest frame was sent or waits");
  t.ok(bytesMax <= PATH_DEFAULTS.dataBytesMax);
  t.ok(refused > 30_000);
});

/** Empties the queue and counts the frames of one ingress. */
function countOf(queue: LinkQueue, ingress: number): number {
  let count = 0;
  for (let frame = queue.pop(); frame !== undefined; frame = queue.pop()) if (frame[0] === ingress) count++;
  return count;
}

t.test("the longest ingress gives way to a newcomer, with its newest frames", async (t) => {
  const drops = newDrops();
  const queue = newQueue(drops);
  const frames = Math.floor(PATH_DEFAULTS.dataBytesMax / 1_000);
  for (let i = 0; i < frames; i++) queue.push(frameOf(2, 1_000, i), 2, 1_000);
  t.notOk(queue.push(frameOf(2, 1_000), 2, 1_000), "the longest is refused");
  t.ok(queue.push(frameOf(1, 5_000), 1, 5_000), "another is not");
  t.equal(drops[-DropReason.QUEUE_FULL], 5);
  let newest = 0;
  for (let frame = queue.pop(); frame !== undefined; frame = queue.pop())
    if (frame[0] === 2) newest = (frame[1]! << 8) | frame[2]!;
  t.equal(newest, frames - 6);
});

t.test("a queue takes the largest frame", async (t) => {
  const queue = newQueue();
  t.ok(queue.push(new Uint8Array(FRAME_BYTES_MAX), 0, 1));
  t.ok(queue.pushControl(new Uint8Array(FRAME_BYTES_MAX)));
});

t.test("a queue above half of its bound is congested", async (t) => {
  const queue = newQueue();
  while (queue.dataBytes <= PATH_DEFAULTS.dataBytesMax / 2) {
    t.notOk(queue.isCongested(1));
    queue.push(frameOf(1, 10_000), 1, 10_000);
  }
  t.ok(queue.isCongested(1));
});

t.test("of a congested queue those are marked that hold their share of it", async (t) => {
  const queue = newQueue();
  for (let i = 0; i < 150; i++) queue.push(frameOf(1, 10_000), 1, 10_000);
  for (let i = 0; i < 5; i++) queue.push(frameOf(2, 10_000), 2, 10_000);
  t.ok(queue.isCongested(1));
  t.notOk(queue.isCongested(2));
  t.notOk(queue.isCongested(3), "which has nothing here");
});

t.test("where the line is what limits, marks, turns and own packets go by its pace", async (t) => {
  const queue = newQueue();
  const { markMs, ownMs } = PATH_DEFAULTS;
  t.ok(queue.handlePace(1_000));
  t.notOk(queue.handlePace(1_000), "nothing new");
  for (let i = 0; i < markMs; i++) queue.push(frameOf(1, 1_000), 1, 1_000);
  t.notOk(queue.isCongested(1));
  queue.push(frameOf(2, 1_000), 2, 1_000);
  t.ok(queue.isCongested(1), "with another that has its turns it takes longer");
  t.notOk(queue.isCongested(2));
  while (queue.hasRoomForOwn) queue.push(frameOf(0, 100), 0, 100);
  t.equal(countOf(queue, 0), (ownMs * 1_000) / 100);
  queue.handlePace(Number.POSITIVE_INFINITY);
  t.ok(queue.hasRoomForOwn);
  t.notOk(queue.isCongested(1));
});

t.test("own traffic has room while its own frames are few, whatever others have queued", async (t) => {
  const queue = newQueue();
  for (let i = 0; i < 300; i++) queue.push(frameOf(3, 1_000), 3, 1_000);
  t.ok(queue.hasRoomForOwn);
  while (queue.hasRoomForOwn) queue.push(frameOf(0, 1_000), 0, 1_000);
  t.equal(countOf(queue, 0), Math.ceil(PATH_DEFAULTS.ownBytesMax / 1_000));
  t.ok(queue.hasRoomForOwn);
});

t.test("a link that goes down drops what waits for it, counted", async (t) => {
  const drops = newDrops();
  const queues = new Queues(PATH_DEFAULTS, drops);
  queues.handleLinkUp(4);
  const queue = queues.get(4)!;
  for (let ingress = 0; ingress < 5; ingress++) queues.push(queue, frameOf(ingress, 100), ingress, 100);
  queues.pushProbe(4, frameOf(9, 100), 3);
  queues.pushControl(4, frameOf(9, 100));
  queues.handleLinkDown(4);
  t.equal(drops[-DropReason.LINK_DOWN], 6, "control is not counted");
  t.equal(queue.dataBytes + queue.probeBytes + queue.controlBytes, 0);
  t.equal(queues.pollReady(), 0);
  t.equal(queues.pop(4), undefined);
  t.notOk(queues.pushControl(4, frameOf(9, 100)));
});

t.test("every link with frames is polled once, and again after it was found empty", async (t) => {
  const queues = new Queues(PATH_DEFAULTS, newDrops());
  for (const port of [1, 2, 3]) queues.handleLinkUp(port);
  for (const port of [2, 1, 2, 3]) queues.pushControl(port, frameOf(port, 10));
  t.same([queues.pollReady(), queues.pollReady(), queues.pollReady(), queues.pollReady()], [2, 1, 3, 0]);
  queues.pop(2);
  queues.pushControl(2, frameOf(2, 10));
  t.equal(queues.pollReady(), 0, "not found empty yet");
  while (queues.pop(2) !== undefined);
  queues.pushControl(2, frameOf(2, 10));
  while (queues.pop(2) !== undefined); // without a poll, as when a full link takes frames again
  queues.pushControl(2, frameOf(2, 10));
  t.same([queues.pollReady(), queues.pollReady()], [2, 0]);
});

t.test("whatever is pushed and popped, counts and orders hold", async () => {
  const step = fc.record({
    op: fc.constantFrom("push", "push", "push", "pop", "control", "probe"),
    ingress: fc.integer({ min: 0, max: 4 }),
    sizeBytes: fc.integer({ min: 3, max: 400 }),
    hops: fc.integer({ min: 1, max: 127 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
      const drops = newDrops();
      const queue = new LinkQueue(
        1,
        { ...PATH_DEFAULTS, dataBytesMax: 3_000, probeBytesMax: 2_000, quantum: 500 },
        drops,
      );
      const lastOut = new Array(11).fill(-1);
      let [waiting, serial] = [0, 0];
      for (const { op, ingress, sizeBytes, hops } of steps) {
        if (op === "push") {
          const dropped = drops[-DropReason.QUEUE_FULL]!;
          if (queue.push(frameOf(ingress, sizeBytes, ++serial), ingress, sizeBytes * hops)) waiting++;
          waiting -= drops[-DropReason.QUEUE_FULL]! - dropped;
        } else if (op === "probe") {
          const dropped = drops[-DropReason.QUEUE_FULL]!;
          if (queue.pushProbe(frameOf(6 + ingress, sizeBytes, ++serial), ingress)) waiting++;
          waiting -= drops[-DropReason.QUEUE_FULL]! - dropped;
        } else if (op === "control") {
          queue.pushControl(frameOf(5, sizeBytes, ++serial));
          waiting++;
        } else {
          const frame = queue.pop();
          if ((frame === undefined) !== (waiting === 0)) return false;
          if (frame === undefined) continue;
          waiting--;
          const order = (frame[1]! << 8) | frame[2]!;
          if (order <= lastOut[frame[0]!]) return false;
          lastOut[frame[0]!] = order;
        }
        if (queue.dataBytes > 3_000 || queue.probeBytes > 2_000 || queue.isEmpty !== (waiting === 0)) return false;
      }
      return true;
    }),
    { numRuns: 500 },
  );
});

t.test("small frames that wait do not hold the large chunks that they came in", async (t) => {
  const queue = newQueue();
  const chunkBytes = 65_536;
  for (let i = 0; i < 40_000; i++)
    queue.push(new Uint8Array(chunkBytes).subarray(i % 1_000, (i % 1_000) + 64).fill(i), 1, 64);
  const held = new Set<ArrayBufferLike>();
  let frames = 0;
  for (let frame = queue.pop(); frame !== undefined; frame = queue.pop()) {
    if (frame.some((byte) => byte !== (frames & 0xff))) t.fail("a frame is not what came");
    held.add(frame.buffer);
    frames++;
  }
  let heldBytes = 0;
  for (const { byteLength } of held) heldBytes += byteLength;
  t.equal(frames, PATH_DEFAULTS.dataBytesMax / 64);
  t.ok(heldBytes <= PATH_DEFAULTS.dataBytesMax + 4 * 1024 * 1024 + 65_536, `${heldBytes} bytes`);
});
