import { BIT_DOWN, BIT_KEY, dataBits, dataTree } from "../../src/wire/data.js";
import { Kind } from "../../src/wire/kinds.js";
import { TREE_COUNT } from "../../src/wire/limits.js";
import { ProbeMode, probeDown, probeMode, probeTree } from "../../src/wire/probe.js";
import type { Checker, MakeChecker } from "./checker.js";

/** Ways in which a frame can be going: by its source route, by a locator, by key up in each tree, and down. */
const SOURCE = 0;
const LOCATOR = 1;
const UP = 2;
const DOWN = UP + TREE_COUNT;
const COURSES = DOWN + TREE_COUNT;
/**
 * By a locator, and by key up and down in each tree, a frame comes to a node once. A source route is what a probe recorded that went in
 * all these ways, one after another.
 */
const SOURCE_VISITS_MAX = 1 + 2 * TREE_COUNT;

/** An honest sender's frame visits a node at most once on its way up and once on its way down, per mode and tree. */
export const loops: MakeChecker = ({ frames, isHonest }, fail): Checker => ({
  handleDelivery(host, _end, message) {
    const record = frames.current;
    if (record === undefined || !isHonest(record.source)) return;
    const course = courseOf(message);
    const visit = host.index * COURSES + course;
    record.visits.push(visit);
    let visits = 0;
    for (const other of record.visits) if (other === visit) visits++;
    if (visits !== (course === SOURCE ? SOURCE_VISITS_MAX : 1) + 1) return;
    const what = message[1] === Kind.DATA ? "DATA frame" : "probe";
    const passed = record.visits.map((one) => Math.floor(one / COURSES)).join(" ");
    fail(
      `a ${what} of node ${record.source.index} came to node ${host.index} ${visits} times ${courseText(course)}, by ${passed}`,
    );
  },
});

function courseOf(message: Uint8Array): number {
  if (message[1] === Kind.DATA) {
    const bits = dataBits(message);
    if ((bits & BIT_KEY) === 0) return SOURCE;
    return ((bits & BIT_DOWN) === 0 ? UP : DOWN) + dataTree(message);
  }
  const mode = probeMode(message);
  if (mode === ProbeMode.SOURCE) return SOURCE;
  if (mode === ProbeMode.TREE) return LOCATOR;
  return (probeDown(message) ? DOWN : UP) + probeTree(message);
}

function courseText(course: number): string {
  if (course === SOURCE) return "on its source route";
  if (course === LOCATOR) return "by its locator";
  return course < DOWN ? `up in tree ${course - UP}` : `down in tree ${course - DOWN}`;
}
