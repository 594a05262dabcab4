import fc from "fast-check";
import t from "tap";
import { SessionCode } from "../../src/session/codes.js";
import { INITIAL_WINDOW_BYTES } from "../../src/session/frames.js";
import { RECEIVE_BLOCK_BYTES, Received, ReceiveMemory, ReceiveStream } from "../../src/session/receive-stream.js";
import { SendStream } from "../../src/session/send-stream.js";
import { pattern } from "./support.js";

const BLOCK = RECEIVE_BLOCK_BYTES;

function receiver({ window = 4 * 1024 * 1024, ranges = 100, memory = 1e9 } = {}) {
  const budget = new ReceiveMemory(memory);
  return { stream: new ReceiveStream(window, ranges, budget), budget };
}

function insert(stream: ReceiveStream, bytes: Uint8Array, from: number, to: number, fin = false): number {
  return stream.insert(bytes, from, to, from, fin);
}

function readAll(stream: ReceiveStream): Buffer {
  const parts: Uint8Array[] = [];
  for (let part = stream.read(1e9); part !== undefined; part = stream.read(1e9)) parts.push(part);
  return Buffer.concat(parts);
}

t.test("pieces in any order, overlapping or twice, make the bytes once and in order", async () => {
  const bytes = pattern(60_000);
  const piece = fc.record({
    from: fc.oneof(fc.nat(59_999), fc.constant(undefined)),
    length: fc.nat(20_000),
    isAlone: fc.boolean(),
    readAfter: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const { stream, budget } = receiver();
      const read: Uint8Array[] = [];
      let next = 0;
      for (const { from = next, length, isAlone, readAfter } of pieces) {
        const to = Math.min(from + length, bytes.length);
        const verdict = isAlone
          ? stream.insert(bytes.slice(from, to), 0, to - from, from, false)
          : insert(stream, bytes, from, to);
        if (verdict !== Received.OK) return false;
        next = to;
        if (readAfter) read.push(readAll(stream));
      }
      if (insert(stream, bytes, 0, bytes.length, true) !== Received.OK) return false;
      read.push(readAll(stream));
      if (!Buffer.concat(read).equals(bytes) || !stream.isFinished || budget.bytes > BLOCK) return false;
      stream.close();
      return budget.bytes === 0;
    }),
  );
});

t.test("where pieces differ the first wins", async (t) => {
  const { stream } = receiver();
  stream.insert(Buffer.from("CCC"), 0, 3, 2, false);
  stream.insert(Buffer.from("FF"), 0, 2, 6, false);
  stream.insert(Buffer.from("xxxxxxxxxx"), 0, 10, 0, false);
  stream.insert(Buffer.from("yyyyyyyyyyyy"), 0, 12, 0, false);
  t.equal(readAll(stream).toString(), "xxCCCxFFxxyy");
});

t.test("bytes beyond the window end the session, up to it they do not", async (t) => {
  const { stream } = receiver({ window: 100_000 });
  const bytes = new Uint8Array(200_000);
  t.equal(insert(stream, bytes, INITIAL_WINDOW_BYTES - 1, INITIAL_WINDOW_BYTES), Received.OK);
  t.equal(insert(stream, bytes, INITIAL_WINDOW_BYTES, INITIAL_WINDOW_BYTES + 1), SessionCode.FLOW_CONTROL);
  t.equal(stream.takeLimit(), 100_000);
  t.equal(insert(stream, bytes, 99_999, 100_000), Received.OK);
  t.equal(insert(stream, bytes, 0, 100_001), SessionCode.FLOW_CONTROL);
});

t.test("the window grows as bytes are read, and is told in steps of a quarter", async (t) => {
  const { stream } = receiver({ window: 80_000 });
  const bytes = new Uint8Array(200_000);
  t.equal(stream.windowDue, false, "65,536 to 80,000 is less than a quarter");
  insert(stream, bytes, 0, 10_000);
  t.equal(stream.windowDue, false, "nothing was read");
  readAll(stream);
  t.equal(stream.windowDue, true);
  t.equal(stream.takeLimit(), 90_000);
  t.equal(stream.windowDue, false);
  insert(stream, bytes, 10_000, 10_001, true);
  insert(stream, bytes, 0, 10_001, true);
  readAll(stream);
  t.equal(stream.windowDue, false, "not after the end is known");
});

t.test("an end that moves, or bytes beyond it, end the session", async (t) => {
  const bytes = new Uint8Array(100);
  const ended = () => {
    const { stream } = receiver();
    insert(stream, bytes, 10, 20, true);
    return stream;
  };
  t.equal(insert(ended(), bytes, 15, 21), SessionCode.FINAL_SIZE);
  t.equal(insert(ended(), bytes, 10, 19, true), SessionCode.FINAL_SIZE);
  t.equal(insert(ended(), bytes, 10, 21, true), SessionCode.FINAL_SIZE);
  t.equal(insert(ended(), bytes, 10, 20, true), Received.OK);
  const { stream } = receiver();
  insert(stream, bytes, 0, 30);
  t.equal(insert(stream, bytes, 10, 20, true), SessionCode.FINAL_SIZE, "an end before what came");
});

