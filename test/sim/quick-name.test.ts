import t from "tap";
import { quickName } from "../../sim/quick-name.js";

const KEY = new Uint8Array(32).fill(1);

t.test("no two of many near questions have one name", async (t) => {
  const names = new Set<string>();
  const bytes = new Uint8Array(40);
  for (let at = 0; at < 40; at++)
    for (let value = 1; value < 256; value++) {
      bytes[at] = value;
      names.add(quickName(KEY, bytes));
      bytes[at] = 0;
    }
  for (let low = 0; low < 256; low++)
    for (let high = 1; high < 256; high++) names.add(quickName(Uint8Array.of(low, high)));
  t.equal(names.size, 40 * 255 + 256 * 255);
});
