import { readFileSync } from "node:fs";
import { type Document, isMap, isPair, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import type { z } from "zod";
import { type Config, ConfigSchema, configKeys, defaultConfig, resolveConfig } from "./config.js";
import { ErrorCode, messageOf, PinyonError, systemCode } from "./errors.js";

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Characters of a found value that an error quotes. */
const FOUND_CHARS_MAX = 60;
/** Keys whose value no error shows. */
const SECRET_KEYS: ReadonlySet<string> = new Set(["network.secret", "homeserver.secret"]);

/** What completes "expected …" where a file is not YAML, by the parser's code. */
const EXPECTED_YAML: Readonly<Record<string, string>> = { DUPLICATE_KEY: "each key once", TAB_AS_INDENT: "spaces" };

/** One fault of a config file. */
export interface ConfigProblem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Dotted, with indexes: `peers[1]`; empty for the file as a whole. */
  readonly key: string;
  /** What stands there, shortened. */
  readonly found: string;
  /** What should; completes "expected …". */
  readonly expected: string;
}

/** All faults of a config file at once. */
export class ConfigError extends PinyonError {
  constructor(readonly problems: readonly ConfigProblem[]) {
    super(ErrorCode.CONFIG, problems.map(problemText).join("\n"));
  }
}

function problemText({ file, line, key, found, expected }: ConfigProblem): string {
  const what = key === "" ? found : `\`${key}\` is ${found}`;
  return `${file}:${line}: ${what}: expected ${expected}`;
}

/** Reads a config file. Throws `ConfigError` with all its faults, or `PinyonError` where it cannot be read. */
export function readConfig(file: string): Config {
  try {
    return parseConfig(readFileSync(file, "utf8"), file);
  } catch (error) {
    if (error instanceof PinyonError) throw error;
    const reasons: Readonly<Record<string, string>> = { ENOENT: "there is no such file", EISDIR: "it is a folder" };
    const reason = reasons[systemCode(error) ?? ""] ?? messageOf(error);
    throw new PinyonError(ErrorCode.CONFIG, `${file}: ${reason}: expected a config file; \`pinyon init\` writes one`);
  }
}

/** The same of a text; `file` stands in errors. */
export function parseConfig(text: string, file: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
  const at = (offset: number) => lines.linePos(offset).line;
  const notYaml = (line: number, message: string, expected: string): ConfigProblem => {
    return { file, line, key: "", found: message.split("\n")[0] ?? "", expected };
  };
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map(({ pos, message, code }) => notYaml(at(pos[0]), message, EXPECTED_YAML[code] ?? "YAML")),
    );
  }
  let value: unknown;
  try {
    value = withoutNulls(document.toJS());
  } catch (error) {
    // An alias without its anchor, or too many of them.
    throw new ConfigError([notYaml(1, messageOf(error), "YAML")]);
  }
  if (value === undefined) return defaultConfig();
  const result = ConfigSchema.safeParse(value);
  if (result.success) return resolveConfig(result.data);
  const located = result.error.issues.flatMap((issue) => problemsOf(issue, document, value));
  throw new ConfigError(
    located
      .map(({ offset, ...problem }) => ({ file, line: at(offset), ...problem }))
      .sort((one, other) => one.line - other.line),
  );
}

/** A key with nothing after it, its list commented out, is unset. */
function withoutNulls(value: unknown): unknown {
  if (value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value as object)
      .map(([key, child]) => [key, withoutNulls(child)] as const)
      .filter(([, child]) => child !== undefined),
  );
}

type Located = Omit<ConfigProblem, "file" | "line"> & { readonly offset: number };

function problemsOf(issue: Issue, document: Document.Parsed, value: unknown): Located[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((name) => ({
      key: pathText([...issue.path, name]),
      found: "unknown",
      expected: expectedKey(issue.path, name),
      offset: offsetOfKey(document, issue.path, name),
    }));
  }
  const key = pathText(issue.path);
  const found = SECRET_KEYS.has(key) ? "not usable (its value is not shown)" : show(valueAt(value, issue.path));
  const expected = issue.path.length === 0 || isSection(key) ? "lines of the form `key: value`" : issue.message;
  return [{ key, found, expected, offset: offsetOf(document, issue.path) }];
}

/** `["peers", 1]` as `peers[1]`. */
function pathText(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? String(part) : `${text}.${String(part)}`;
  }, "");
}

function isSection(key: string): boolean {
  return configKeys().some((known) => known.key.startsWith(`${key}.`));
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce((inner, part) => (inner as Record<PropertyKey, unknown> | undefined)?.[part], value);
}

/** A found value in quotes, one line, with what a peer URI keeps secret left out. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  const open = text.replace(/(password=)[^&"]*/g, "$1…");
  return open.length > FOUND_CHARS_MAX ? `${open.slice(0, FOUND_CHARS_MAX)}…` : open;
}

function offsetOf(document: Document.Parsed, path: Path): number {
  const node = path.length === 0 ? document.contents : document.getIn(path, true);
  return (node as Node | null | undefined)?.range?.[0] ?? 0;
}

function offsetOfKey(document: Document.Parsed, path: Path, name: string): number {
  const map = path.length === 0 ? document.contents : document.getIn(path, true);
  if (!isMap(map)) return 0;
  const pair = map.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === name);
  return (pair?.key as Node | undefined)?.range?.[0] ?? 0;
}

/** The known key nearest to an unknown one, or the list of those that may stand there. */
function expectedKey(path: Path, name: string): string {
  const prefix = path.length === 0 ? "" : `${pathText(path)}.`;
  const known = configKeys().map(({ key }) => key);
  const here = [...new Set(known.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)))];
  const siblings = [...new Set(here.map((key) => key.split(".")[0] ?? key))];
  const nearest = siblings
    .map((key) => ({ key, distance: editDistance(key, name) }))
    .sort((one, other) => one.distance - other.distance)[0];
  if (nearest !== undefined && nearest.distance <= Math.max(2, Math.floor(name.length / 3))) {
    return `\`${prefix}${nearest.key}\`, which is the nearest known key`;
  }
  const elsewhere = known.find((key) => key.split(".").at(-1) === name);
  if (elsewhere !== undefined) return `it as \`${elsewhere}\``;
  return `one of ${siblings.map((key) => `\`${prefix}${key}\``).join(", ")}`;
}

/** Letters to insert, delete, change or swap to make one word of the other. */
function editDistance(one: string, other: string): number {
  let before: number[] = [];
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1];
      let least = Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1));
      if (one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) least = Math.min(least, (before[j - 2] ?? 0) + 1);
      next.push(least);
    }
    before = row;
    row = next;
  }
  return row[other.length] ?? 0;
}
