import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { proveRows } from "../prove/table.js";

/* Runs one row on one seed in a process of its own, and tells its parent the figures. Arguments: row, seed, nodes. */

/** One collection leaves much: after it the busiest router of 150 seemed to hold 18 MB, after four 0.4. */
const COLLECTIONS = 4;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const [name, seed, nodes] = process.argv.slice(2);
const row = proveRows(Number(nodes)).find((one) => one.name === name)!;
const figures = row.run(Number(seed), {
  crypto: nativeCrypto(),
  cpuMs() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },
  memoryBytes: () => process.memoryUsage().rss,
  heapBytes() {
    for (let i = 0; i < COLLECTIONS; i++) collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  },
});
process.send!(figures, () => process.disconnect());
