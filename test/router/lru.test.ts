import t from "tap";
import { Lru } from "../../src/router/lru.js";
import { seeded } from "./graphs.js";

t.test("what was used least recently is forgotten, as in a list that is searched", async (t) => {
  const random = seeded(1);
  const evicted: number[] = [];
  const lru = new Lru<number, number>(20, (value) => void evicted.push(value));
  /** Keys and values, the least recently used first. */
  let list: (readonly [number, number])[] = [];
  const gone: number[] = [];
  const use = (key: number, value: number) => {
    list = [...list.filter(([other]) => other !== key), [key, value]];
    if (list.length > 20) gone.push(list.shift()![1]);
  };
  for (let i = 0; i < 5_000; i++) {
    const key = random(30);
    const known = list.find(([other]) => other === key)?.[1];
    const action = random(3);
    if (action === 0) {
      lru.set(key, i);
      use(key, i);
    } else if (action === 1) {
      if (lru.get(key) !== known) t.fail("another value");
      if (known !== undefined) use(key, known);
    } else if (lru.peek(key) !== known) t.fail("another value is seen");
    if (lru.size !== list.length) t.fail("another size");
  }
  t.same(
    [...lru.values()],
    list.map(([, value]) => value),
  );
  t.same(evicted, gone);
});
