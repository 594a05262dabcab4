import t from "tap";
import { loopback } from "./place.js";
import { meshScenarios } from "./scenarios.js";

t.setTimeout(240_000);
meshScenarios(t, (_t, nodeCount) => loopback(nodeCount));
