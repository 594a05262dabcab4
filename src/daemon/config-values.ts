import { z } from "zod";
import { parseClassicName } from "../federation/classic/server-name.js";
import { parseHostPort } from "./host-port.js";
import { keyHex, parseTarget } from "./target.js";

/* Values that stand at several keys of a config file. */

/** A text of which `isValid` holds; `expected` completes "expected …". */
export function text(isValid: (value: string) => boolean, expected: string) {
  return z.string({ error: expected }).refine(isValid, { error: expected });
}

export const hostPort = text(
  (value) => parseHostPort(value) !== undefined,
  "host:port, like 0.0.0.0:18100 or [::]:18100",
);
export const nodeKey = text((value) => parseTarget(value) !== undefined, "a node's name or its key of 64 hex digits");
export const domain = text(
  (value) => parseClassicName(value)?.port === undefined && parseClassicName(value.toLowerCase()) !== undefined,
  "a domain like example.org, or an IP address",
);
export const file = text((value) => value.startsWith("/"), "the path of a file, from /");
export const count = z
  .int({ error: "a whole number" })
  .min(1, { error: "1 or more" })
  .max(1_000_000, { error: "at most 1000000" });

/** Names and keys, as keys in hex. */
export function keySet(nodes: readonly string[]): ReadonlySet<string> {
  return new Set(nodes.map((value) => keyHex(parseTarget(value)!)));
}
