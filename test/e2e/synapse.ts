import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Homeserver, type HomeserverOptions, REGISTRATION_SECRET, type Start } from "./homeserver.js";
import type { Json } from "./matrix-client.js";

/** What a homeserver under test has beside the configuration that connects it: read after that, so this wins. */
const FOR_TESTS = {
  registration_shared_secret: REGISTRATION_SECRET,
  allow_public_rooms_over_federation: true,
  room_list_publication_rules: [{ action: "allow" }],
  presence: { enabled: true },
  max_upload_size: "600M",
  url_preview_enabled: false,
  rc_message: unlimited(),
  rc_registration: unlimited(),
  rc_login: { address: unlimited(), account: unlimited(), failed_attempts: unlimited() },
  rc_joins: { local: unlimited(), remote: unlimited() },
  rc_joins_per_room: unlimited(),
  rc_invites: { per_room: unlimited(), per_user: unlimited(), per_issuer: unlimited() },
  rc_room_creation: unlimited(),
  rc_federation: { window_size: 1000, sleep_limit: 100_000, sleep_delay: 1, reject_limit: 100_000, concurrent: 100 },
  rc_media_create: unlimited(),
  rc_key_requests: unlimited(),
  rc_presence: { per_user: unlimited() },
  remote_media_download_per_second: "2000M",
  remote_media_download_burst_count: "4000M",
};

function unlimited(): { per_second: number; burst_count: number } {
  return { per_second: 10_000, burst_count: 10_000 };
}

export interface SynapseOptions extends HomeserverOptions {
  /** The Python that has it: `installSynapse`. */
  readonly python: string;
  /** What it has beside what all of these tests have. */
  readonly settings?: Json;
}

/** A Synapse; its folder holds `homeserver.yaml`. */
export class Synapse extends Homeserver {
  readonly #python: string;

  constructor(options: SynapseOptions) {
    super(options);
    this.#python = options.python;
    writeFileSync(join(this.folder, "tests.yaml"), JSON.stringify({ ...FOR_TESTS, ...options.settings }));
  }

  protected override startBy(): Start {
    const files = ["homeserver.yaml", "tests.yaml"].flatMap((file) => ["-c", join(this.folder, file)]);
    return { command: [this.#python, "-m", "synapse.app.homeserver", ...files], healthPath: "/health" };
  }
}
