import fc from "fast-check";
import t from "tap";
import { base32Decode, base32Encode, KEY_NAME_CHARS, keyToName, nameToKey } from "../../src/wire/name.js";

const bytesOf = (text: string) => new TextEncoder().encode(text);

t.test("the vectors of RFC 4648 hold, in lower case and without padding", async (t) => {
  const vectors = {
    "": "",
    f: "my",
    fo: "mzxq",
    foo: "mzxw6",
    foob: "mzxw6yq",
    fooba: "mzxw6ytb",
    foobar: "mzxw6ytboi",
  };
  for (const [text, encoded] of Object.entries(vectors)) {
    t.equal(base32Encode(bytesOf(text)), encoded);
    t.same(base32Decode(encoded), bytesOf(text));
  }
});

t.test("any bytes come back from their text", async (t) => {
  const property = fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    const back = base32Decode(base32Encode(bytes));
    return back !== undefined && Buffer.compare(back, bytes) === 0;
  });
  t.doesNotThrow(() => fc.assert(property));
});

t.test("whatever text is decoded is the one text of its bytes", async (t) => {
  const text = fc.string({ unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz234567A0189=."), maxLength: 60 });
  const property = fc.property(text, (candidate) => {
    const bytes = base32Decode(candidate);
    return bytes === undefined || base32Encode(bytes) === candidate;
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 1_000 }));
});

t.test("a key has a name under either suffix and comes back from it", async (t) => {
  const property = fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
    const name = keyToName(key);
    const label = name.slice(0, KEY_NAME_CHARS);
    for (const form of [name, label, keyToName(key, "gateway.example")]) {
      const back = nameToKey(form);
      if (back === undefined || Buffer.compare(back, key) !== 0) return false;
    }
    return name === `${label}.pinyon.alt`;
  });
  t.doesNotThrow(() => fc.assert(property));
});

t.test("a name that is no key's one name is refused", async (t) => {
  const name = keyToName(new Uint8Array(32).fill(0xff));
  t.equal(name, `${"7".repeat(51)}q.pinyon.alt`);
  t.equal(nameToKey(name.toUpperCase()), undefined, "upper case");
  t.equal(nameToKey(name.replace("q.", "r.")), undefined, "spare bits");
  t.equal(nameToKey(name.slice(1)), undefined, "too short");
  t.equal(nameToKey(`7${name}`), undefined, "too long");
  t.equal(nameToKey(name.replace("7", "1")), undefined, "a character outside the alphabet");
  t.equal(nameToKey(""), undefined);
  t.equal(nameToKey(".pinyon.alt"), undefined);
});
