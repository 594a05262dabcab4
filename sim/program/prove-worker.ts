import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { proveRows } from "../prove/table.js";

/* Runs one row on one seed in a process of its own, and tells its parent the figures. Arguments: row, seed, nodes. */

const [name, seed, nodes] = process.argv.slice(2);
const row = proveRows(Number(nodes)).find((one) => one.name === name)!;
const figures = row.run(Number(seed), {
  crypto: nativeCrypto(),
  cpuMs() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },
  memoryBytes: () => process.memoryUsage().rss,
});
process.send!(figures, () => process.disconnect());
