/*
 * `npm run demo`: two real Synapses across the mesh, out of a fresh clone. Installs the packages and compiles what is missing or older
 * than its source, then runs the demo.
 */
import { pathToFileURL } from "node:url";
import { prepare } from "../../src/cli/bootstrap.mjs";

const demo = await prepare("build/test/e2e/demo.js", ["src", "sim", "test"]);
await import(pathToFileURL(demo).href);
