import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import t from "tap";
import { readYaml, type Setting, withSettings } from "../../src/homeserver/yaml-edit.js";

const MARKS = { begin: "begin", end: "end" };
const set = (key: string, value: Setting["value"], child?: string): Setting => ({
  path: child === undefined ? [key] : [key, child],
  value,
});
const edit = (text: string, ...settings: Setting[]) => withSettings(text, settings, MARKS);

t.test("new keys follow at the end, between the marks", async (t) => {
  t.equal(edit("a: 1 # one\n", set("b", [])), "a: 1 # one\n# begin\nb: []\n# end\n");
  t.equal(edit("a: 1", set("b", "x")), "a: 1\n# begin\nb: x\n# end\n", "without a newline at the end");
  t.equal(edit("# nothing yet\n", set("b", 2)), "# nothing yet\n# begin\nb: 2\n# end\n");
  t.equal(edit("", set("b", true)), "# begin\nb: true\n# end\n");
  t.equal(
    edit("a: 1\n", set("f", "5s", "x"), set("f", 7, "z"), set("m", { host: "127.0.0.1" }, "o")),
    'a: 1\n# begin\nf:\n  x: 5s\n  z: 7\nm:\n  o: {host: "127.0.0.1"}\n# end\n',
  );
  t.equal(edit("  a: 1\n", set("b", 2)), "  a: 1\n  # begin\n  b: 2\n  # end\n", "indented as the others");
  t.equal(edit("a: 1\n...\n", set("b", 2)), "a: 1\n# begin\nb: 2\n# end\n...\n", "before the end of the document");
});

t.test("a key that stands there is replaced in its place, comments kept", async (t) => {
  t.equal(edit("a: 1 # one\nb: 2\n", set("a", 3)), "a: 3 # one\nb: 2\n");
  t.equal(
    edit("keys: # trusted\n  # the first\n  - name: x # y\n  - z\nb: 1\n", set("keys", [])),
    "keys: [] # trusted\n  # the first\nb: 1\n",
    "a block becomes a line, the comments before it stay",
  );
  t.equal(edit("keys:\n- a\n- b\n", set("keys", [])), "keys: []\n");
  t.equal(edit("a: |\n  text\n\nb: 1\n", set("a", "x")), "a: x\n\nb: 1\n");
  t.equal(edit('a: "x" #c\n', set("a", "z")), "a: z #c\n");
  t.equal(edit("a:   # unset\nb: 1\n", set("a", true)), "a: true   # unset\nb: 1\n");
  t.equal(edit("a:\n  {b: 1}\n", set("a", 1)), "a:\n  1\n");
  t.equal(edit("'a' : 1\n", set("a", 2)), "'a' : 2\n");
});

t.test("what is there already is left as it is written", async (t) => {
  const text = "a:  'x'\nb:\n  - 1 # one\nc: {d: 30d}\n";
  t.equal(edit(text, set("a", "x"), set("b", [1]), set("c", "30d", "d")), text);
});

t.test("a mapping is merged: what it lacks is added with its indent", async (t) => {
  t.equal(
    edit("f: # tuning\n    x: 1 # one\n    # last\nb: 1\n", set("f", 2, "z"), set("f", 3, "x")),
    "f: # tuning\n    x: 3 # one\n    z: 2\n    # last\nb: 1\n",
  );
  t.equal(edit("f: {x: 1}\n", set("f", 2, "z")), "f: {x: 1, z: 2}\n");
  t.equal(edit("f: {x: 1, } # c\n", set("f", 2, "z")), "f: {x: 1, z: 2, } # c\n");
  t.equal(edit("f: {}\n", set("f", 2, "z")), "f: {z: 2}\n");
  t.equal(edit("f:\n  # nothing yet\nb: 1\n", set("f", 2, "z")), "f:\n  z: 2\n  # nothing yet\nb: 1\n");
  t.equal(edit("f:", set("f", 2, "z")), "f:\n  z: 2\n");
  t.equal(edit("f: ~\n", set("f", 2, "z")), "f: {z: 2}\n");
  t.equal(edit("f:\n  x: 1", set("f", 2, "z")), "f:\n  x: 1\n  z: 2\n");
});

t.test("a file that is one flow mapping, as JSON is, stays one", async (t) => {
  const json = '{"a": 1, "b": {"c": []}}\n';
  t.equal(edit(json, set("a", 2), set("b", 3, "d"), set("e", "x", "f")), '{"a": 2, "b": {"c": [], d: 3}, e: {f: x}}\n');
  t.equal(edit("{}\n", set("a", 1)), "{a: 1}\n");
});

t.test("lines end as they did", async (t) => {
  t.equal(
    edit("a: 1\r\nf:\r\n  x: 1\r\n", set("b", 2), set("f", 2, "z")),
    "a: 1\r\nf:\r\n  x: 1\r\n  z: 2\r\n# begin\r\nb: 2\r\n# end\r\n",
  );
});

