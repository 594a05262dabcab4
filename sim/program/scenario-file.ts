import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { z } from "zod";
import type { Scenario } from "../scenario.js";
import { nearest } from "./nearest.js";
import { HAPPENINGS, keysAt, SCENARIO } from "./scenario-schema.js";

type Issue = z.core.$ZodIssue;

/** A file that holds no scenario: a line for each fault, with its place, what is there and what is expected. */
export class ScenarioFileError extends Error {}

/** Reads a scenario from a JSON or YAML file. Throws a ScenarioFileError, also where there is no such file. */
export function readScenario(file: string): Scenario {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ScenarioFileError(`${file} cannot be read: ${(error as Error).message}`);
  }
  let value: unknown;
  try {
    // JSON is YAML.
    value = parse(text);
  } catch (error) {
    throw new ScenarioFileError(`${file} is neither JSON nor YAML: ${(error as Error).message}`);
  }
  const faults = faultsOf(value);
  if (faults.length > 0) throw new ScenarioFileError([`${file} is no scenario:`, ...faults].join("\n  "));
  const scenario = value as Partial<Scenario>;
  return { name: file, about: "", contactsPerS: 20, events: [], ...scenario } as Scenario;
}

function faultsOf(value: unknown): string[] {
  const result = SCENARIO.safeParse(value);
  const faults = result.success ? [] : result.error.issues.flatMap((issue) => textsOf(issue, [], value));
  const events = (value as { events?: unknown } | undefined)?.events;
  if (Array.isArray(events)) for (const [i, event] of events.entries()) faults.push(...eventFaults(event, i, value));
  return faults.length > 0 ? faults : placeFaults(value as Scenario);
}

function eventFaults(event: unknown, i: number, value: unknown): string[] {
  const what = (event as { do?: unknown } | undefined)?.do;
  const schema = typeof what === "string" && Object.hasOwn(HAPPENINGS, what) ? HAPPENINGS[what] : undefined;
  if (schema === undefined) return [faultText(["events", i, "do"], what, oneOf(Object.keys(HAPPENINGS), what))];
  const result = schema.safeParse(event);
  return result.success ? [] : result.error.issues.flatMap((issue) => textsOf(issue, ["events", i], value));
}

/** What no schema sees: that what is named is there. */
function placeFaults({ graph, forS, flows = 0, ground = [], events = [] }: Scenario): string[] {
  const faults: string[] = [];
  const check = (path: PropertyKey[], node: number) => {
    if (node >= graph.nodes)
      faults.push(faultText(path, node, `a node below ${graph.nodes}, as many as the graph has`));
  };
  for (const [i, node] of ground.entries()) check(["ground", i], node);
  for (const [i, event] of events.entries()) {
    if (event.atS > forS) faults.push(faultText(["events", i, "atS"], event.atS, `a time within the run of ${forS} s`));
    const nodes = "nodes" in event ? event.nodes : "between" in event ? event.between : [];
    if (Array.isArray(nodes)) for (const [j, node] of nodes.entries()) check(["events", i, "nodes", j], node);
    else if ("relayOf" in nodes && nodes.relayOf >= flows)
      faults.push(faultText(["events", i, "nodes", "relayOf"], nodes.relayOf, `a flow below ${flows}, see \`flows\``));
  }
  return faults;
}

function textsOf(issue: Issue, at: readonly PropertyKey[], value: unknown): string[] {
  const path = [...at, ...issue.path];
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((name) => `${pathText([...path, name])} is not known: ${oneOf(keysAt(path, value), name)}`);
  const found = path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);
  const near = issue.code === "invalid_value" ? nearest(String(found), issue.values.map(String)) : undefined;
  return [
    faultText(path, found, near === undefined ? issue.message : `\`${near}\`, the nearest of them; ${issue.message}`),
  ];
}

function faultText(path: readonly PropertyKey[], found: unknown, expected: string): string {
  const what = found === undefined ? "is missing" : `is ${JSON.stringify(found).slice(0, 60)}`;
  return `${pathText(path)} ${what}: expected ${expected}`;
}

function oneOf(known: readonly string[], name: unknown): string {
  const near = nearest(String(name), known);
  return near === undefined ? `one of ${known.join(", ")}` : `\`${near}\` is the nearest of ${known.join(", ")}`;
}

/** `["events", 1, "do"]` as `events[1].do`. */
function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return "the file";
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? String(part) : `${text}.${String(part)}`;
  }, "");
}
