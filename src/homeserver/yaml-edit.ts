import { isDeepStrictEqual } from "node:util";
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";

/*
 * Edits of a YAML file that leave everything else in it as a person wrote it: the text is spliced at the places that the
 * parser tells, never written anew. Whatever was spliced is parsed again and must say what was wanted and nothing else, so
 * that a form nobody thought of is refused and not broken.
 */

export type YamlValue = string | number | boolean | readonly YamlValue[] | { readonly [key: string]: YamlValue };

/** One setting: a top-level key, or a key in a top-level mapping, and what it is to be. */
export interface Setting {
  readonly path: readonly [string] | readonly [string, string];
  readonly value: YamlValue;
}

/** What a YAML file says. */
export type YamlMapping = { readonly [key: string]: unknown };

/** Comment lines around what is added at the end of a file. */
export interface Marks {
  readonly begin: string;
  readonly end: string;
}

type Parsed = Document.Parsed;
type Item = Pair<Node, Node | null>;

/** Part of a text to take out, and what to put there. */
interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Words that YAML 1.1 or 1.2 take for something else than a text. */
const NO_TEXT = /^(?:y|yes|n|no|true|false|on|off|null|nan|inf)$/i;
/** Words and durations; what is longer is a secret or a name, and quoted. */
const PLAIN = /^(?:[A-Za-z_][\w./-]{0,39}|\d+[smhdwy])$/;

/** Reads a mapping. Throws an `Error` that names the line where `text` is no YAML or no mapping. */
export function readYaml(text: string): YamlMapping {
  const value: unknown = parse(text).toJS();
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw new Error("it has no lines of the form `key: value`");
  return value as YamlMapping;
}

/**
 * The text with settings made. A key that stands there is replaced in its place, one that a mapping lacks is added to the
 * mapping, and new top-level keys follow at the end between the marks. Throws an `Error` with the reason where that cannot be
 * done without changing anything else.
 */
export function withSettings(text: string, settings: readonly Setting[], marks: Marks): string {
  const expected = structuredClone(readYaml(text)) as Record<string, unknown>;
  const added: Setting[] = [];
  let edited = text;
  for (const setting of settings) {
    put(expected, setting);
    const splice = spliceFor(edited, setting);
    if (splice === undefined) added.push(setting);
    else edited = edited.slice(0, splice.from) + splice.text + edited.slice(splice.to);
  }
  if (added.length > 0) edited = append(edited, added, marks);
  if (!saysTheSame(edited, expected)) {
    const keys = settings.map(({ path }) => `\`${path.join(".")}\``).join(", ");
    throw new Error(`it has a form that cannot be edited safely: set ${keys} by hand`);
  }
  return edited;
}

/** Settings as lines of YAML, for a new file or the end of one. */
function settingLines(settings: readonly Setting[]): string[] {
  const sections = new Map<string, YamlValue>();
  for (const { path, value } of settings) {
    const [key, child] = path;
    const section = sections.get(key) as Record<string, YamlValue> | undefined;
    sections.set(key, child === undefined ? value : { ...section, [child]: value });
  }
  return [...sections].flatMap(([key, value]) => {
    if (typeof value !== "object" || Array.isArray(value)) return [`${flow(key)}: ${flow(value)}`];
    return [`${flow(key)}:`, ...Object.entries(value).map(([child, inner]) => `  ${flow(child)}: ${flow(inner)}`)];
  });
}

/** A value on one line. */
export function flow(value: YamlValue): string {
  if (typeof value === "string") return PLAIN.test(value) && !NO_TEXT.test(value) ? value : JSON.stringify(value);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  const entries = Object.entries(value).map(([key, inner]) => `${flow(key)}: ${flow(inner as YamlValue)}`);
  return `{${entries.join(", ")}}`;
}

/** What a parser says in its own terms. */
const WHAT: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: "a second document begins here",
  DUPLICATE_KEY: "this key stands in the file a second time",
};

/** YAML 1.1 is what homeservers read; for the files in question it differs from 1.2 in `<<` and words like `yes`. */
function parse(text: string): Parsed {
  const lines = new LineCounter();
  const document = parseDocument(text, { version: "1.1", lineCounter: lines, prettyErrors: false, logLevel: "error" });
  const [error] = document.errors;
  if (error === undefined) return document;
  const what = WHAT[error.code] ?? error.message;
  throw new Error(`line ${lines.linePos(error.pos[0]).line}: ${what.split("\n")[0]}`);
}

function put(value: Record<string, unknown>, { path: [key, child], value: wanted }: Setting): void {
  const own = structuredClone(wanted);
  const section = value[key];
  if (child === undefined) value[key] = own;
  else if (typeof section === "object" && section !== null) (section as Record<string, unknown>)[child] = own;
  else value[key] = { [child]: own };
}

function saysTheSame(text: string, expected: unknown): boolean {
  try {
    return isDeepStrictEqual(readYaml(text), expected);
  } catch {
    return false;
  }
}