t.test("what cannot be edited without harm is refused with the reason", async (t) => {
  const refused: [string, Setting, RegExp][] = [
    ["a: [1\n", set("b", 1), /^line 2: /],
    ["a: 1\n---\nb: 1\n", set("b", 1), /^line 2: a second document begins here/],
    ["a: 1\na: 2\n", set("b", 1), /^line 2: this key stands in the file a second time/],
    ["- a\n", set("b", 1), /no lines of the form `key: value`/],
    ["just text\n", set("b", 1), /no lines of the form/],
    ["x: &x {y: 1}\nf: *x\n", set("f", 2, "z"), /`f` is an alias of YAML: set `f.z` by hand/],
    ["f: 1\n", set("f", 2, "z"), /`f` is no mapping, so `f.z` cannot be set/],
    ["a: &x 1\nb: *x\n", set("a", 2), /a form that cannot be edited safely: set `a` by hand/],
    ["a: &x\n  - 1\nb: *x\n", set("a", 2), /a form that cannot be edited safely/],
    ["\ta: 1\n", set("b", 1), /^line 1: /],
  ];
  for (const [text, setting, reason] of refused) t.throws(() => edit(text, setting), { message: reason }, text);
});

/** Lines as people write them: sections in any style, comments with tabs, empty lines, quotes. */
const comment = fc.constantFrom("", "# a comment", "#\twith a tab: yes", "  # indented", "# key: value", "#");
const scalar = fc.constantFrom(
  "1",
  "text",
  "'quoted'",
  '"double \\" # quoted"',
  "true",
  "30d",
  "[a, b]",
  "{q: 1, r: [2]}",
  "~",
  "",
);
const section = fc.oneof(
  fc
    .tuple(scalar, fc.constantFrom("", " # why", "   #\ttab"))
    .map(([value, end]) => [`${value === "" ? "" : ` ${value}`}${end}`]),
  fc
    .array(fc.tuple(scalar, comment), { minLength: 1, maxLength: 3 })
    .map((items) => [
      "",
      ...items.flatMap(([value, line], index) => [
        `  in_${index}: ${value}`.trimEnd(),
        ...(line === "" ? [] : [`  ${line}`]),
      ]),
    ]),
  fc
    .array(scalar, { minLength: 1, maxLength: 3 })
    .map((items) => [" # a list", ...items.map((value) => `- ${value}`.trimEnd())]),
  fc.constantFrom([" |", "  first", "", "  last"], [" >-", "    folded", "    text"]),
);
const file = fc
  .record({
    sections: fc.array(fc.tuple(section, fc.array(comment, { maxLength: 2 })), { maxLength: 6 }),
    eol: fc.constantFrom("\n", "\r\n"),
    head: fc.array(comment, { maxLength: 2 }),
    hasLastEol: fc.boolean(),
    bom: fc.constantFrom("", "", "\uFEFF"),
  })
  .map(({ sections, eol, head, hasLastEol, bom }) => {
    const body = sections.flatMap(([[first = "", ...rest], after], index) => {
      return [`key_${index}:${first}`, ...rest, ...after];
    });
    return bom + [...head, ...body].join(eol) + (hasLastEol ? eol : "");
  });
const settings = fc
  .array(
    fc.record({
      path: fc.oneof(
        fc.nat(8).map((index) => [`key_${index}`] as const),
        fc.tuple(fc.nat(8), fc.nat(4)).map(([index, inner]) => [`key_${index}`, `in_${inner}`] as const),
      ),
      value: fc.constantFrom<Setting["value"]>(1, "x", "127.0.0.1", [], ["a"], { host: "h", port: 1 }, false, "30d"),
    }),
    { maxLength: 5 },
  )
  // Nobody sets a key and a key in it.
  .map((all) =>
    all.filter(
      ({ path: [key, child] }) =>
        child === undefined || !all.some((other) => other.path.length === 1 && other.path[0] === key),
    ),
  );

t.test("an edit says what was wanted and nothing else, and keeps every comment", async (t) => {
  let edits = 0;
  fc.assert(
    fc.property(file, settings, (text, wanted) => {
      const before = readYaml(text);
      let after: string;
      try {
        after = withSettings(text, wanted, MARKS);
      } catch (error) {
        // Sections that are no mappings refuse to have keys of their own; nothing else is refused.
        return /is no mapping/.test((error as Error).message);
      }
      edits++;
      const values = readYaml(after);
      const touched = new Set<string>(wanted.map(({ path }) => path[0]));
      for (const [key, value] of Object.entries(before)) if (!touched.has(key)) t.same(values[key], value);
      // Comments in a block that is replaced go with it; none of those stands at the beginning of a line.
      const comments = (of: string) => of.split(/\r?\n/).filter((line) => line.startsWith("#"));
      const kept = comments(after).filter((line) => line !== "# begin" && line !== "# end");
      return isDeepStrictEqual(kept, comments(text));
    }),
    { numRuns: 1_000 },
  );
  t.ok(edits > 300, `${edits} edits`);
});
