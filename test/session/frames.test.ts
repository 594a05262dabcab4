import fc from "fast-check";
import t from "tap";
import {
  ACK_RANGES_MAX,
  AckFrame,
  FrameReader,
  FrameType,
  MALFORMED,
  REASON_BYTES_MAX,
  streamHeaderBytes,
  writeAck,
  writeClose,
  writeNote,
  writePing,
  writeReset,
  writeStreamHeader,
  writeWindow,
} from "../../src/session/frames.js";
import { VARINT_MAX, varintBytes, writeVarint } from "../../src/session/varint.js";
import { fuzzRuns } from "../fuzz/runs.js";
import { describeFrames, hex, unhex } from "./support.js";

/** A hex vector for each kind of frame, and what it says. */
const VECTORS: Readonly<Record<keyof typeof FrameType, readonly (readonly [string, string])[]>> = {
  PING: [["01", "PING"]],
  ACK: [
    ["02 05 19 00 01 06", "ACK 0-5 delay 0.025 marked 0"],
    ["02 80010000 800061a8 07 03 01 02 4400 01 0a", "ACK 65536-65536,64510-65533,64499-64508 delay 25 marked 7"],
  ],
  WINDOW: [["03 01 80400000", "WINDOW 1 4194304"]],
  RESET: [["04 00 4100", "RESET 0 256"]],
  CLOSE: [["05 03 07 7469 6d65 6f75 74", "CLOSE 3 timeout"]],
  NOTE: [["06 03 616263", "NOTE abc"]],
  STREAM: [
    ["10 00 03 616263", "STREAM 0 0+3"],
    ["11 4400 00", "STREAM 1 1024+0"],
    ["12 05 01 7a", "STREAM 0 5+1 fin"],
    ["13 c000000100000000 02 7a7a", "STREAM 1 4294967296+2 fin"],
  ],
};

function written(write: (out: Uint8Array) => number): string {
  const out = new Uint8Array(1_200);
  return hex(out.subarray(0, write(out)));
}

function ackOf(largest: number, delayMs: number, marked: number, ranges: [number, number][]): AckFrame {
  const ack = new AckFrame();
  Object.assign(ack, { largest, delayMs, marked, rangeCount: ranges.length });
  ranges.forEach(([start, end], i) => {
    ack.starts[i] = start;
    ack.ends[i] = end;
  });
  return ack;
}

t.test("every kind of frame has its vectors, and reads as they say", async (t) => {
  t.strictSame(Object.keys(VECTORS), Object.keys(FrameType));
  for (const vectors of Object.values(VECTORS)) {
    for (const [bytes, text] of vectors) t.strictSame(describeFrames(unhex(bytes)), [text]);
  }
  const all = Object.values(VECTORS).flat();
  const run = unhex(all.map(([bytes]) => bytes).join(""));
  t.strictSame(
    describeFrames(run),
    all.map(([, text]) => text),
    "also one after another",
  );
});

t.test("frames are written as the vectors say", async (t) => {
  const same = (text: string, [vector]: readonly [string, string]) => t.equal(text, vector.replaceAll(" ", ""));
  same(
    written((out) => writePing(out, 0)),
    VECTORS.PING[0]!,
  );
  same(
    written((out) => writeAck(out, 0, 1_200, ackOf(5, 0.025, 0, [[0, 5]]))),
    VECTORS.ACK[0]!,
  );
  const ranges: [number, number][] = [
    [65_536, 65_536],
    [64_510, 65_533],
    [64_499, 64_508],
  ];
  same(
    written((out) => writeAck(out, 0, 1_200, ackOf(65_536, 25, 7, ranges))),
    VECTORS.ACK[1]!,
  );
  same(
    written((out) => writeWindow(out, 0, 1, 4_194_304)),
    VECTORS.WINDOW[0]!,
  );
  same(
    written((out) => writeReset(out, 0, 0, 256)),
    VECTORS.RESET[0]!,
  );
  same(
    written((out) => writeClose(out, 0, 3, "timeout")),
    VECTORS.CLOSE[0]!,
  );
  same(
    written((out) => writeNote(out, 0, Buffer.from("abc"))),
    VECTORS.NOTE[0]!,
  );
  same(
    written((out) => writeStreamHeader(out, 0, 1, 1_024, 0, false)),
    VECTORS.STREAM[1]!,
  );
});

t.test("frames that break a rule are malformed", async (t) => {
  const bad = {
    "an unknown type": "00",
    "another unknown type": "07",
    "NOTE cut off": "06",
    "NOTE whose length lies": "06 02 61",
    "NOTE of more than 1,000 bytes": `06 43e9 ${"61".repeat(1_001)}`,
    "a STREAM flag that is not known": "14 00 00",
    "STREAM cut off before its length": "10 00",
    "STREAM whose length lies": "10 00 04 616263",
    "STREAM beyond the largest offset": "10 c01fffffffffffff 01 61",
    "an offset above 2^53 - 1": "10 c020000000000000 00",
    "WINDOW of a third stream": "03 02 00",
    "WINDOW cut off": "03 01",
    "RESET of a third stream": "04 ff 00",
    "CLOSE whose reason lies": "05 00 05 61",
    "CLOSE with a long reason": `05 00 40c9 ${"61".repeat(201)}`,
    "ACK without a range": "02 05 00 00 00",
    "ACK with 33 ranges": `02 4100 00 00 21 01 ${"0101".repeat(32)}`,
    "ACK of no packet": "02 05 00 00 01 00",
    "ACK of packets below 0": "02 05 00 00 01 07",
    "ACK with a gap of 0": "02 05 00 00 02 01 00 01",
    "ACK with a gap below 0": "02 05 00 00 02 01 05 01",
    "ACK cut off": "02 05 00 00 02 01 01",
  };
  for (const [name, bytes] of Object.entries(bad)) t.strictSame(describeFrames(unhex(bytes)), ["MALFORMED"], name);
});

