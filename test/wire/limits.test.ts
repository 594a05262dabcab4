import t from "tap";
import { CLOSE_TEXT, CloseCode, DROP_LABEL, DROP_REASON_COUNT, DropReason } from "../../src/wire/codes.js";
import { dataHeaderBytes } from "../../src/wire/data.js";
import { Kind } from "../../src/wire/kinds.js";
import * as limits from "../../src/wire/limits.js";
import { encodeProbe, ProbeMode, probeBytes } from "../../src/wire/probe.js";

t.test("the limits fit each other and the widths on the wire", async (t) => {
  const { FRAME_BYTES_MAX, PAYLOAD_BYTES_MAX, ROUTE_HOPS_MAX, HOP_LIMIT, TREE_DEPTH_MAX, PROBE_SLOTS } = limits;
  t.ok(dataHeaderBytes(ROUTE_HOPS_MAX) + PAYLOAD_BYTES_MAX <= FRAME_BYTES_MAX, "the largest DATA frame");
  t.ok(FRAME_BYTES_MAX < 0x10000, "every length fits bin 16");
  t.ok(HOP_LIMIT <= 0xff && ROUTE_HOPS_MAX < HOP_LIMIT, "hops and index fit uint 8");
  t.ok(TREE_DEPTH_MAX < 0xff, "a depth fits uint 8 beside 255, none");
  t.ok(2 * TREE_DEPTH_MAX < 0xffff, "a distance fits uint 16 beside 65,535, none");
  t.ok(PROBE_SLOTS - 1 === ROUTE_HOPS_MAX, "a probe records as many ports as a route has");
  t.equal(limits.PROBE_RECORD_BYTES, 4 * PROBE_SLOTS);
  t.equal(limits.EDGE_BYTES, 174);
  t.equal(limits.REG_ENTRY_BYTES, 206);
  t.ok(limits.EPOCH_MAX < Number.MAX_SAFE_INTEGER && limits.EPOCH_HINT_MAX < limits.EPOCH_MAX);
  t.equal(encodeProbe(ProbeMode.KEY, new Uint8Array(8), new Uint8Array(32), {}).length, probeBytes(0));
});

t.test("kinds, close codes and drop reasons are distinct numbers of their range", async (t) => {
  const distinct = (numbers: number[]) => new Set(numbers).size === numbers.length;
  const kinds = Object.values(Kind);
  t.ok(distinct(kinds) && kinds.every((kind) => kind > 0 && kind < 0x80), "a kind is one byte of msgpack");
  const codes = Object.values(CloseCode);
  t.ok(distinct(codes) && codes.every((code) => code >= 0 && code < 1_000), "4000 + code is a private close code");
  t.equal(Math.max(...codes), codes.length - 1, "counters need no gap");
  const reasons = Object.values(DropReason);
  t.ok(distinct(reasons) && reasons.every((reason) => reason < 0), "a reason is never a port");
  t.equal(Math.min(...reasons), -DROP_REASON_COUNT, "counters need no gap");
});

t.test("every close code says what happened, and every drop reason has a label", async (t) => {
  for (const [name, code] of Object.entries(CloseCode)) {
    t.ok(CLOSE_TEXT[code].length > 10 && CLOSE_TEXT[code].length <= 123, `${name} fits a WebSocket close frame`);
  }
  t.equal(new Set(Object.values(CLOSE_TEXT)).size, Object.keys(CloseCode).length);
  for (const [name, reason] of Object.entries(DropReason)) t.equal(DROP_LABEL.get(reason), name.toLowerCase());
});
