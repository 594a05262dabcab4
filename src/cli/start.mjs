/*
 * `npm start`: a node out of a fresh clone. Installs the packages and compiles what is missing or older than its source,
 * then runs `pinyon run --init` with the arguments given.
 */
import { pathToFileURL } from "node:url";
import { prepare } from "./bootstrap.mjs";

const main = await prepare("build/src/cli/main.js", ["src"]);
process.argv.splice(2, 0, "run", "--init");
await import(pathToFileURL(main).href);
