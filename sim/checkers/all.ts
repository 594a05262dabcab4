import type { MakeChecker } from "./checker.js";
import { circles } from "./circles.js";
import { coordinates } from "./coordinates.js";
import { counters } from "./counters.js";
import { delivery } from "./delivery.js";
import { fates } from "./fates.js";
import { hops } from "./hops.js";
import { idleTraffic } from "./idle-traffic.js";
import { limits } from "./limits.js";
import { locators } from "./locators.js";
import { loops } from "./loops.js";
import { ownPath } from "./own-path.js";
import { queues } from "./queues.js";
import { secrets } from "./secrets.js";
import { streams } from "./streams.js";
import { tables } from "./tables.js";
import { views } from "./views.js";

/** Every checker, by the name that violations bear. `reach` is the liveness of `fuzz` itself. */
export const CHECKERS: Readonly<Record<string, MakeChecker>> = {
  delivery,
  loops,
  "own-path": ownPath,
  circles,
  coordinates,
  tables,
  hops,
  streams,
  secrets,
  queues,
  limits,
  locators,
  "idle-traffic": idleTraffic,
  views,
  counters,
  fates,
};
