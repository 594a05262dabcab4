import t from "tap";
import { SignTag } from "../../src/crypto/sign.js";
import { PacketDrop, SessionCode } from "../../src/session/codes.js";
import { FrameType } from "../../src/session/frames.js";
import { PacketType } from "../../src/session/packet.js";
import { CLOSE_TEXT, CloseCode, DropReason } from "../../src/wire/codes.js";
import { Kind } from "../../src/wire/kinds.js";
import * as limits from "../../src/wire/limits.js";
import { DATA, PROBE } from "../wire/fixed.js";
import { LAYOUTS } from "../wire/layouts.js";
import { read } from "./repository.js";

const page = read("PROTOCOL.md");

/** The rows of the first table below a heading, or a line that begins with `start`; cells trimmed, without the head. */
function table(start: string): string[][] {
  const lines = page.split("\n");
  const isWhole = start.startsWith("#");
  const from = lines.findIndex((line) => line.startsWith(start) && (!isWhole || line.length === start.length));
  if (from < 0) throw new Error(`PROTOCOL.md has nothing that begins with ${start}`);
  const head = lines.findIndex((line, i) => i > from && line.startsWith("|"));
  const rows: string[][] = [];
  for (let i = head + 2; lines[i]?.startsWith("|"); i++) {
    rows.push(
      lines[i]!.split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }
  return rows;
}

const hex = (kind: number): string => `0x${kind.toString(16).padStart(2, "0")}`;

/** The doc comments of a source file's members, by name, as one line without the full stop. */
function comments(file: string): ReadonlyMap<string, string> {
  const documented = read(file).matchAll(/\/\*\* ([^/]*?) \*\/\s*(?:export const )?(\w+)(?::| =)/g);
  return new Map([...documented].map(([, text, name]) => [name!, text!.replace(/\s*\n \* /g, " ").replace(/\.$/, "")]));
}

t.test("the kinds are those of the code", async (t) => {
  const rows = table("### Kinds").map(([number, name]) => [number, name]);
  t.same(
    rows,
    Object.entries(Kind).map(([name, kind]) => [hex(kind), name]),
  );
});

t.test("the limits are those of the code, and say what its comments say", async (t) => {
  const said = comments("src/wire/limits.ts");
  const byName = ([a]: readonly unknown[], [b]: readonly unknown[]) => (String(a) < String(b) ? -1 : 1);
  t.same(
    table("### Limits").sort(byName),
    Object.entries(limits)
      .map(([name, value]) => [name, String(value), said.get(name)])
      .sort(byName),
  );
});

t.test("the close codes are those of the code, with the text that the peer is told", async (t) => {
  t.same(
    table("### Close codes"),
    Object.entries(CloseCode).map(([name, code]) => [String(code), name, CLOSE_TEXT[code]]),
  );
});

t.test("the drop reasons are those of the code, and say what its comments say", async (t) => {
  const said = comments("src/wire/codes.ts");
  t.same(
    table("### Drop reasons"),
    Object.entries(DropReason).map(([name, reason]) => [String(reason), name, said.get(name)]),
  );
});

t.test("the signature tags are those of the code", async (t) => {
  const rows = table("What is signed is").map(([name, text]) => [name, text]);
  t.same(
    rows,
    Object.entries(SignTag).map(([name, text]) => [name, `\`${text}\``]),
  );
});

for (const [name, layout] of Object.entries(LAYOUTS)) {
  t.test(`${name} has the elements and types of its layout`, async (t) => {
    const rows = table(`### ${name} (${hex(layout.kind)})`).map(([element, type]) => [element, type]);
    t.same(
      rows,
      Object.entries(layout.fields).map(([element, { shape }]) => [element, shape]),
    );
  });
}

/** Bytes of a fixed-width element as a table says it: `3 + n` is 3 where the binary is empty. */
function leastBytes(type: string): number {
  if (type.startsWith("uint 8")) return 2;
  if (type.startsWith("uint 16")) return 3;
  const sized = /^bin (8|16) of (\d+)(–\d+)?/.exec(type);
  if (sized === null) throw new Error(`a type that is unknown: ${type}`);
  return (sized[1] === "8" ? 2 : 3) + Number(sized[2]);
}

for (const [name, { kind, widths }] of Object.entries({ DATA, PROBE })) {
  t.test(`${name} has the elements, widths and places of its layout`, async (t) => {
    const [start, ...rows] = table(`### ${name} (${hex(kind)})`);
    const count = Object.keys(widths).length + 1;
    t.same(start!.slice(0, 4), ["0", "2", "", `9${count.toString(16)} ${hex(kind).slice(2)}`]);
    t.same(
      rows.map(([, , element]) => element),
      Object.keys(widths),
    );
    let at = 2;
    for (const [place, bytes, element, type] of rows) {
      t.ok(type!.startsWith(widths[element!]!), `${element} is ${widths[element!]}`);
      t.equal(Number.parseInt(place!, 10), at, `${element} stands at ${at}`);
      t.equal(Number.parseInt(bytes!, 10), leastBytes(type!), `${element} has its bytes`);
      at += leastBytes(type!);
    }
  });
}

t.test("the parts of an edge stand one behind the other and fill it", async (t) => {
  let at = 0;
  for (const [place, bytes] of table("**Edge**")) {
    t.equal(Number(place), at);
    at += Number(bytes);
  }
  t.equal(at, limits.EDGE_BYTES);
});

t.test("a session's codes, packets and frames have the numbers of the code", async (t) => {
  t.same(
    table("### Session codes").map(([number, name]) => [name, Number(number)]),
    Object.entries(SessionCode),
  );
  const numbered = (heading: string) => table(heading).map(([cell]) => cell!.replace(/\.\.\d+$/, "").split(" "));
  const entries = (table: object) => Object.entries(table).map(([name, number]) => [name, String(number)]);
  t.same(numbered("### Packets"), entries(PacketType));
  t.same(numbered("### Frames"), entries(FrameType));
});

t.test("every reason to drop a packet has its check", async (t) => {
  const named = new Set(table("Checks of a received packet").map(([, , drop]) => drop));
  for (const name of Object.keys(PacketDrop)) if (name !== "NONE") t.ok(named.has(name), name);
});