t.test("pieces out of order are bounded, and the bound gives way once the gap is filled", async (t) => {
  const { stream } = receiver({ ranges: 3 });
  const bytes = pattern(100);
  for (const at of [10, 20, 30]) t.equal(insert(stream, bytes, at, at + 1), Received.OK);
  t.equal(insert(stream, bytes, 40, 41), Received.RANGES_FULL);
  t.equal(insert(stream, bytes, 0, 10), Received.OK, "what comes next in order is always taken");
  t.equal(insert(stream, bytes, 40, 41), Received.OK);
  t.strictSame(readAll(stream), Buffer.from(bytes.subarray(0, 11)));
});

t.test("memory is bounded over all streams, and a stream always gets on", async (t) => {
  const budget = new ReceiveMemory(2 * BLOCK);
  const streams = [1, 2, 3].map(() => new ReceiveStream(1e7, 100, budget));
  const bytes = pattern(50 * BLOCK);
  for (const stream of streams) stream.takeLimit();
  for (const stream of streams) t.equal(insert(stream, bytes, 0, 10), Received.OK);
  t.equal(budget.bytes, 0, "what comes next is not on the account");
  t.equal(insert(streams[0]!, bytes, 5 * BLOCK, 5 * BLOCK + 1), Received.OK);
  t.equal(insert(streams[1]!, bytes, 5 * BLOCK, 5 * BLOCK + 1), Received.OK);
  t.equal(insert(streams[2]!, bytes, 5 * BLOCK, 5 * BLOCK + 1), Received.MEMORY_FULL);
  const whole = [readAll(streams[2]!)];
  for (let at = 10; at < 20 * BLOCK; at += 1_000) {
    t.equal(insert(streams[2]!, bytes, at, Math.min(at + 1_000, 20 * BLOCK)), Received.OK);
    whole.push(readAll(streams[2]!));
  }
  t.ok(Buffer.concat(whole).equals(bytes.subarray(0, 20 * BLOCK)), "another stream passes while memory is full");
  for (const stream of streams) stream.close();
  t.equal(budget.bytes, 0);
});

t.test(
  "a large piece in order is not copied, where it fills half of its buffer, and the account holds the buffer",
  async (t) => {
    const { stream, budget } = receiver();
    stream.takeLimit();
    const [first, second, small] = [pattern(30_000), pattern(30_000), pattern(100_000)];
    stream.insert(first, 10, 20_010, 0, false);
    t.equal(budget.bytes, 0, "what comes next is not on the account");
    stream.insert(second, 0, 30_000, 20_000, false);
    t.equal(budget.bytes, second.buffer.byteLength);
    stream.insert(small, 0, 49_000, 50_000, false);
    t.equal(budget.bytes, second.buffer.byteLength + 4 * BLOCK, "copied: it is less than half");
    const read = [5_000, 1e9, 1e9].map((bytesMax) => stream.read(bytesMax)!);
    t.strictSame(
      read.map(({ buffer, length }) => ({ buffer, length })),
      [
        { buffer: first.buffer, length: 5_000 },
        { buffer: first.buffer, length: 15_000 },
        { buffer: second.buffer, length: 30_000 },
      ],
    );
    t.equal(budget.bytes, 4 * BLOCK);
    t.ok(readAll(stream).equals(small.subarray(0, 49_000)));
    stream.close();
    t.equal(budget.bytes, 0);
  },
);

t.test("a large piece finds memory bounded too", async (t) => {
  const { stream, budget } = receiver({ memory: 40_000 });
  stream.takeLimit();
  const large = () => new Uint8Array(30_000);
  t.equal(stream.insert(large(), 0, 30_000, 0, false), Received.OK);
  t.equal(stream.insert(large(), 0, 30_000, 30_000, false), Received.OK);
  t.equal(stream.insert(large(), 0, 5_000, 60_000, false), Received.MEMORY_FULL);
  t.equal(budget.bytes, 30_000);
  readAll(stream);
  t.equal(stream.insert(large(), 0, 5_000, 60_000, false), Received.OK);
  stream.leaveAccount();
  t.equal(budget.bytes, 0);
});

t.test("one byte in each block costs no more than the window", async (t) => {
  const window = 1024 * 1024;
  const { stream, budget } = receiver({ window, ranges: 1_000 });
  stream.takeLimit();
  for (let at = BLOCK; at < window; at += BLOCK) insert(stream, new Uint8Array(window), at, at + 1);
  t.equal(budget.bytes, window - BLOCK);
  t.equal(insert(stream, new Uint8Array(window), 0, window), Received.OK);
  t.equal(budget.bytes, window - BLOCK);
});

