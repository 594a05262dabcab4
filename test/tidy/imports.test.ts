import t from "tap";
import { type Import, importsOf, PURE_FOLDERS, sources } from "./repository.js";

/** What each folder may import from; ARCHITECTURE.md draws the same. */
const PURE = ["wire", "crypto", "router", "session", "node"];
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  crypto: [],
  router: ["wire", "crypto"],
  session: ["wire", "crypto"],
  node: ["wire", "crypto", "router", "session"],
  link: ["wire"],
  driver: [...PURE, "link"],
  federation: [],
  daemon: [...PURE, "link", "driver", "federation"],
  homeserver: ["wire", "federation", "daemon"],
  cli: [...PURE, "link", "driver", "federation", "daemon", "homeserver"],
  sim: PURE,
  // What a person starts: arguments, files, processes, and the native set of crypto.
  "sim/program": [...PURE, "driver", "sim"],
};

/** The packages of the pure folders and of sim, and why they may be there. Anything else reaches for the machine. */
const PURE_PACKAGES: Readonly<Record<string, string>> = {
  "@msgpack/msgpack": "the encoding of frames; no I/O",
  "@noble/ciphers": "portable ChaCha20-Poly1305",
  "@noble/curves": "conversion of keys",
  tweetnacl: "portable Ed25519, X25519 and SHA-512",
  "lru-cache": "bounded tables; without its ttl, which reads a clock",
};

const folderOf = (file: string): string => {
  if (file.startsWith("sim/program/")) return "sim/program";
  return file.startsWith("src/") ? file.split("/")[1]! : file.split("/")[0]!;
};
const packageOf = ({ specifier }: Import): string => /^(?:@[^/]+\/)?[^/]+/.exec(specifier)![0];

/** Why a file may not have an import, or undefined where it may. */
function fault(file: string, one: Import): string | undefined {
  const from = folderOf(file);
  const pure = PURE_FOLDERS.includes(`src/${from}`) || from === "sim";
  if (one.file === undefined) {
    return pure && !(packageOf(one) in PURE_PACKAGES) ? `${from} may not use the package ${one.specifier}` : undefined;
  }
  const to = folderOf(one.file);
  if (to === from) return undefined;
  if (from === "cli" && to === "sim") return one.lazy ? undefined : "cli imports sim lazily only";
  // Server names are a thing of both.
  if (from === "federation" && one.file === "src/wire/name.ts") return undefined;
  return MAY_IMPORT[from]?.includes(to) ? undefined : `${from} may not import ${to}`;
}

t.test("imports between folders run one way, and pure folders use pure packages", async (t) => {
  for (const file of sources("src", "sim")) {
    for (const one of importsOf(file)) {
      const why = fault(file, one);
      if (why !== undefined) t.fail(`${file}: ${why} (${one.specifier})`);
    }
  }
  t.pass("every import");
});

t.test("the check sees what it must refuse, however it is written", async (t) => {
  const faults = (file: string, source: string) => importsOf(file, source).map((one) => fault(file, one));
  t.match(faults("src/wire/x.ts", 'import { a } from "../router/peer.js";')[0], "wire may not import router");
  t.match(faults("src/router/x.ts", 'import type { A } from "../session/a.js";')[0], "router may not import session");
  t.match(faults("src/node/x.ts", 'export * from "../link/link.js";')[0], "node may not import link");
  t.match(faults("src/node/x.ts", 'import fs from "node:fs";')[0], "may not use the package");
  t.match(faults("src/node/x.ts", 'import "ws";')[0], "may not use the package");
  t.match(faults("src/node/x.ts", 'const ws = import("ws");')[0], "may not use the package");
  t.match(faults("src/federation/x.ts", 'import {\n  a,\n  b,\n} from "../wire/bytes.js";')[0], "federation may not");
  t.same(faults("src/federation/x.ts", 'import { nameToKey } from "../wire/name.js";'), [undefined]);
  t.match(faults("src/cli/x.ts", 'import { run } from "../../sim/main.js";')[0], "lazily");
  t.same(faults("src/cli/x.ts", 'const { run } = await import("../../sim/main.js");'), [undefined]);
  t.same(faults("src/wire/x.ts", '// import "ws";\n/* import "ws"; */\nimport { b } from "./b.js";'), [undefined]);
});

t.test("no module imports itself by way of others", async (t) => {
  const graph = new Map(
    sources("src", "sim").map((file) => [
      file,
      importsOf(file).flatMap((one) => (one.file === undefined || one.typeOnly || one.lazy ? [] : [one.file])),
    ]),
  );
  t.same(cyclesOf(graph), []);
  const circle = new Map([
    ["a", ["b"]],
    ["b", ["c"]],
    ["c", ["a"]],
  ]);
  t.same(cyclesOf(circle), ["a → b → c → a"]);
});

/** One text for each circle that is met first, depth first. */
function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    const at = way.indexOf(file);
    if (at >= 0) cycles.push([...way.slice(at), file].join(" → "));
    if (at >= 0 || done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...way, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return cycles;
}
