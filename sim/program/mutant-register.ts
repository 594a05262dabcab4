import { register } from "node:module";
import { MUTANTS } from "../mutants.js";

/* Loaded by --import before the program: puts the fault that the environment names into the code that the program will load. */

const mutant = MUTANTS.find(({ name }) => name === process.env["PINYON_SIM_MUTANT"]);
if (mutant === undefined) throw new Error(`no mutant is called ${process.env["PINYON_SIM_MUTANT"]}`);
const build = new URL("../../", import.meta.url).href;
register(new URL("./mutant-hooks.js", import.meta.url), { data: { edits: mutant.edits, build } });
