import { DENDRITE } from "./dendrite.js";
import type { Homeserver } from "./homeserver.js";
import type { Kind } from "./kind.js";
import { SYNAPSE } from "./synapse.js";

export const HOMESERVERS: Readonly<Record<Kind, Homeserver>> = { synapse: SYNAPSE, dendrite: DENDRITE };