t.test("an ACK takes the highest ranges that fit", async (t) => {
  const ranges: [number, number][] = [];
  for (let i = 0; i < ACK_RANGES_MAX; i++) ranges.push([1_000 - 10 * i, 1_004 - 10 * i]);
  const ack = ackOf(1_004, 0, 0, ranges);
  const out = new Uint8Array(200);
  for (let limit = 0; limit < 100; limit++) {
    const end = writeAck(out, 0, limit, ack);
    t.ok(end <= limit);
    if (end > 0) t.match(describeFrames(out.subarray(0, end))[0], /^ACK 1000-1004/);
  }
  t.equal(describeFrames(out.subarray(0, writeAck(out, 0, 200, ack)))[0]!.split(",").length, ACK_RANGES_MAX);
});

t.test("a reason is cut to its limit and kept printable", async (t) => {
  const out = new Uint8Array(400);
  const end = writeClose(out, 0, 0, `caf\u00e9\n${"x".repeat(300)}`);
  const [text] = describeFrames(out.subarray(0, end));
  t.match(text, /^CLOSE 0 caf\?\?x+$/);
  t.equal(text!.length, "CLOSE 0 ".length + REASON_BYTES_MAX);
  t.strictSame(describeFrames(unhex("05 00 03 41 0a ff")), ["CLOSE 0 A??"], "from the peer too");
});

t.test("integers keep their value in the shortest form", async (t) => {
  const vectors: [number, string][] = [
    [0, "00"],
    [37, "25"],
    [63, "3f"],
    [64, "4040"],
    [15_293, "7bbd"],
    [16_383, "7fff"],
    [16_384, "80004000"],
    [494_878_333, "9d7f3e7d"],
    [2 ** 30 - 1, "bfffffff"],
    [2 ** 30, "c000000040000000"],
    [2 ** 32, "c000000100000000"],
    [VARINT_MAX, "c01fffffffffffff"],
  ];
  for (const [value, bytes] of vectors) {
    t.equal(
      written((out) => writeVarint(out, 0, value)),
      bytes,
    );
    t.equal(varintBytes(value), bytes.length / 2);
    t.strictSame(describeFrames(unhex(`0300${bytes}`)), [`WINDOW 0 ${value}`]);
  }
  t.strictSame(describeFrames(unhex("0300 4025")), ["WINDOW 0 37"], "a longer form is read too");
});

t.test("what is written reads back", async () => {
  const value = fc.oneof(fc.nat(100), fc.nat(), fc.maxSafeNat());
  const stream = fc.nat(1);
  fc.assert(
    fc.property(stream, value, fc.uint8Array({ maxLength: 300 }), fc.boolean(), (stream, offset, data, fin) => {
      fc.pre(offset + data.length <= VARINT_MAX);
      const out = new Uint8Array(400);
      const at = writeStreamHeader(out, 0, stream, offset, data.length, fin);
      out.set(data, at);
      const reader = new FrameReader();
      reader.begin(out, at + data.length);
      return (
        at <= streamHeaderBytes(offset, 300) &&
        reader.next() === FrameType.STREAM &&
        reader.stream === stream &&
        reader.offset === offset &&
        reader.fin === fin &&
        Buffer.compare(out.subarray(reader.dataStart, reader.dataEnd), data) === 0
      );
    }),
  );
  fc.assert(
    fc.property(stream, value, (stream, number) => {
      const out = new Uint8Array(100);
      const end = writeReset(out, writeWindow(out, 0, stream, number), stream, number);
      const read = describeFrames(out.subarray(0, end));
      return read.join() === `WINDOW ${stream} ${number},RESET ${stream} ${number}`;
    }),
  );
});

t.test("any bytes are read to their end or to the first that are no frame", async () => {
  const reader = new FrameReader();
  const anyFrames = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.constantFrom(...Object.values(VECTORS).flat()).map(([bytes]) => unhex(bytes)),
    ),
    { maxLength: 10 },
  );
  fc.assert(
    fc.property(anyFrames, (parts) => {
      const bytes = Buffer.concat(parts);
      reader.begin(bytes, bytes.length);
      let frames = 0;
      for (let type = reader.next(); type > 0; type = reader.next()) {
        if (++frames > bytes.length) return false;
        if (type === FrameType.STREAM && !(reader.dataStart <= reader.dataEnd && reader.dataEnd <= bytes.length))
          return false;
        if (type === FrameType.ACK && !isOrdered(reader.ack)) return false;
      }
      return reader.next() === MALFORMED || frames <= bytes.length;
    }),
    { numRuns: fuzzRuns(2_000) },
  );
});

function isOrdered(ack: AckFrame): boolean {
  if (ack.ends[0] !== ack.largest) return false;
  for (let i = 0; i < ack.rangeCount; i++) {
    if (ack.starts[i]! < 0 || ack.starts[i]! > ack.ends[i]!) return false;
    if (i > 0 && ack.ends[i]! > ack.starts[i - 1]! - 2) return false;
  }
  return true;
}
