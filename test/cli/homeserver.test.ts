import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { freePorts } from "../e2e/place.js";
import { Place, synapseYaml } from "../homeserver/files.js";
import { NodeFolder, pinyon } from "./pinyon.js";

t.setTimeout(120_000);

interface Connected {
  readonly name: string;
  readonly applied: boolean;
  readonly config: string;
  readonly url: string;
  readonly listen: string;
  readonly files: readonly { readonly path: string; readonly diff: string; readonly backup: string | null }[];
  readonly next: readonly string[];
}

t.test(
  "connect shows the change and makes it with --apply; disconnect takes it back; check names what is missing",
  async (t) => {
    const place = await Place.make(t);
    await place.writeSigningKey();
    const file = place.write("homeserver.yaml", synapseYaml(place.name));
    const ask = (...args: string[]) => pinyon("--state", place.state, "homeserver", ...args);
    const before = place.look();

    const shown = await ask("connect", "synapse", "--config", file);
    t.match(shown, {
      code: 0,
      stderr: "",
      stdout: /\nNothing was changed: --apply does it\. Secrets are not shown\.\n$/,
    });
    t.match(shown.stdout, new RegExp(`^--- ${file}\\n\\+\\+\\+ ${file}\\n@@ -\\d+,\\d+ \\+\\d+,\\d+ @@\\n`));
    for (const line of [
      `--- ${place.config}`,
      "-trusted_key_servers:",
      '-  - server_name: "matrix.org"',
      "+trusted_key_servers: []",
      "+outbound_federation_restricted_to: [overlay]",
      "+worker_replication_secret: (not shown)",
      "+  secret: (not shown)",
      "+  fastRetries: true",
      " macaroon_secret_key: (not shown)",
    ]) {
      t.ok(shown.stdout.split("\n").includes(line), line);
    }
    const dry = await ask("connect", "synapse", "--config", file, "--dry-run");
    t.match(dry, { code: 0, stdout: /Nothing was changed/ });
    t.same(place.look(), before, "nothing is changed");
    t.match(await ask("connect", "synapse", "--config", file, "--dry-run", "--apply"), {
      code: 2,
      stderr: /cannot be used with/,
    });

    t.match(await ask("check", "synapse"), { code: 2, stderr: /no homeserver is connected to this node/ });
    t.match(await ask("disconnect", "synapse", "--apply"), { code: 2, stderr: /no homeserver is connected/ });

    const applied = await ask("connect", "synapse", "--config", file, "--apply", "--listen", "127.0.0.1:28231");
    t.match(applied, { code: 0, stderr: "" });
    t.match(applied.stdout, `Connected Synapse to ${place.name}.\n  changed ${file}, kept ${file}.before-pinyon\n`);
    t.match(
      applied.stdout,
      /\nNow:\n {2}.* run .*\n {2}start Synapse again, its workers as well\n {2}.*homeserver check synapse\n$/,
    );
    t.match(await ask("connect", "synapse", "--config", file), {
      code: 2,
      stderr: /is connected to the node of .* already/,
    });

    const check = await ask("check", "synapse", "--config", file);
    t.match(check, {
      code: 1,
      stdout: /ok +files .* agree\n +FAILED +node .*no node runs/,
      stderr: /the step `node` of the check failed/,
    });
    const json = await ask("check", "synapse", "--json");
    t.match(JSON.parse(json.stdout), {
      kind: "synapse",
      name: place.name,
      ok: false,
      steps: [{ ok: true }, { step: "node" }],
    });

    const undone = await ask("disconnect", "synapse");
    t.match(undone, {
      code: 0,
      stdout: /\n-outbound_federation_restricted_to: \[overlay\]\n(?:.*\n)*Nothing was changed/,
    });
    t.match(JSON.parse((await ask("disconnect", "synapse", "--json")).stdout), {
      applied: false,
      config: file,
      files: [{ path: file }, {}],
    });
    t.match(await ask("disconnect", "synapse", "--apply"), { code: 0, stdout: /^Disconnected Synapse\.\n/ });
    t.same(place.look(), before);
  },
);

