import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The repository as the tests of this folder read it: its files, and TypeScript without comments and texts. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

export const PURE_FOLDERS: readonly string[] = ["src/wire", "src/crypto", "src/router", "src/session", "src/node"];

/** What git ignores, and git itself. */
const IGNORED = new Set([".git", ".tap", "build", "node_modules"]);

/** Paths of the files below a folder, from the root, in order; none where there is no such folder. */
export function filesIn(folder: string, extension = ""): string[] {
  let names: string[];
  try {
    names = readdirSync(ROOT + folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath.slice(ROOT.length)}/${entry.name}`);
  } catch {
    return [];
  }
  return names.filter((name) => name.endsWith(extension) && !IGNORED.has(name.split("/")[0]!)).sort();
}

/** Files and folders at the top, without what git ignores. */
export const topLevel = (): string[] =>
  readdirSync(ROOT).filter((name) => !IGNORED.has(name) && !name.endsWith(".log"));

export const sources = (...folders: string[]): string[] => folders.flatMap((folder) => filesIn(folder, ".ts"));

/** The pages at the top and in the folders. */
export const pages = (): string[] => [
  ...topLevel().filter((name) => name.endsWith(".md")),
  ...["src", "sim", "test", "deploy", "docs"].flatMap((folder) => filesIn(folder, ".md")),
];

export const read = (path: string): string => readFileSync(ROOT + path, "utf8");

/** A comment, a text in quotes, or a template without nested templates. */
const COMMENT = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/;
const TEXT = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/;
const EITHER = new RegExp(`(${COMMENT.source})|(${TEXT.source})`, "g");
const blank = (text: string): string => text.replace(/[^\n]/g, " ");

/** TypeScript with its comments blanked, so that lines keep their numbers. */
export const withoutComments = (source: string): string =>
  source.replace(EITHER, (match, comment: string | undefined) => (comment === undefined ? match : blank(match)));

/** TypeScript with comments and quoted texts blanked. */
export const codeOnly = (source: string): string => source.replace(EITHER, blank);

export const lineOf = (source: string, at: number): number => source.slice(0, at).split("\n").length;

/** One import or export of another module. */
export interface Import {
  /** As written: `./peer.js`, `node:fs`, `lru-cache`. */
  readonly specifier: string;
  /** For a relative specifier, the file from the root: `src/router/peer.ts`. */
  readonly file: string | undefined;
  /** Only types: nothing of it is there at run time. */
  readonly typeOnly: boolean;
  /** By `import()`, when it is wanted. */
  readonly lazy: boolean;
}

const STATEMENT = /\b(?:import|export)\s+(type\s)?(?:[\w*{][^;"']*?\sfrom\s*)?"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/g;

export function importsOf(path: string, source = read(path)): Import[] {
  return [...withoutComments(source).matchAll(STATEMENT)].map((match) => {
    const specifier = (match[2] ?? match[3])!;
    const relative = specifier.startsWith(".");
    const file = relative ? new URL(specifier, `file:///${path}`).pathname.slice(1).replace(/\.js$/, ".ts") : undefined;
    return { specifier, file, typeOnly: match[1] !== undefined, lazy: match[3] !== undefined };
  });
}
