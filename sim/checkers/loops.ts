import { BIT_KEY, dataBits, dataTree } from "../../src/wire/data.js";
import { Kind } from "../../src/wire/kinds.js";
import { TREE_COUNT } from "../../src/wire/limits.js";
import { ProbeMode, probeMode, probeTree } from "../../src/wire/probe.js";
import type { Checker, MakeChecker } from "./checker.js";

/** Ways in which a frame can be going: SOURCE, TREE, and KEY in each tree. */
const COURSES = 2 + TREE_COUNT;
/** Up, and down. */
const VISITS_MAX = 2;

/** An honest sender's frame visits a node at most twice, up and down, per mode and tree. */
export const loops: MakeChecker = ({ frames, isHonest }, fail): Checker => ({
  handleDelivery(host, _end, message) {
    const record = frames.current;
    if (record === undefined || !isHonest(record.source)) return;
    const visit = host.index * COURSES + courseOf(message);
    record.visits.push(visit);
    let visits = 0;
    for (const other of record.visits) if (other === visit) visits++;
    if (visits === VISITS_MAX + 1)
      fail(`a frame of node ${record.source.index} came to node ${host.index} a third time`);
  },
});

function courseOf(message: Uint8Array): number {
  if (message[1] === Kind.DATA) return (dataBits(message) & BIT_KEY) === 0 ? 0 : 2 + dataTree(message);
  const mode = probeMode(message);
  return mode === ProbeMode.SOURCE ? 0 : mode === ProbeMode.TREE ? 1 : 2 + probeTree(message);
}
