import type { Scenario } from "../scenario.js";
import { ATTACKS } from "./attacks.js";
import { EVENTS } from "./events.js";
import { LIES } from "./lies.js";

/** Scenarios that can be named; a file may hold another of the same form. */
export const SCENARIOS: readonly Scenario[] = [...EVENTS, ...ATTACKS, ...LIES];
