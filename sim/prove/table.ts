import { contactRows } from "./contact-rows.js";
import { gapRows, stretchRows } from "./flow-rows.js";
import { fuzzRows } from "./fuzz-rows.js";
import { idleRows, simulatorRows, startRows, stateRows } from "./network-rows.js";
import { queueRows } from "./queue-rows.js";
import { NODES, type Row } from "./row.js";

const LARGE_NODES = 4_000;
const HUGE_NODES = 10_000;

/** The table: what routing must show, on networks of so many nodes. The larger rows have theirs. */
export function proveRows(nodes = NODES): readonly Row[] {
  return [
    ...startRows(nodes),
    ...idleRows(nodes, LARGE_NODES),
    ...stretchRows(nodes, LARGE_NODES),
    ...contactRows(nodes),
    ...gapRows(nodes),
    ...queueRows(),
    ...fuzzRows(),
    ...stateRows(nodes, HUGE_NODES),
    ...simulatorRows(nodes, HUGE_NODES),
  ];
}
