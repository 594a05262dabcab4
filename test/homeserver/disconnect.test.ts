import { appendFileSync, chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import t, { type Test } from "tap";
import { applyPlan } from "../../src/homeserver/apply.js";
import { keyPem } from "../../src/homeserver/dendrite-key.js";
import { applyDisconnect, planDisconnect } from "../../src/homeserver/disconnect.js";
import { recordPath, requireRecord } from "../../src/homeserver/record.js";
import { readYaml } from "../../src/homeserver/yaml-edit.js";
import { dendriteYaml, Place, synapseYaml } from "./files.js";

t.setTimeout(120_000);

async function disconnect(place: Place, kind: "synapse" | "dendrite" = "synapse"): Promise<void> {
  await applyDisconnect(place.state, await planDisconnect(await requireRecord(place.state, kind)));
}

async function connected(t: Test) {
  const place = await Place.make(t);
  await place.writeSigningKey();
  const file = place.write("homeserver.yaml", synapseYaml(place.name));
  const before = place.look();
  await applyPlan(place.state, await place.plan("synapse", file));
  return { place, file, before };
}

/** What else may stand in a Synapse's file, in every style that people have. */
const extras = fc.subarray([
  "trusted_key_servers: []",
  "suppress_key_server_warning: false # noisy",
  "key_refresh_interval: '1d'",
  "federation:",
  "federation: {client_timeout: 30s}",
  "federation:\n  client_timeout: 30s\n  max_long_retries: 5 # few\n  # nothing else\n",
  "instance_map: {}",
  "instance_map:\n    main:\n        host: localhost\n        port: 9093",
  "worker_replication_secret: 'sixteen characters'.",
  'worker_replication_secret: "0123456789+/abcdef=="',
  "#\ttabs in\ta comment",
  "# ümläüts: 你好",
  "email:\n  smtp_host: 'mail' #\tTLS\n\n  notif_from: \"Your %(app)s <noreply@x>\"",
  "retention:\n- a\n-   b",
  "welcome: |\n  # no comment\n  text\n\n\n",
  "folded: >-\n    a\n    b",
  "\n\n",
  "anchors: &x {a: 1}\nagain: *x",
]);
const styles = fc.record({
  extras,
  eol: fc.constantFrom("\n", "\r\n"),
  isJson: fc.boolean(),
  hasLastEol: fc.boolean(),
  endsDocument: fc.boolean(),
  bom: fc.boolean(),
  mode: fc.constantFrom(0o600, 0o640, 0o644),
});

t.test("whatever a file looks like, disconnect puts it back byte for byte, its mode as well", async (t) => {
  const place = await Place.make(t);
  await place.writeSigningKey();
  let connects = 0;
  await fc.assert(
    fc.asyncProperty(styles, async ({ extras, eol, isJson, hasLastEol, endsDocument, bom, mode }) => {
      let text = synapseYaml(place.name, extras.join("\n")).replace(/^trusted.*\n.*\n/m, "");
      try {
        readYaml(text);
      } catch {
        return; // the same key twice
      }
      if (isJson) text = JSON.stringify(readYaml(text), null, 1);
      else if (endsDocument) text += "...\n";
      text = (bom ? "\uFEFF" : "") + text.trimEnd() + (hasLastEol ? "\n" : "");
      const file = place.write("homeserver.yaml", text.replaceAll("\n", eol));
      chmodSync(file, mode);
      const before = place.look();
      await applyPlan(place.state, await place.plan("synapse", file));
      connects++;
      if (isJson && !bom) JSON.parse(readFileSync(`${file}.before-pinyon`, "utf8"));
      await disconnect(place);
      t.strictSame(place.look(), before);
    }),
    { numRuns: 60 },
  );
  t.ok(connects > 10, `${connects} connects`);
});

t.test("a Dendrite's files are put back, and its environment file goes", async (t) => {
  const place = await Place.make(t);
  const { seed } = await place.node();
  place.write("matrix_key.pem", keyPem(seed));
  const file = place.write("dendrite.yaml", dendriteYaml(place.name));
  const before = place.look();
  await applyPlan(place.state, await place.plan("dendrite", file));
  t.notSame(place.look(), before);
  await disconnect(place, "dendrite");
  t.same(place.look(), before);
});

t.test("a file that was edited since is left as it is, with the lines that differ", async (t) => {
  const { place, file, before } = await connected(t);
  appendFileSync(file, "enable_metrics: true\n");
  writeFileSync(place.config, readFileSync(place.config, "utf8").replace(/^# Config .*\n/, ""));
  const edited = place.look();
  const error = { code: "PINYON_HOMESERVER_EDITED" };
  await t.rejects(disconnect(place), {
    ...error,
    message: new RegExp(
      `homeserver\\.yaml: edited since \`connect\`: line \\d+: take the edits back, or carry them over to ${file}\\.before-pinyon and \`cp .*\\n.*pinyon\\.yaml: edited since \`connect\`: lines taken out at the top`,
    ),
  });
  t.same(place.look(), edited, "nothing is changed");

  // What the sentence says to do works.
  appendFileSync(`${file}.before-pinyon`, "enable_metrics: true\n");
  copyFileSync(`${file}.before-pinyon`, file);
  copyFileSync(`${place.config}.before-pinyon`, place.config);
  await disconnect(place);
  t.same(place.look(), { ...before, [file]: `${before[file]}enable_metrics: true\n` });
});

t.test("files that are gone are named, and what to do", async (t) => {
  const { place, file, before } = await connected(t);
  rmSync(file);
  const error = { code: "PINYON_HOMESERVER_EDITED" };
  await t.rejects(disconnect(place), { ...error, message: /the file is gone since `connect`: `cp .*\.before-pinyon / });
  copyFileSync(`${file}.before-pinyon`, file);
  rmSync(`${file}.before-pinyon`);
  await t.rejects(disconnect(place), { ...error, message: /the copy of how it was, .*\.before-pinyon, is gone/ });
  copyFileSync(file, `${file}.before-pinyon`);
  await disconnect(place);
  t.same(place.look(), before);
});

t.test("a connect that was killed half-way is undone as well", async (t) => {
  const { place, file, before } = await connected(t);
  copyFileSync(`${file}.before-pinyon`, file);
  await disconnect(place);
  t.same(place.look(), before);
});

t.test("disconnect where nothing, or something else, is connected says so", async (t) => {
  const { place, file } = await connected(t);
  const code = "PINYON_HOMESERVER_NOT_CONNECTED";
  await t.rejects(requireRecord(place.state, "dendrite"), { code, message: /homeserver is a Synapse: say `synapse`/ });
  await t.rejects(requireRecord(place.state, "synapse", place.config), {
    code,
    message: new RegExp(`this file is not connected to this node, ${file} is`),
  });
  t.equal((await requireRecord(place.state, "synapse", file)).config, file);
  await disconnect(place);
  await t.rejects(disconnect(place), {
    code,
    message: /no homeserver is connected to this node: `pinyon homeserver connect/,
  });
  writeFileSync(recordPath(place.state), "{");
  await t.rejects(disconnect(place), {
    code: "PINYON_HOMESERVER_FILE",
    message: /homeserver\.json: damaged: .*by hand/,
  });
});

t.test("a homeserver made by connect stays when it is disconnected", async (t) => {
  const place = await Place.make(t);
  const before = place.look();
  await applyPlan(place.state, await place.planNew("synapse", join(place.folder), { port: 28_118 }));
  const made = place.look();
  await disconnect(place);
  for (const [path, found] of Object.entries(place.look())) {
    t.equal(found, path.startsWith(place.folder) ? made[path] : before[path], path);
  }
});
