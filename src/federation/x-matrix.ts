import { SIGNATURES_MAX } from "./config.js";
import { FederationError } from "./errors.js";

/**
 * One signature of a request, as an `Authorization` header carries it (server-server API, "Request Authentication").
 * `origin` and `destination` are server names, `key` is `ed25519:` and a version, `sig` 64 bytes in unpadded base64.
 */
export interface XMatrix {
  readonly origin: string;
  readonly destination: string;
  readonly key: string;
  readonly sig: string;
}

const SCHEME = /^X-Matrix +/i;
/** `name=value`; the value is a quoted string, or a token with colons too: older servers quote no key id and no port. */
const PARAMETER =
  /([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*)"|([!#$%&'*+.^_`|~0-9A-Za-z:-]+))/y;
const COMMA = /[ \t]*,[ \t]*/y;

const SERVER_NAME = /^(?:[0-9A-Za-z.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;
/** An Ed25519 signature in unpadded base64 without stray bits, so that it is written in one way only. */
export const SIGNATURE = /^[0-9A-Za-z+/]{85}[AQgw]$/;
/** The id of a signing key: `ed25519:` and a version (appendices, "Signing Details" and "Identifier Grammar"). */
export const KEY_ID = /^ed25519:[0-9A-Za-z_]{1,128}$/;
/** What homeservers write, and `formatXMatrix`: read at once. It takes nothing that the parts below would not. */
const USUAL = usualForm();

/**
 * Reads every value of every `Authorization` header of a request: one signature each, all of one origin and for one
 * destination. Stricter than the specification in that `destination` must be there, and the syntax right. Parameters that
 * are unknown are left out, as the specification says, and so cannot be passed on. Throws `PINYON_AUTHORIZATION`.
 */
export function readXMatrix(values: readonly string[]): readonly XMatrix[] {
  if (values.length === 0) throw refusal("none is there");
  if (values.length > SIGNATURES_MAX) throw refusal(`${values.length} headers; at most ${SIGNATURES_MAX} are read`);
  const all = values.map(readOne);
  const [first] = all as [XMatrix];
  const keys = new Set<string>();
  for (const { origin, destination, key } of all) {
    if (origin !== first.origin) throw refusal(`origins ${first.origin} and ${origin}`);
    if (destination !== first.destination) throw refusal(`destinations ${first.destination} and ${destination}`);
    if (keys.has(key)) throw refusal(`two signatures by ${key}`);
    keys.add(key);
  }
  return all;
}

/** Throws `PINYON_ORIGIN` or `PINYON_DESTINATION` unless the signatures are of the server that sends, for the one that it sends to. */
export function requireParties(signatures: readonly XMatrix[], sender: string, receiver: string): void {
  for (const { origin, destination } of signatures) {
    if (origin !== sender) throw new FederationError("PINYON_ORIGIN", `signed by ${origin}, sent by ${sender}`);
    if (destination !== receiver) {
      throw new FederationError("PINYON_DESTINATION", `signed for ${destination}, sent to ${receiver}`);
    }
  }
}

/**
 * The value that says the same in the form that every homeserver reads: Dendrite's reader knows the scheme in this case only,
 * and Synapse's no empty elements. No value needs an escape.
 */
export function formatXMatrix({ origin, destination, key, sig }: XMatrix): string {
  return `X-Matrix origin="${origin}",key="${key}",sig="${sig}",destination="${destination}"`;
}

function readOne(value: string): XMatrix {
  const [, origin, before, key, sig, after] = USUAL.exec(value) ?? [];
  const destination = before ?? after;
  if (destination !== undefined && (before === undefined || after === undefined)) {
    return { origin: origin!, destination, key: key!, sig: sig! };
  }
  const parameters = readParameters(value);
  return {
    origin: parameterOf(parameters, "origin", SERVER_NAME),
    destination: parameterOf(parameters, "destination", SERVER_NAME),
    key: parameterOf(parameters, "key", KEY_ID),
    sig: parameterOf(parameters, "sig", SIGNATURE),
  };
}

/** The parameters by their names in lower case. No name may come twice: servers differ in which one they take. */
function readParameters(value: string): ReadonlyMap<string, string> {
  const scheme = SCHEME.exec(value);
  if (scheme === null) throw refusal("the scheme is not X-Matrix");
  const parameters = new Map<string, string>();
  let at = scheme[0].length;
  for (;;) {
    const parameter = matchAt(PARAMETER, value, at);
    if (parameter === null) throw refusal(`malformed at character ${at}`);
    const name = parameter[1]!.toLowerCase();
    if (parameters.has(name)) throw refusal(`${name} twice`);
    parameters.set(name, parameter[3] ?? parameter[2]!.replace(/\\(.)/g, "$1"));
    at += parameter[0].length;
    if (at === value.length) return parameters;
    const comma = matchAt(COMMA, value, at);
    if (comma === null) throw refusal(`malformed at character ${at}`);
    at += comma[0].length;
  }
}

function parameterOf(parameters: ReadonlyMap<string, string>, name: string, form: RegExp): string {
  const value = parameters.get(name);
  if (value === undefined) throw refusal(`no ${name}`);
  if (!form.test(value)) throw refusal(`malformed ${name}`);
  return value;
}

function matchAt(sticky: RegExp, text: string, at: number): RegExpExecArray | null {
  sticky.lastIndex = at;
  return sticky.exec(text);
}

/** Parameters in the order of the specification or in that of Synapse, which has the destination last, and values in quotes. */
function usualForm(): RegExp {
  const [name, key, signature] = [SERVER_NAME, KEY_ID, SIGNATURE].map(({ source }) => source.slice(1, -1));
  const destination = `(?:,destination="(${name})")?`;
  return new RegExp(`^X-Matrix origin="(${name})"${destination},key="(${key})",sig="(${signature})"${destination}$`);
}

function refusal(detail: string): FederationError {
  return new FederationError("PINYON_AUTHORIZATION", detail);
}
