import type { LoadHook } from "node:module";
import type { Edit } from "../mutants.js";

/** What stands in for the code of each file, by URL. */
const edits = new Map<string, Edit[]>();

/** Node calls it with what `mutant-register.ts` gives. */
export function initialize({ edits: all, build }: { edits: readonly Edit[]; build: string }): void {
  for (const edit of all) {
    const url = new URL(edit.file, build).href;
    edits.set(url, [...(edits.get(url) ?? []), edit]);
  }
}

/** Changes a module while it is loaded. Throws where the text that is to be replaced is not there exactly once. */
export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  const here = edits.get(url);
  if (here === undefined) return loaded;
  let source = new TextDecoder().decode(loaded.source as Uint8Array);
  for (const { file, find, replace } of here) {
    const parts = source.split(find);
    if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${find}`);
    source = parts.join(replace);
  }
  return { ...loaded, source };
};
