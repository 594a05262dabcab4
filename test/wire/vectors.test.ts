import { readFileSync, writeFileSync } from "node:fs";
import t from "tap";
import { fromHex, toHex } from "../../src/wire/bytes.js";
import { isData } from "../../src/wire/data.js";
import { Kind, kindOf } from "../../src/wire/kinds.js";
import { isProbe } from "../../src/wire/probe.js";
import { DATA, decodeFixed, encodeFixed, type FixedValues, PROBE } from "./fixed.js";
import { forms } from "./forms.js";
import { LAYOUTS, type Values } from "./layouts.js";

const FILE = new URL("../../../test/vectors/frames.json", import.meta.url);

type Readable = number | string | readonly string[];
interface Vector {
  readonly name: string;
  readonly kind: number;
  readonly values: Readonly<Record<string, Readable>>;
  hex?: string;
}
const file = JSON.parse(readFileSync(FILE, "utf8")) as { about: string[]; frames: Vector[] };

const parse = (value: Readable): unknown =>
  typeof value === "number" ? value : typeof value === "string" ? fromHex(value) : value.map(parse);

function valuesOf(vector: Vector): Values {
  return Object.fromEntries(Object.entries(vector.values).map(([name, value]) => [name, parse(value)]));
}

/** The part of a vector's name before the comma is that of its kind. */
const kindName = (vector: Vector): string => vector.name.split(",")[0]!;

const fixed = { DATA, PROBE };
const isFixed = (name: string): name is keyof typeof fixed => name in fixed;

function encode(vector: Vector): Uint8Array {
  const name = kindName(vector);
  const values = valuesOf(vector);
  return isFixed(name) ? encodeFixed(fixed[name], values as FixedValues) : LAYOUTS[name]!.encode(values);
}

if (process.argv.includes("--update")) {
  for (const vector of file.frames) vector.hex = toHex(encode(vector));
  writeFileSync(FILE, `${JSON.stringify(file, null, 2)}\n`);
}

t.test("every kind has a vector", async (t) => {
  for (const name of Object.keys(Kind)) {
    t.ok(
      file.frames.some((vector) => kindName(vector) === name),
      `${name} has a vector in test/vectors/frames.json`,
    );
  }
  t.equal(new Set(file.frames.map((vector) => vector.name)).size, file.frames.length, "names are distinct");
});

for (const vector of file.frames) {
  t.test(`vector ${vector.name}`, async (t) => {
    const name = kindName(vector);
    const bytes = fromHex(vector.hex ?? "") ?? new Uint8Array(0);
    t.equal(vector.kind, Kind[name as keyof typeof Kind]);
    t.equal(kindOf(bytes), vector.kind);
    t.equal(toHex(encode(vector)), vector.hex, "its values encode to it");
    const values = valuesOf(vector);
    if (isFixed(name)) {
      t.ok(name === "DATA" ? isData(bytes) : isProbe(bytes), "it is taken");
      t.same(decodeFixed(fixed[name], bytes), values, "it decodes to its values");
    } else {
      t.equal(toHex(forms([vector.kind, ...Object.values(values)])[0]!), vector.hex, "so do they by hand");
      t.same(LAYOUTS[name]!.decode(bytes), values, "it decodes to its values");
    }
  });
}
