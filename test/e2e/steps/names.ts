import type { Stage } from "../stage.js";
import { type Finding, must } from "./step.js";

/** No process of the stage could ask for a name, and none tried. */
export async function noNames({ resolver }: Stage): Promise<Finding> {
  if (resolver.prefix.length === 0) {
    return { text: "not shown: no mount namespace can be made here", figures: { shown: 0 } };
  }
  const queries = resolver.queries();
  if (queries === undefined) {
    return {
      text: "no resolver; who asked for one is not known: counting takes root",
      figures: { shown: 1 },
    };
  }
  must(queries === 0, `${queries} names were asked for`);
  return { text: "no resolver, and nobody asked for one", figures: { shown: 1, queries } };
}
