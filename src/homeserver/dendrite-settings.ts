import { join } from "node:path";
import { formatEndpoint } from "../daemon/endpoint.js";
import { CREDENTIAL_USER } from "../federation/credential.js";
import type { Join } from "./homeserver.js";
import type { Setting } from "./yaml-edit.js";

/** The file with the environment that Dendrite is started in. */
export const DENDRITE_ENVIRONMENT = "pinyon.env";

/**
 * What makes Dendrite ask a server itself for its keys, which the node answers for and verifies by the name, and nobody
 * else. Its own are good for 30 days, so that its events verify while it is away. TLS is validated against the node's own
 * certificate authority.
 *
 * A server of the classic federation goes on in it as before, but that it asks a server itself before others: nobody else knows the keys of
 * the overlay.
 */
export function dendriteSettings({ name }: Pick<Join, "name">): Setting[] {
  const direct: Setting = { path: ["federation_api", "prefer_direct_fetch"], value: true };
  if (name !== undefined) return [direct];
  return [
    { path: ["federation_api", "disable_tls_validation"], value: false },
    direct,
    { path: ["federation_api", "key_perspectives"], value: [] },
    { path: ["global", "key_validity_period"], value: "720h0m0s" },
  ];
}

/** The environment that makes Dendrite hand its federation to the node: it has no setting for a proxy. */
export function dendriteEnvironment(stateFolder: string, { listen, secret }: Join): string {
  return [
    "# Written by `pinyon homeserver connect dendrite`. Dendrite must be started with these variables:",
    "# `EnvironmentFile=` in its systemd unit, or `set -a; . FILE; set +a` in a shell.",
    `HTTPS_PROXY=http://${CREDENTIAL_USER}:${secret}@${formatEndpoint(listen)}`,
    "NO_PROXY=localhost,127.0.0.1,::1",
    `SSL_CERT_FILE=${caPath(stateFolder)}`,
    "",
  ].join("\n");
}

/** The certificate authority of a node, for the names of the overlay. */
function caPath(stateFolder: string): string {
  return join(stateFolder, "ca.pem");
}
