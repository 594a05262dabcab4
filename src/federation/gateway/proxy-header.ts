import { isIPv4, isIPv6 } from "node:net";
import type { Reading } from "../beginning.js";
import { PROXY_HEADER_BYTES_MAX } from "./config.js";
import { plainAddress } from "./source.js";

/*
 * The PROXY protocol (HAProxy's specification, versions 1 and 2): what a front, such as a load balancer, says before a connection's first byte
 * of whom it is for. Version 2 is what HAProxy is told to speak; nginx speaks version 1 alone, a line of text.
 */

/** Whom a connection is for. */
export interface Proxied {
  /** Undefined where the front speaks for itself, as it does when it looks whether this node is alive. */
  readonly address: string | undefined;
}

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const HEAD_BYTES = 16;
const LOCAL = 0x20;
const PROXY = 0x21;
const UNSPECIFIED = 0x00;
/** TCP over IPv4 and IPv6: bytes of an address, and of both addresses and ports. */
const FAMILIES: Readonly<Record<number, readonly [addressBytes: number, bytesMin: number]>> = {
  17: [4, 12],
  33: [16, 36],
};
const WORD = Buffer.from("PROXY ", "latin1");
const LINE_BYTES_MAX = 107;
const LINE =
  /^PROXY (?:UNKNOWN(?: [ -~]*)?|TCP([46]) ([0-9a-fA-F:.]+) ([0-9a-fA-F:.]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4}))\r\n$/;

/** Reads the header at the front of `bytes`, in either version. Strict: undefined where it is in any way another. */
export function readProxyHeader(bytes: Buffer): Reading<Proxied> {
  if (isBeginningOf(bytes, SIGNATURE)) return readBinary(bytes);
  return isBeginningOf(bytes, WORD) ? readLine(bytes) : undefined;
}

/** True for what begins as a header, of either version. */
export function isProxyHeader(bytes: Buffer): boolean {
  return [SIGNATURE, WORD].some((each) => bytes.length >= each.length && isBeginningOf(bytes, each));
}

function isBeginningOf(bytes: Buffer, expected: Buffer): boolean {
  const sizeBytes = Math.min(bytes.length, expected.length);
  return bytes.subarray(0, sizeBytes).equals(expected.subarray(0, sizeBytes));
}

/** Version 2. What follows the addresses (type, length, value) says nothing that is needed here. */
function readBinary(bytes: Buffer): Reading<Proxied> {
  if (bytes.length < HEAD_BYTES) return "more";
  const [command, family, length] = [bytes[12]!, bytes[13]!, bytes.readUInt16BE(14)];
  const takenBytes = HEAD_BYTES + length;
  if ((command !== LOCAL && command !== PROXY) || takenBytes > PROXY_HEADER_BYTES_MAX) return undefined;
  const isNamed = command === PROXY && family !== UNSPECIFIED;
  const [addressBytes, bytesMin] = FAMILIES[family] ?? [0, Number.POSITIVE_INFINITY];
  if (isNamed && length < bytesMin) return undefined;
  if (bytes.length < takenBytes) return "more";
  const source = bytes.subarray(HEAD_BYTES, HEAD_BYTES + addressBytes);
  return { found: { address: isNamed ? addressOf(source) : undefined }, takenBytes };
}

/** Version 1. */
function readLine(bytes: Buffer): Reading<Proxied> {
  const end = bytes.subarray(0, LINE_BYTES_MAX).indexOf("\n");
  if (end < 0) return bytes.length < LINE_BYTES_MAX ? "more" : undefined;
  const match = LINE.exec(bytes.toString("latin1", 0, end + 1));
  if (match === null) return undefined;
  const [, version, ...fields] = match;
  const takenBytes = end + 1;
  if (version === undefined) return { found: { address: undefined }, takenBytes };
  const isAddress = version === "4" ? isIPv4 : isIPv6;
  const [source = "", target = "", ...ports] = fields;
  const isGood = isAddress(source) && isAddress(target) && ports.every((port) => Number(port) <= 65_535);
  return isGood ? { found: { address: plainAddress(source) }, takenBytes } : undefined;
}

function addressOf(source: Buffer): string | undefined {
  if (source.length === 4) return source.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => source.readUInt16BE(2 * i).toString(16));
  return plainAddress(groups.join(":"));
}
