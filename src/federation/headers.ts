import type { OutgoingHttpHeaders } from "node:http";
import { HEAD_BYTES_MAX, HEAD_FIELDS_MAX } from "./config.js";
import { FederationError } from "./errors.js";

/*
 * Heads of requests and answers, in the form of `rawHeaders`: names and values by turns, each field as it came. Only what is
 * listed here passes, so hop-by-hop fields (RFC 9110, section 7.6.1) and whatever a homeserver trusts from a proxy alone, such as
 * `X-Forwarded-For`, never do. `Host` and `Authorization` are written anew by whoever passes the head on.
 */

const REQUEST_FIELDS: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "content-encoding",
  "content-length",
  "content-type",
  "if-modified-since",
  "if-none-match",
  "range",
  "user-agent",
]);

/** No `location`: it would let one homeserver have another fetch any address, outside the overlay. */
const RESPONSE_FIELDS: ReadonlySet<string> = new Set([
  "accept-ranges",
  "age",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "date",
  "etag",
  "expires",
  "last-modified",
  "retry-after",
  "vary",
]);

/** Fields of which two may not stand in one head. */
const ONCE: ReadonlySet<string> = new Set(["content-length", "content-type", "host", "transfer-encoding"]);
/** Fields of a connection, which HTTP/2 forbids (RFC 9113, section 8.2.2). */
const HTTP1_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

const FIELD_NAME = /^:?[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** All control characters but the tab: NUL, CR and LF, with which a folded line or another field would begin. */
const CONTROL = /[^\t\x20-\x7e\x80-\uffff]/;
const LENGTH = /^\d{1,15}$/;
/** Bytes that a field takes beside its name and value: `: ` and the line's end. */
const FIELD_EXTRA_BYTES = 4;

/** The fields of a request that pass to the other side, by their names in lower case. */
export function passRequestHeaders(rawHeaders: readonly string[]): OutgoingHttpHeaders {
  return pass(rawHeaders, REQUEST_FIELDS);
}

/** The fields of an answer that pass. */
export function passResponseHeaders(rawHeaders: readonly string[]): OutgoingHttpHeaders {
  return pass(rawHeaders, RESPONSE_FIELDS);
}

/** Every value of a field, in the order received; `name` is in lower case. */
export function headerValues(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const each = rawHeaders[i]!;
    if (each.length === name.length && each.toLowerCase() === name) values.push(rawHeaders[i + 1]!);
  }
  return values;
}

/**
 * Refuses a head that two readers may read in two ways (RFC 9112, sections 5.2, 6.1 and 6.3), or that is too long: throws
 * `PINYON_HEADERS`. It is HTTP/2's where it has fields that begin with a colon.
 */
export function checkRawHeaders(rawHeaders: readonly string[]): void {
  if (rawHeaders.length > 2 * HEAD_FIELDS_MAX) throw refusal(`more than ${HEAD_FIELDS_MAX} fields`, TOO_LARGE);
  const seen = new Map<string, string>();
  let sizeBytes = 0;
  let ofHttp1: string | undefined;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    const value = rawHeaders[i + 1]!;
    sizeBytes += name.length + value.length + FIELD_EXTRA_BYTES;
    if (sizeBytes > HEAD_BYTES_MAX) throw refusal(`more than ${HEAD_BYTES_MAX} bytes`, TOO_LARGE);
    if (!FIELD_NAME.test(name)) throw refusal("a malformed name");
    if (CONTROL.test(value)) throw refusal(`a control character in ${name}`);
    if (HTTP1_FIELDS.has(name)) ofHttp1 = name;
    if (!ONCE.has(name) && !name.startsWith(":")) continue;
    if (seen.has(name)) throw refusal(`${name} twice`);
    seen.set(name, value);
  }
  checkFraming(seen);
  if (seen.has(":method") || seen.has(":status")) checkHttp2(seen, ofHttp1);
}

/** The end of the body must be where every reader finds it. */
function checkFraming(fields: ReadonlyMap<string, string>): void {
  const length = fields.get("content-length");
  const coding = fields.get("transfer-encoding");
  if (length !== undefined && !LENGTH.test(length)) throw refusal("a content-length that is no number");
  if (coding === undefined) return;
  if (length !== undefined) throw refusal("transfer-encoding beside content-length");
  if (coding.toLowerCase() !== "chunked") throw refusal("a transfer-encoding other than chunked");
}

function checkHttp2(fields: ReadonlyMap<string, string>, ofHttp1: string | undefined): void {
  if (ofHttp1 !== undefined) throw refusal(`${ofHttp1} in HTTP/2`);
  const host = fields.get("host");
  if (host !== undefined && host !== fields.get(":authority")) throw refusal("a host that is not the authority");
}

function pass(rawHeaders: readonly string[], allowed: ReadonlySet<string>): OutgoingHttpHeaders {
  const hopByHop = new Set<string>();
  for (const value of headerValues(rawHeaders, "connection")) {
    for (const option of value.split(",")) hopByHop.add(option.trim().toLowerCase());
  }
  const passed: Record<string, string> = {};
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (!allowed.has(name) || hopByHop.has(name)) continue;
    // Several fields of one name are one list (RFC 9110, section 5.3).
    const value = rawHeaders[i + 1]!;
    passed[name] = passed[name] === undefined ? value : `${passed[name]}, ${value}`;
  }
  return passed;
}

/** "Request Header Fields Too Large" (RFC 6585, section 5). */
const TOO_LARGE = { status: 431 };

function refusal(detail: string, options: { readonly status?: number } = {}): FederationError {
  return new FederationError("PINYON_HEADERS", detail, options);
}
