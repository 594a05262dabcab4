import t from "tap";
import { toHex } from "../../src/wire/bytes.js";
import { decodeNote, encodeBall, encodeLocate, encodeLocated, encodeWant } from "../../src/wire/note.js";

t.test("notes have their layout", async (t) => {
  t.equal(toHex(encodeWant(256)), "01010100");
  t.same(encodeBall([Uint8Array.of(7), Uint8Array.of(8, 9)]).map(toHex), ["010207", "01030809"]);
  const [key, locator, signature] = [7, 8, 9].map((byte, i) => new Uint8Array([32, 10, 64][i]!).fill(byte));
  t.same(decodeNote(encodeLocate(key!)), { type: "locate", key });
  t.same(decodeNote(encodeLocated(key!, locator!, signature!)), { type: "located", key, locator, signature });
  t.same(decodeNote(encodeWant(16)), { type: "want", size: 16 });
  t.same(decodeNote(Uint8Array.of(1, 2, 7)), { type: "ball", records: Uint8Array.of(7), isLast: false });
  t.same(decodeNote(Uint8Array.of(1, 3)), { type: "ball", records: new Uint8Array(0), isLast: true });
});

t.test("what is no note of this version is none", async (t) => {
  for (const bytes of [
    [],
    [1],
    [2, 1, 0, 1],
    [1, 0],
    [1, 6, 0],
    [1, 1, 0],
    [1, 4, 0],
    [1, 5, ...new Uint8Array(96)],
    [1, 1, 0, 1, 0],
  ])
    t.equal(decodeNote(Uint8Array.from(bytes)), undefined, String(bytes));
});