/** How one setting is made where its top-level key stands; undefined where that is new. */
function spliceFor(text: string, { path: [key, child], value }: Setting): Splice | undefined {
  const document = parse(text);
  const root = document.contents as Node | null;
  if (root === null || (isScalar(root) && root.value === null)) return undefined;
  if (!isMap(root)) throw new Error("it has no lines of the form `key: value`");
  const item = find(root, key);
  if (item === undefined) {
    return root.flow ? addToFlow(root, key, child === undefined ? value : { [child]: value }) : undefined;
  }
  if (child === undefined) return replaceValue(text, document, item, value);
  const section = item.value;
  if (isMap(section)) {
    const inner = find(section, child);
    if (inner !== undefined) return replaceValue(text, document, inner, value);
    return section.flow ? addToFlow(section, child, value) : addToBlock(text, section, child, value);
  }
  if (isAlias(section)) throw new Error(`\`${key}\` is an alias of YAML: set \`${key}.${child}\` by hand`);
  if (section !== null && !(isScalar(section) && section.value === null)) {
    throw new Error(`\`${key}\` is no mapping, so \`${key}.${child}\` cannot be set`);
  }
  if (root.flow || !isEmpty(section)) return replaceValue(text, document, item, { [child]: value });
  return addFirst(text, item, child, value);
}

function find(map: YAMLMap<unknown, unknown>, key: string): Item | undefined {
  return map.items.find(({ key: node }) => isScalar(node) && String(node.value) === key) as Item | undefined;
}

/** A value of which nothing is written: `key:`. */
function isEmpty(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null && node.range?.[0] === node.range?.[1]);
}

function replaceValue(text: string, document: Parsed, { key, value: node }: Item, value: YamlValue): Splice {
  const colon = text.indexOf(":", key.range![1]) + 1;
  if (node === null || isEmpty(node)) return { from: colon, to: colon, text: ` ${flow(value)}` };
  if (isDeepStrictEqual(node.toJS(document), value)) return { from: colon, to: colon, text: "" };
  const [from, valueEnd] = node.range!;
  const to = isCollection(node) ? blockEnd(text, node) : valueEnd;
  // What stands between the colon and the lines of a block, a comment say, stays.
  if (isCollection(node) && !node.flow)
    return { from: colon, to, text: ` ${flow(value)}${text.slice(colon, lineStart(text, from))}` };
  return { from, to, text: flow(value) + (text[to - 1] === "\n" ? eolOf(text) : "") };
}

function addToFlow(map: YAMLMap<unknown, unknown>, key: string, value: YamlValue): Splice {
  const last = map.items.at(-1) as Item | undefined;
  const entry = `${flow(key)}: ${flow(value)}`;
  const at = last === undefined ? map.range![0] + 1 : (last.value ?? last.key).range![1];
  return { from: at, to: at, text: last === undefined ? entry : `, ${entry}` };
}

function addToBlock(text: string, map: YAMLMap<unknown, unknown>, key: string, value: YamlValue): Splice {
  const at = blockEnd(text, map);
  const indent = indentOf(text, (map.items[0] as Item).key);
  const line = `${indent}${flow(key)}: ${flow(value)}${eolOf(text)}`;
  return { from: at, to: at, text: text[at - 1] === "\n" ? line : eolOf(text) + line };
}

/** Below a key of which nothing but comments is written. */
function addFirst(text: string, { key: node }: Item, key: string, value: YamlValue): Splice {
  const newline = text.indexOf("\n", node.range![1]);
  const at = newline < 0 ? text.length : newline + 1;
  const line = `${indentOf(text, node)}  ${flow(key)}: ${flow(value)}${eolOf(text)}`;
  return { from: at, to: at, text: newline < 0 ? eolOf(text) + line : line };
}

/** Where a mapping or list ends. Where its last value is empty, the parser counts the comments after that in. */
function blockEnd(text: string, node: YAMLMap<unknown, unknown> | YAMLSeq): number {
  const [from, to] = node.range!;
  let last: unknown = node;
  while (isCollection(last)) {
    if (last.flow) return to;
    const item: unknown = last.items.at(-1);
    last = isPair(item) ? item.value : item;
  }
  if (!isEmpty(last as Node | null)) return to;
  return from + text.slice(from, to).replace(/(\n)(?:[ \t]*(?:#.*)?(?:\r?\n|$))*$/, "$1").length;
}

function append(text: string, added: readonly Setting[], marks: Marks): string {
  const eol = eolOf(text);
  const root = parse(text).contents as Node | null;
  const first = isMap(root) ? (root.items[0] as Item | undefined) : undefined;
  const indent = first === undefined ? "" : indentOf(text, first.key);
  // A line `...` ends the document; after it nothing may follow.
  const endMark = /^\.\.\.(?=\s|$)/m.exec(text.slice(root?.range?.[1] ?? 0));
  const at = endMark === null ? text.length : (root?.range?.[1] ?? 0) + endMark.index;
  const head = text.slice(0, at);
  const lines = [`# ${marks.begin}`, ...settingLines(added), `# ${marks.end}`].map((line) => indent + line + eol);
  return `${head}${head === "" || head.endsWith("\n") ? "" : eol}${lines.join("")}${text.slice(at)}`;
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

/** The white space before a node that is the first of its line. */
function indentOf(text: string, node: Node): string {
  const from = node.range![0];
  return /^ */.exec(text.slice(lineStart(text, from), from))![0];
}

/** How lines end in a text. */
function eolOf(text: string): string {
  return text.includes("\r\n") ? "\r\n" : "\n";
}
