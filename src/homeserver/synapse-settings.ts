import { type Endpoint, parseEndpoint } from "../daemon/endpoint.js";
import { isMapping } from "./examine.js";
import type { Join } from "./homeserver.js";
import type { Setting, YamlValue } from "./yaml-edit.js";

/** The daemon's name in Synapse's `instance_map`. */
export const INSTANCE = "overlay";

/**
 * What makes Synapse (1.89 or newer) hand all its federation to the daemon, and ask again within seconds of a server's return.
 * It trusts no key server, since the key of a name stands in the name; what it has fetched is good for 30 days, so that events
 * of servers that are away still verify. `destination_max_retry_interval` is below the hour above which Synapse drops
 * queued typing, receipts and presence.
 *
 * A server of the classic federation goes on in it as before: the way out alone is another one.
 */
export function synapseSettings({ name, listen, secret }: Omit<Join, "url">): Setting[] {
  const federation = (key: string, value: YamlValue): Setting => ({ path: ["federation", key], value });
  const wayOut: Setting[] = [
    { path: ["instance_map", INSTANCE], value: instance(listen) },
    { path: ["outbound_federation_restricted_to"], value: [INSTANCE] },
    { path: ["worker_replication_secret"], value: secret },
  ];
  if (name !== undefined) return wayOut;
  return [
    ...wayOut,
    { path: ["trusted_key_servers"], value: [] },
    { path: ["suppress_key_server_warning"], value: true },
    { path: ["key_refresh_interval"], value: "30d" },
    federation("max_long_retry_delay", "5s"),
    federation("max_long_retries", 720),
    federation("destination_min_retry_interval", "30s"),
    federation("destination_max_retry_interval", "5m"),
  ];
}

function instance(listen: Endpoint): YamlValue {
  return "path" in listen ? { path: listen.path } : { host: listen.host, port: listen.port };
}

/** The inverse of `instance`; undefined where a person wrote something else. */
export function instanceEndpoint(value: unknown): Endpoint | undefined {
  if (!isMapping(value)) return undefined;
  const { path, host, port } = value;
  return parseEndpoint(typeof path === "string" ? `unix:${path}` : `${host}:${port}`);
}
