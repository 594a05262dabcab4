import { isIPv6 } from "node:net";
import type { FullPacket, QueryOutgoingPacket, ResponseOutgoingPacket } from "multicast-dns";
import { KEY_BYTES } from "../wire/limits.js";
import { base32Decode, base32Encode } from "../wire/name.js";

/**
 * A node as DNS-SD service (RFC 6763) in multicast DNS (RFC 6762):
 *
 *   _pinyon._tcp.local                    PTR   <base32 of the key>._pinyon._tcp.local
 *   <base32 of the key>._pinyon._tcp.local  SRV   port, <base32 of the key>.local
 *                                         TXT   v=1, key=<base32 of the key>, net=<network tag, hex>
 *   <base32 of the key>.local             A, AAAA
 */
export const SERVICE_NAME = "_pinyon._tcp.local";
const SERVICE_LIST_NAME = "_services._dns-sd._udp.local";
const VERSION = "1";

/** Seconds for which others may keep a record: those with an address, the others (RFC 6762, 10). */
const ADDRESS_TTL_S = 120;
const OTHER_TTL_S = 4_500;

/** Records of one message that are looked at; a node sends 20 at most. */
const RECORDS_MAX = 128;

/** A node on the LAN as its records say it. */
export interface Service {
  readonly key: Uint8Array;
  /** First 8 bytes of the SHA-512 of the network id, in hex. */
  readonly networkTag: string;
  readonly port: number;
  readonly addresses: readonly string[];
}

/** What a response says: the service, and whether it is on its way out. */
export interface Announcement extends Service {
  readonly isGoodbye: boolean;
}

type Record = NonNullable<FullPacket["answers"]>[number];

/** The records of `service`; with `isGoodbye` they are to be forgotten. */
export function serviceRecords(service: Service, isGoodbye: boolean): ResponseOutgoingPacket {
  const instance = instanceOf(service.key);
  const host = hostOf(service.key);
  const ttl = isGoodbye ? 0 : OTHER_TTL_S;
  const addressTtl = isGoodbye ? 0 : ADDRESS_TTL_S;
  const text = [`v=${VERSION}`, `key=${base32Encode(service.key)}`, `net=${service.networkTag}`];
  return {
    answers: [
      { name: SERVICE_LIST_NAME, type: "PTR", ttl, data: SERVICE_NAME },
      { name: SERVICE_NAME, type: "PTR", ttl, data: instance },
      { name: instance, type: "SRV", ttl: addressTtl, flush: true, data: { port: service.port, target: host } },
      { name: instance, type: "TXT", ttl, flush: true, data: text },
      ...service.addresses.map((data): Record => {
        return { name: host, type: isIPv6(data) ? "AAAA" : "A", ttl: addressTtl, flush: true, data };
      }),
    ],
  };
}

/** The query for this service. It lists the asker's own record as known, so that the asker does not answer itself. */
export function serviceQuery(key: Uint8Array): QueryOutgoingPacket {
  return {
    questions: [{ name: SERVICE_NAME, type: "PTR" }],
    answers: [{ name: SERVICE_NAME, type: "PTR", ttl: OTHER_TTL_S, data: instanceOf(key) }],
  };
}

/** True for a query that the records of the node with `key` answer, and whose asker does not know them (RFC 6762, 7.1). */
export function asksForService(query: FullPacket, key: Uint8Array): boolean {
  const instance = instanceOf(key);
  const names = [SERVICE_NAME, SERVICE_LIST_NAME, instance, hostOf(key)];
  const isAsked = (query.questions ?? []).some(({ name }) => names.includes(name.toLowerCase()));
  return isAsked && !recordsOf(query).some((record) => record.type === "PTR" && record.data === instance);
}

/** True where a response holds records of this service type, sound or not. */
export function concernsService(response: FullPacket): boolean {
  return recordsOf(response).some(({ name }) => name.toLowerCase().endsWith(SERVICE_NAME));
}

/** The nodes that a response announces whole: those with a sound SRV and TXT record. */
export function readAnnouncements(response: FullPacket): Announcement[] {
  const records = recordsOf(response);
  return records.flatMap((record) => {
    if (record.type !== "TXT" || !record.name.toLowerCase().endsWith(`.${SERVICE_NAME}`)) return [];
    const text = readText(record.data);
    const key = base32Decode(text.get("key") ?? "");
    const networkTag = text.get("net");
    const location = readLocation(records, record.name);
    if (text.get("v") !== VERSION || key?.length !== KEY_BYTES || networkTag === undefined) return [];
    if (location === undefined) return [];
    return [{ key, networkTag, ...location, isGoodbye: record.ttl === 0 }];
  });
}

function instanceOf(key: Uint8Array): string {
  return `${base32Encode(key)}.${SERVICE_NAME}`;
}

function hostOf(key: Uint8Array): string {
  return `${base32Encode(key)}.local`;
}

function readLocation(records: Record[], instance: string): { port: number; addresses: string[] } | undefined {
  for (const record of records) {
    if (record.type !== "SRV" || record.name !== instance || record.data.port === 0) continue;
    const { port, target } = record.data;
    const addresses = records.flatMap((candidate) =>
      (candidate.type === "A" || candidate.type === "AAAA") && candidate.name === target ? [candidate.data] : [],
    );
    return { port, addresses };
  }
  return undefined;
}

function recordsOf(packet: FullPacket): Record[] {
  return [...(packet.answers ?? []), ...(packet.additionals ?? [])].slice(0, RECORDS_MAX);
}

function readText(data: unknown): Map<string, string> {
  const text = new Map<string, string>();
  for (const part of Array.isArray(data) ? data : [data]) {
    const [name = "", ...value] = String(part).split("=");
    if (!text.has(name)) text.set(name, value.join("="));
  }
  return text;
}
