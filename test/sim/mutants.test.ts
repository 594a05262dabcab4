import { readFileSync } from "node:fs";
import t from "tap";
import { MUTANTS } from "../../sim/mutants.js";
import { ROOT } from "../tidy/repository.js";

for (const { name, edits } of MUTANTS)
  t.test(`the place of the fault "${name}" is there, once`, async (t) => {
    for (const { file, find } of edits)
      t.equal(readFileSync(`${ROOT}build/${file}`, "utf8").split(find).length, 2, `${file}: ${find}`);
  });