t.test("check tells a node that runs without what connect wrote from a homeserver that does not run", async (t) => {
  const place = await Place.make(t);
  await place.writeSigningKey();
  const [port = 0, listen = 0] = await freePorts(2);
  const file = place.write("homeserver.yaml", synapseYaml(place.name).replace("8008", String(port)));
  const node = new NodeFolder(t, place.state);
  node.configure();
  await node.run();
  const connected = await node.ask(
    "homeserver",
    "connect",
    "synapse",
    "--config",
    file,
    "--listen",
    `127.0.0.1:${listen}`,
    "--apply",
  );
  t.match(connected, { code: 0 });
  const check = async () => (await node.ask("homeserver", "check", "synapse")).stdout;
  t.match(await check(), / FAILED +node +it runs with another config than its file has: start it again\n/);
  await node.end("SIGTERM");
  await node.run();
  const status = await node.ask("status");
  t.match(status.stdout, `homeserver  http://127.0.0.1:${port}, its federation taken at 127.0.0.1:${listen}\n`);
  t.match(await check(), / ok +node .*\n +FAILED +listener +it does not answer \(.*ECONNREFUSED 127\.0\.0\.1/);
});

t.test("connect --new makes a homeserver that nobody else can read", async (t) => {
  const place = await Place.make(t);
  const folder = join(place.folder, "new one");
  const ask = (...args: string[]) => pinyon("--state", place.state, "homeserver", "connect", ...args);
  const shown = await ask("synapse", "--new", folder, "--port", "28232");
  t.match(shown, { code: 0, stdout: /^--- \/dev\/null\n\+\+\+ .*\/new one\/homeserver\.yaml\n@@ -0,0 \+1,\d+ @@\n/ });
  t.match(shown.stdout, /\+ed25519 pinyon \(not shown\)\n/);
  t.notOk(existsSync(folder));

  const json = await ask(
    "synapse",
    "--new",
    folder,
    "--port",
    "28232",
    "--listen",
    "127.0.0.1:28233",
    "--apply",
    "--json",
  );
  const made = JSON.parse(json.stdout) as Connected;
  t.match(made, {
    name: place.name,
    applied: true,
    config: join(folder, "homeserver.yaml"),
    url: "http://127.0.0.1:28232",
    listen: "127.0.0.1:28233",
    files: [{}, {}, {}, { path: place.config, backup: `${place.config}.before-pinyon` }],
  });
  t.match(made.next, [
    / run /,
    new RegExp(`^python3 -m venv '${folder}'/venv && '${folder}'/venv/bin/pip install matrix-synapse`),
    / --config-path '.*\/homeserver\.yaml' /,
    /register_new_matrix_user --config '.*' http:\/\/127\.0\.0\.1:28232$/,
    / homeserver check synapse$/,
  ]);
  t.equal(statSync(folder).mode & 0o777, 0o700);
  for (const name of readdirSync(folder)) t.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
  const key = readFileSync(join(place.state, "key"), "utf8");
  t.equal(readFileSync(join(folder, "signing.key"), "utf8"), key, "the node's key");
  for (const { diff } of made.files) t.notMatch(diff, key.split(" ")[2]!.trim());

  const again = await pinyon("--state", place.state, "homeserver", "disconnect", "synapse", "--apply");
  t.match(again, { code: 0, stdout: new RegExp(`The homeserver made in ${folder} stays`) });
  t.match(await ask("synapse", "--new", folder), { code: 2, stderr: /it holds .*: expected an empty folder, or none/ });
  t.match(await ask("synapse", "--new", place.config), { code: 2, stderr: /it is a file: expected an empty folder/ });
});

t.test("a command line that cannot be meant is refused", async (t) => {
  const place = await Place.make(t);
  const ask = (...args: string[]) => pinyon("--state", place.state, "homeserver", ...args);
  t.match(await ask("connect", "synapse"), { code: 2, stderr: /expected --config <file> or --new <folder>/ });
  t.match(await ask("connect", "conduit", "--config", "x"), { code: 2, stderr: /Expected synapse or dendrite/ });
  t.match(await ask("connect", "synapse", "--new", "x", "--config", "y"), { code: 2, stderr: /cannot be used with/ });
  t.match(await ask("connect", "synapse", "--new", "x", "--port", "0"), { code: 2, stderr: /Expected 1 to 65535/ });
  t.match(await ask("connect", "synapse", "--new", "x", "--listen", "x"), { code: 2, stderr: /Expected host:port/ });
  const gone = await pinyon(
    "--state",
    place.state,
    "--config",
    "/no/such.yaml",
    "homeserver",
    "connect",
    "synapse",
    "--new",
    "x",
  );
  t.match(gone, { code: 2, stderr: /\/no\/such\.yaml: there is no such file: `pinyon init` writes it/ });
  const empty = await pinyon("homeserver", "connect", "synapse", "--new", "x", "--state", place.folder);
  t.match(empty, { code: 2, stderr: /there is no key: make a node with `pinyon init`|open to other users/ });
});

t.test("an option of the program may stand before a command or behind it", async (t) => {
  const place = await Place.make(t);
  for (const args of [
    ["--state", place.state, "status"],
    ["status", "--state", place.state],
    ["peer", "ls", "--state", place.state],
    ["peer", "--state", place.state, "ls"],
  ]) {
    t.match(
      await pinyon(...args),
      { code: 3, stderr: new RegExp(`^pinyon: ${place.state}: no node runs`) },
      args.join(" "),
    );
  }
});