t.test("what came in order can be read after the end, and is off the account", async (t) => {
  const { stream, budget } = receiver();
  const bytes = pattern(120_000);
  insert(stream, bytes, 0, 50_000);
  insert(stream, bytes, 55_000, 56_000);
  stream.end();
  t.equal(budget.bytes, 0);
  t.equal(insert(stream, bytes, 50_000, 55_000), Received.OK, "it takes no more");
  t.ok(readAll(stream).equals(bytes.subarray(0, 50_000)));
  stream.close();
  t.equal(budget.bytes, 0);
});

t.test("a read gives no more than asked for", async (t) => {
  const { stream } = receiver();
  insert(stream, pattern(100), 0, 100);
  t.equal(stream.read(0), undefined);
  t.strictSame(Buffer.from(stream.read(30)!), Buffer.from(pattern(100).subarray(0, 30)));
  t.equal(readAll(stream).length, 70);
});

/** Takes the next piece of a sending half, as bytes. */
function take(stream: SendStream, bytesMax: number) {
  stream.take(bytesMax);
  const bytes = new Uint8Array(stream.pieceLength);
  stream.copyPiece(bytes, 0);
  return { offset: stream.pieceOffset, bytes, fin: stream.pieceFin };
}

t.test("whatever is lost, doubled or acknowledged in any order, the bytes arrive", async () => {
  const action = fc.constantFrom("write", "send", "send", "ack", "lose", "window");
  const step = fc.record({ action, size: fc.oneof(fc.nat(3_000), fc.nat(20)), pick: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const bytes = pattern(300_000);
      const send = new SendStream();
      const { stream: receive } = receiver({ window: 1e6, ranges: 1e6 });
      const flying: ReturnType<typeof take>[] = [];
      let written = 0;
      let limit = INITIAL_WINDOW_BYTES;
      const arrive = (piece: ReturnType<typeof take>) => {
        const { offset, bytes, fin } = piece;
        if (receive.insert(bytes, 0, bytes.length, offset, fin) !== Received.OK) throw new Error("refused");
        send.handleAcked(offset, bytes.length, fin);
      };
      for (const { action, size, pick } of steps) {
        const flyer = flying[pick % flying.length];
        if (action === "write") written += send.write(bytes.slice(written, written + size), 1e6);
        if (action === "send" && send.hasWork) flying.push(take(send, Math.max(1, size)));
        if (action === "ack" && flyer) arrive(flyer);
        if (action === "lose" && flyer) send.handleLost(flyer.offset, flyer.bytes.length, flyer.fin);
        if (action === "window") send.handleWindow((limit = receive.takeLimit()));
        if (flying.some((piece) => piece.offset + piece.bytes.length > limit)) return false;
      }
      send.finish();
      send.handleWindow(receive.takeLimit());
      for (const piece of flying) send.handleLost(piece.offset, piece.bytes.length, piece.fin);
      while (send.hasWork) arrive(take(send, 1_000));
      return readAll(receive).equals(bytes.subarray(0, written)) && receive.isFinished && !send.isWaiting;
    }),
  );
});

t.test("a write takes what there is room for, and nothing after the end", async (t) => {
  const send = new SendStream();
  t.equal(send.write(new Uint8Array(100), 60), 60);
  t.equal(send.write(new Uint8Array(100), 0), 0);
  t.equal(send.write(new Uint8Array(100), -5), 0);
  t.equal(send.unsentBytes, 60);
  send.finish();
  t.equal(send.write(new Uint8Array(100), 60), 0);
});

t.test("an end alone is sent, sent again when lost, and waits for the bytes before it", async (t) => {
  const send = new SendStream();
  send.finish();
  t.equal(send.hasWork, true);
  t.match(take(send, 10), { offset: 0, fin: true });
  t.equal(send.hasWork, false);
  send.handleLost(0, 0, true);
  t.match(take(send, 10), { offset: 0, fin: true });
  send.handleAcked(0, 0, true);
  t.equal(send.isWaiting, false);
  send.handleLost(0, 0, true);
  t.equal(send.hasWork, false, "not once it is acknowledged");

  const blocked = new SendStream();
  blocked.write(new Uint8Array(INITIAL_WINDOW_BYTES + 1), 1e6);
  blocked.finish();
  t.match(take(blocked, 1e6), { offset: 0, fin: false });
  t.equal(blocked.hasWork, false, "the window holds back the last byte, and the end with it");
  blocked.handleWindow(INITIAL_WINDOW_BYTES + 1);
  t.match(take(blocked, 1e6), { offset: INITIAL_WINDOW_BYTES, fin: true });
});

t.test("a window that shrinks is not believed", async (t) => {
  const send = new SendStream();
  send.handleWindow(10);
  send.write(new Uint8Array(100), 100);
  t.equal(take(send, 1_000).bytes.length, 100);
});

t.test("many small writes are gathered", async (t) => {
  const send = new SendStream();
  const bytes = pattern(10_000);
  for (let i = 0; i < bytes.length; i++) send.write(bytes.subarray(i, i + 1), 1);
  t.ok(Buffer.from(take(send, 10_000).bytes).equals(bytes));
  send.handleAcked(0, 10_000, false);
  t.equal(send.isWaiting, false);
});
