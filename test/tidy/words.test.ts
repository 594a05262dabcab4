import t from "tap";
import { filesIn, lineOf, pages, read } from "./repository.js";

/** Words that the project does not use, and what it says instead. */
interface Word {
  readonly pattern: RegExp;
  readonly instead: string;
}

const WORDS: readonly Word[] = [
  { pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/g, instead: "do it, or open an issue" },
  {
    pattern: /\bfor now\b|\btemporar(?:y|ily) (?:fix|hack|solution)/gi,
    instead: "do it, or say what is missing and why",
  },
  { pattern: /neighbor/gi, instead: "neighbour" },
  { pattern: /behavior/gi, instead: "behaviour" },
  { pattern: /\bpeer ?ids?\b|\bnode ?ids?\b/gi, instead: "key; id only for its first eight bytes" },
  { pattern: /\bcircuits?\b/gi, instead: "session or source route" },
  { pattern: /\bcoords\b/gi, instead: "coordinates" },
  { pattern: /\bsequence numbers?\b/gi, instead: "seq (a root's) or packet number (a session's)" },
  { pattern: /\bpkts?\b/gi, instead: "packet" },
  { pattern: /\b(?:white|black)[- ]?list/gi, instead: "allow-list, deny-list" },
  // Quoted it is the word of `ip link`, which has no other.
  { pattern: /\bmaster\b(?!")|\bslave\b/gi, instead: "the word for what it does" },
  { pattern: /\butili[sz]e|\bleverag(?:e|ing)\b|\bin order to\b|\bseamless/gi, instead: "the plain word" },
];

/** This file names the words, and another project's packages are called by them; lock files, vectors and licences are not ours to write. */
const EXEMPT = new Set(["test/tidy/words.test.ts", "test/bench/libp2p.ts", "test/bench/programs/libp2p-node.ts"]);
const WRITTEN = /\.(?:ts|md|ya?ml|html|css|sh)$/;

function found(path: string, text: string): string[] {
  return WORDS.flatMap(({ pattern, instead }) =>
    [...text.matchAll(pattern)].map((match) => `${path}:${lineOf(text, match.index)} "${match[0]}": ${instead}`),
  );
}

t.test("code, tests and pages use the project's words", async (t) => {
  const files = ["src", "sim", "test", "deploy", "docs"].flatMap((folder) => filesIn(folder));
  const written = [...files.filter((path) => WRITTEN.test(path)), ...pages()].filter((path) => !EXEMPT.has(path));
  t.ok(written.length > 30, "the files are found");
  t.same(
    written.flatMap((path) => found(path, read(path))),
    [],
  );
});

t.test("a banned word is found with its line and replacement", async (t) => {
  t.same(found("a.ts", "one\n// a neighbor\n"), ['a.ts:2 "neighbor": neighbour']);
  t.equal(found("a.md", "TODO: later").length, 1);
});
