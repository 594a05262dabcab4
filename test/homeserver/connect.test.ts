import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import t from "tap";
import { readConfig } from "../../src/daemon/config-file.js";
import { applyPlan } from "../../src/homeserver/apply.js";
import { checkFiles } from "../../src/homeserver/check.js";
import { keyPem } from "../../src/homeserver/dendrite-key.js";
import { applyDisconnect, planDisconnect } from "../../src/homeserver/disconnect.js";
import { HOMESERVERS } from "../../src/homeserver/homeservers.js";
import type { Kind } from "../../src/homeserver/kind.js";
import { requireRecord, requireUnconnected } from "../../src/homeserver/record.js";
import { readYaml } from "../../src/homeserver/yaml-edit.js";
import { dendriteYaml, Place, synapseYaml } from "./files.js";

async function synapse(t: Parameters<typeof Place.make>[0], text = synapseYaml) {
  const place = await Place.make(t);
  await place.writeSigningKey();
  return { place, file: place.write("homeserver.yaml", text(place.name)) };
}

t.test("a Synapse is joined with its node: both files say so, everything else in them is as before", async (t) => {
  const { place, file } = await synapse(t);
  chmodSync(file, 0o640);
  const before = readFileSync(file, "utf8");
  const plan = await place.plan("synapse", file);
  t.equal(readFileSync(file, "utf8"), before, "a plan changes nothing");
  await applyPlan(place.state, plan);
  const after = readFileSync(file, "utf8");
  const { homeserver } = readConfig(place.config);
  t.match(homeserver, { url: { host: "127.0.0.1", port: 8008 }, listen: { host: "127.0.0.1" }, fastRetries: true });
  t.match(homeserver?.secret, /^[0-9a-f]{64}$/);
  t.match(readYaml(after), {
    ...readYaml(before),
    instance_map: { overlay: homeserver?.listen },
    outbound_federation_restricted_to: ["overlay"],
    worker_replication_secret: homeserver?.secret,
    trusted_key_servers: [],
    suppress_key_server_warning: true,
    key_refresh_interval: "30d",
    federation: {
      max_long_retry_delay: "5s",
      max_long_retries: 720,
      destination_min_retry_interval: "30s",
      destination_max_retry_interval: "5m",
    },
  });
  const lines = after.split("\n");
  for (const line of before.split("\n")) if (!/trusted|matrix\.org/.test(line)) t.ok(lines.includes(line), line);
  t.equal(statSync(file).mode & 0o777, 0o640);
  t.equal(statSync(`${file}.before-pinyon`).mode & 0o777, 0o640);
  t.equal(readFileSync(`${file}.before-pinyon`, "utf8"), before);
});

t.test("a Dendrite is joined with its node, and is given its environment", async (t) => {
  const place = await Place.make(t);
  const { seed } = await place.node();
  const file = place.write("dendrite.yaml", dendriteYaml(place.name));
  place.write("matrix_key.pem", keyPem(seed));
  await applyPlan(place.state, await place.plan("dendrite", file, { port: 8108 }));
  const { homeserver } = readConfig(place.config);
  t.match(homeserver, { url: { host: "127.0.0.1", port: 8108 }, fastRetries: false });
  t.match(readYaml(readFileSync(file, "utf8")), {
    global: { key_validity_period: "720h0m0s" },
    federation_api: {
      send_max_retries: 16,
      disable_tls_validation: false,
      prefer_direct_fetch: true,
      key_perspectives: [],
    },
  });
  t.match(readFileSync(file, "utf8"), /# Perspective keyservers to use as a backup\.\n {2}key_perspectives: \[\]\n/);
  const environment = readFileSync(join(place.folder, "pinyon.env"), "utf8").split("\n");
  const { listen, secret } = homeserver!;
  t.ok(environment.includes(`HTTPS_PROXY=http://pinyon:${secret}@127.0.0.1:${"port" in listen ? listen.port : ""}`));
  t.ok(environment.includes(`SSL_CERT_FILE=${join(place.state, "ca.pem")}`));
  t.ok(environment.some((line) => /^NO_PROXY=.*127\.0\.0\.1/.test(line)));
  t.equal(statSync(join(place.folder, "pinyon.env")).mode & 0o777, 0o600);
});

t.test("a Synapse with a name of its own is joined by its way out alone, and keeps all else", async (t) => {
  const place = await Place.make(t);
  const trust = "federation_custom_ca_list: [/etc/ssl/own.pem]\nfederation_verify_certificates: false";
  const file = place.write("homeserver.yaml", synapseYaml("example.org", trust));
  const before = place.look();
  const plan = await place.plan("synapse", file);
  t.match(plan.join, { name: "example.org", url: { host: "127.0.0.1", port: 8008 } });
  t.match(plan.notes, [/NODE_EXTRA_CA_CERTS .*\/etc\/ssl\/own\.pem/, /no exceptions/]);
  await applyPlan(place.state, plan);
  const config = readConfig(place.config);
  t.match(config, { classic: "direct", homeserver: { name: "example.org", fastRetries: false } });
  const after = readYaml(readFileSync(file, "utf8"));
  const { instance_map: _, outbound_federation_restricted_to: __, worker_replication_secret: secret, ...rest } = after;
  t.same(rest, readYaml(synapseYaml("example.org", trust)), "all else says the same");
  t.match(after, {
    instance_map: { overlay: config.homeserver?.listen },
    outbound_federation_restricted_to: ["overlay"],
  });
  t.equal(secret, config.homeserver?.secret);
  const node = await place.node();
  t.match(await checkFiles(HOMESERVERS.synapse, node, await requireRecord(place.state, "synapse")), { ok: true });
  await applyDisconnect(place.state, await planDisconnect(await requireRecord(place.state, "synapse")));
  t.strictSame(place.look(), before, "and disconnect gives all of it back");
});

t.test("a way to classic servers that the node has already stays", async (t) => {
  const place = await Place.make(t);
  const file = place.write("homeserver.yaml", synapseYaml("example.org:8448"));
  for (const line of ["classic: exit", "classic: direct", "classic: off"]) {
    writeFileSync(place.config, `${line}\n`);
    const { files, notes } = await place.plan("synapse", file);
    const { after } = files.find(({ path }) => path === place.config)!;
    t.match(readYaml(after), { classic: line.includes("exit") ? "exit" : "direct" });
    t.same(notes, []);
  }
});

t.test("a Dendrite with a name of its own keeps its notaries and the validity of its key", async (t) => {
  const place = await Place.make(t);
  const file = place.write("dendrite.yaml", dendriteYaml("example.org"));
  await applyPlan(place.state, await place.plan("dendrite", file, { port: 8108 }));
  const expected = readYaml(dendriteYaml("example.org")) as { federation_api: Record<string, unknown> };
  expected.federation_api["prefer_direct_fetch"] = true;
  t.same(readYaml(readFileSync(file, "utf8")), expected);
  t.match(readConfig(place.config), { classic: "direct", homeserver: { name: "example.org" } });
  t.match(readFileSync(join(place.folder, "pinyon.env"), "utf8"), /^HTTPS_PROXY=/m);
});

t.test("a Synapse with workers keeps its instances and its secret, which is the node's from then on", async (t) => {
  const workers = `
worker_replication_secret: "shared/by+all/workers="
redis: {enabled: true}
instance_map:
  main:
    host: 127.0.0.1   # the main process
    port: 9093
  sender1: {host: 127.0.0.1, port: 9101}
federation_sender_instances: [sender1]
`;
  const { place, file } = await synapse(t, (name) => synapseYaml(name, workers));
  await applyPlan(place.state, await place.plan("synapse", file, { listen: { host: "127.0.0.1", port: 28_217 } }));
  t.equal(readConfig(place.config).homeserver?.secret, "shared/by+all/workers=");
  const text = readFileSync(file, "utf8");
  t.match(readYaml(text), {
    instance_map: { main: { port: 9093 }, sender1: { port: 9101 }, overlay: { host: "127.0.0.1", port: 28_217 } },
    worker_replication_secret: "shared/by+all/workers=",
    federation_sender_instances: ["sender1"],
  });
  t.match(
    text,
    / {2}sender1: \{host: 127\.0\.0\.1, port: 9101\}\n {2}overlay: \{host: "127\.0\.0\.1", port: 28217\}\n/,
  );
});

t.test("the secret of workers that stands in a file of its own is read there and stays there", async (t) => {
  const { place, file } = await synapse(t, (name) => synapseYaml(name, "worker_replication_secret_path: secret.txt"));
  place.write("secret.txt", "0123456789abcdef\n");
  await applyPlan(place.state, await place.plan("synapse", file));
  t.equal(readConfig(place.config).homeserver?.secret, "0123456789abcdef");
  t.notOk("worker_replication_secret" in readYaml(readFileSync(file, "utf8")));
});

t.test("the homeserver's listener is found in its file, on TCP or a Unix socket", async (t) => {
  const url = async (listeners: string) => {
    const text = (name: string) => synapseYaml(name).replace(/listeners:\n(?: .*\n)+/, `listeners:${listeners}\n`);
    const { place, file } = await synapse(t, text);
    return (await place.plan("synapse", file)).join.url;
  };
  const federation = "resources: [{names: [federation]}]";
  t.same(await url(` [{type: http, path: /run/s.sock, ${federation}}]`), { path: "/run/s.sock" });
  t.same(await url(` [{type: http, port: 80, ${federation}}]`), { host: "127.0.0.1", port: 80 }, "every address");
  t.same(
    await url(` [{type: http, port: 81, bind_address: 10.0.0.1, ${federation}}]`),
    { host: "10.0.0.1", port: 81 },
    "one that is not loopback, where there is no other",
  );
  t.same(
    await url(` [{type: metrics, port: 9000}, {type: http, port: 8448, tls: true, ${federation}},
      {type: http, port: 81, bind_addresses: ["10.0.0.1"], ${federation}},
      {type: http, port: 82, bind_addresses: ["::"], ${federation}}]`),
    { host: "::1", port: 82 },
    "loopback before others, plain HTTP alone",
  );
});

t.test("a socket is where the node listens if it is asked for", async (t) => {
  const { place, file } = await synapse(t);
  const path = join(place.state, "federation.sock");
  await applyPlan(place.state, await place.plan("synapse", file, { listen: { path } }));
  t.same(readConfig(place.config).homeserver?.listen, { path });
  t.match(readYaml(readFileSync(file, "utf8")), { instance_map: { overlay: { path } } });
});

t.test("each file that cannot be connected is refused with its code and reason, and nothing is changed", async (t) => {
  const cases: [label: string, code: string, reason: RegExp, text: (name: string) => string][] = [
    ["no YAML", "FILE", /homeserver\.yaml: it cannot be read as YAML: line 2: /, () => "a: [\n"],
    ["nobody's", "FILE", /this is no configuration of Synapse: it has no `server_name`/, () => "a: 1\n"],
    ["a text", "FILE", /no lines of the form `key: value`/, () => "Dear diary\n"],
    ["Dendrite's", "FILE", /this is a configuration of Dendrite: say `dendrite` instead of `synapse`/, dendriteYaml],
    [
      "another name",
      "NAME",
      /the homeserver's name is "Example\.org", this node's is .*pinyon\.alt: .* a name of the DNS in lower case/,
      () => synapseYaml("Example.org"),
    ],
    [
      "another node's name",
      "NAME",
      /the homeserver's name is "a{52}\.pinyon\.alt"/,
      () => synapseYaml(`${"a".repeat(52)}.pinyon.alt`),
    ],
    ["a name that no DNS knows", "NAME", /the homeserver's name is "localhost"/, () => synapseYaml("localhost")],
    ["a worker's", "WORKERS", /the file of one worker/, (name) => synapseYaml(name, "worker_app: x")],
    [
      "restricted to another",
      "WORKERS",
      /`outbound_federation_restricted_to` is \["sender"\], and there can be one way out only/,
      (name) => synapseYaml(name, "outbound_federation_restricted_to: [sender]"),
    ],
    [
      "an instance of ours",
      "WORKERS",
      /`instance_map` has an instance `overlay` already: rename it/,
      (name) => synapseYaml(name, "instance_map: {overlay: {host: a, port: 1}}"),
    ],
    ["no map", "WORKERS", /`instance_map` is no mapping/, (name) => synapseYaml(name, "instance_map: [a]")],
    [
      "a short secret",
      "WORKERS",
      /`worker_replication_secret` is no text of at least 16 characters/,
      (name) => synapseYaml(name, "worker_replication_secret: short"),
    ],
    [
      "a secret that is not there",
      "FILE",
      /gone\.txt: there is no such file/,
      (name) => synapseYaml(name, "worker_replication_secret_path: gone.txt"),
    ],
    [
      "no listener",
      "LISTENER",
      /expected one of plain HTTP with the resource `federation`: add to `listeners`:\n {2}- port: 8008\n/,
      (name) => synapseYaml(name).replace("[client, federation]", "[client]"),
    ],
    [
      "a listener of TLS alone",
      "LISTENER",
      /no listener takes what the node hands in/,
      (name) => synapseYaml(name).replace("tls: false", "tls: true"),
    ],
    [
      "another's key",
      "KEY",
      /put the line of .*\/key there/,
      (name) => synapseYaml(name, `signing_key: "ed25519 a ${"A".repeat(43)}"`),
    ],
    [
      "no key",
      "KEY",
      /gone\.key: there is no signing key yet, .*: `cp /,
      (name) => synapseYaml(name, "signing_key_path: gone.key"),
    ],
    [
      "a key that is none",
      "KEY",
      /this is no signing key, and the name is that of the node's: `cp .*\/key .*homeserver\.yaml`/,
      (name) => synapseYaml(name, "signing_key_path: homeserver.yaml"),
    ],
    [
      "an alias",
      "FILE",
      /`federation` is an alias of YAML/,
      (name) => synapseYaml(name, "x: &x {a: 1}\nfederation: *x"),
    ],
  ];
  for (const [label, code, message, text] of cases) {
    const { place, file } = await synapse(t, text);
    const before = place.look();
    await t.rejects(place.plan("synapse", file), { code: `PINYON_HOMESERVER_${code}`, message }, label);
    t.same(place.look(), before, `${label}: nothing is changed`);
  }
});

t.test("a signing key that is not the node's is refused", async (t) => {
  const { place, file } = await synapse(t);
  place.write(`${place.name}.signing.key`, `ed25519 a_x ${"A".repeat(43)}\n`);
  await t.rejects(place.plan("synapse", file), {
    code: "PINYON_HOMESERVER_KEY",
    message: /signing\.key: this is another key than the node's.*keep a copy of it, then: `cp /,
  });
  const dendrite = place.write("dendrite.yaml", dendriteYaml(place.name));
  place.write("matrix_key.pem", keyPem(new Uint8Array(32)));
  await t.rejects(place.plan("dendrite", dendrite), {
    code: "PINYON_HOMESERVER_KEY",
    message: /matrix_key\.pem: this is another key than the node's/,
  });
  const off = dendriteYaml(place.name).replace("global:", "global:\n  disable_federation: true");
  await t.rejects(place.plan("dendrite", place.write("off.yaml", off)), {
    code: "PINYON_HOMESERVER_LISTENER",
    message: /`global\.disable_federation` is true/,
  });
  await t.rejects(place.plan("dendrite", file), { message: /this is a configuration of Synapse: say `synapse`/ });
});

t.test("what Debian keeps in conf.d is read as well, and may not win over what is written", async (t) => {
  const { place, file } = await synapse(t, (name) => synapseYaml(name).replace(/^server_name.*\n/m, ""));
  await t.rejects(place.plan("synapse", file), { message: /it has no `server_name`/ });
  mkdirSync(join(place.folder, "conf.d"));
  place.write("conf.d/server_name.yaml", `server_name: ${place.name}\n`);
  place.write("conf.d/notes.txt", "[");
  const { files } = await place.plan("synapse", file);
  t.same(
    files.map(({ path }) => path),
    [file, place.config],
  );
  place.write("conf.d/tuning.yaml", "federation: {max_short_retries: 1}\n");
  await t.rejects(place.plan("synapse", file), {
    code: "PINYON_HOMESERVER_FILE",
    message: /conf\.d\/tuning\.yaml: `federation` stands here and is read after .*homeserver\.yaml: move it there/,
  });
  place.write("conf.d/tuning.yaml", "[");
  await t.rejects(place.plan("synapse", file), { message: /tuning\.yaml: it cannot be read as YAML/ });
});

t.test("what a refusal says to do makes the key that is wanted", async (t) => {
  const place = await Place.make(t);
  const refused: [Kind, string][] = [
    ["synapse", place.write("homeserver.yaml", synapseYaml(place.name))],
    ["dendrite", place.write("dendrite.yaml", dendriteYaml(place.name))],
  ];
  for (const [kind, file] of refused) {
    const { message } = await place.plan(kind, file).then(
      () => new Error("not refused"),
      (error: Error) => error,
    );
    execFileSync("sh", ["-c", /`(.*)`$/s.exec(message)![1]!]);
    await place.plan(kind, file);
  }
});

t.test("a Dendrite cannot be given a socket, and its environment file is replaced", async (t) => {
  const place = await Place.make(t);
  const { seed } = await place.node();
  const file = place.write("dendrite.yaml", dendriteYaml(place.name));
  place.write("matrix_key.pem", keyPem(seed));
  place.write("pinyon.env", "OLD=1\n", 0o640);
  await t.rejects(place.plan("dendrite", file, { listen: { path: "/tmp/x.sock" } }), {
    code: "PINYON_LISTEN",
    message: /Dendrite reaches a node on TCP alone/,
  });
  await applyPlan(place.state, await place.plan("dendrite", file));
  t.match(readFileSync(join(place.folder, "pinyon.env"), "utf8"), /^HTTPS_PROXY=/m);
  t.equal(readFileSync(join(place.folder, "pinyon.env.before-pinyon"), "utf8"), "OLD=1\n");
});

t.test(
  "a file keeps its owner, and so does its copy",
  { skip: process.getuid?.() !== 0 && "needs root" },
  async (t) => {
    const { place, file } = await synapse(t);
    chownSync(file, 12_345, 54_321);
    await applyPlan(place.state, await place.plan("synapse", file));
    for (const path of [file, `${file}.before-pinyon`]) t.match(statSync(path), { uid: 12_345, gid: 54_321 });
  },
);

t.test("files that are none, or not readable as text, are refused", async (t) => {
  const place = await Place.make(t);
  const refused = (path: string, message: RegExp) => {
    return t.rejects(place.plan("synapse", path), { code: "PINYON_HOMESERVER_FILE", message });
  };
  await refused(join(place.folder, "gone.yaml"), /gone\.yaml: there is no such file/);
  await refused(place.folder, /it is a folder: expected the file in it/);
  await refused(place.write("latin", Buffer.from([0x61, 0x3a, 0x20, 0xe4])), /no UTF-8 text/);
  await refused(place.write("huge", Buffer.alloc(5 * 1024 * 1024)), /more than \d+ bytes/);
});

t.test("a node that is not there is sent to `pinyon init`", async (t) => {
  const { place, file } = await synapse(t);
  const { readOwnNode } = await import("../../src/homeserver/own-node.js");
  mkdirSync(join(place.folder, "empty"), { mode: 0o700 });
  await t.rejects(readOwnNode(join(place.folder, "empty"), place.config), {
    code: "PINYON_KEY",
    message: /pinyon init/,
  });
  await t.rejects(readOwnNode(place.state, file.replace("homeserver.yaml", "gone.yaml")), {
    code: "PINYON_CONFIG",
    message: /there is no such file: `pinyon init` writes it/,
  });
});

t.test("a port in use is refused, and a free one is found where none is asked for", async (t) => {
  const { place, file } = await synapse(t);
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  const message = new RegExp(`127\\.0\\.0\\.1:${port} is in use: choose with --listen`);
  const listen = { host: "127.0.0.1", port };
  await t.rejects(place.plan("synapse", file, { listen }), { code: "PINYON_LISTEN", message });
  const far = { host: "192.0.2.1", port };
  await t.rejects(place.plan("synapse", file, { listen: far }), {
    code: "PINYON_LISTEN",
    message: /cannot be listened on/,
  });
  await t.rejects(place.planNew("synapse", join(place.folder, "new"), { port }), {
    code: "PINYON_LISTEN",
    message: /is in use: choose another port for the homeserver with --port/,
  });
  t.notOk(existsSync(join(place.folder, "new")));
  const { listen: found } = (await place.plan("synapse", file)).join;
  t.ok("port" in found && found.port >= 18_200 && found.port !== port);
});

t.test("a second connect is refused, also where the node's config has a homeserver", async (t) => {
  const { place, file } = await synapse(t);
  await applyPlan(place.state, await place.plan("synapse", file));
  const code = "PINYON_HOMESERVER_CONNECTED";
  await t.rejects(place.plan("synapse", file), {
    code,
    message: /connected to the node of .* already: `pinyon homeserver/,
  });
  await t.rejects(place.planNew("dendrite", join(place.folder, "new")), { code });
  await t.rejects(requireUnconnected(place.state), { code });

  const other = await synapse(t);
  writeFileSync(other.place.config, 'homeserver: {url: "http://127.0.0.1:1", secret: 0123456789abcdef-}\n');
  await t.rejects(other.place.plan("synapse", other.file), { code, message: /`homeserver` is set already/ });
});

t.test("a homeserver that connect made is connected again after disconnect: its own file stays as it is", async (t) => {
  for (const kind of ["synapse", "dendrite"] as const) {
    const place = await Place.make(t);
    const folder = join(place.folder, "new");
    const made = await place.planNew(kind, folder, { port: 18_998 });
    const record = await applyPlan(place.state, made);
    await applyDisconnect(place.state, await planDisconnect(record));
    t.equal(readConfig(place.config).homeserver, undefined);
    const full = { code: "PINYON_HOMESERVER_FOLDER", message: /is connected by --config .*\.yaml/ };
    await t.rejects(place.planNew(kind, folder, { port: 18_998 }), full);

    const again = await place.plan(kind, made.config, { port: 18_998 });
    t.notOk(again.files.some(({ path }) => path === made.config));
    await applyPlan(place.state, again);
    t.match(again.join, kind === "synapse" ? made.join : { url: made.join.url });
    t.match(readConfig(place.config).homeserver, again.join);
  }
});

t.test("a Synapse that another node's connect changed is refused while there is a copy to put back", async (t) => {
  const { place, file } = await synapse(t);
  await applyPlan(place.state, await place.plan("synapse", file));
  rmSync(join(place.state, "homeserver.json"));
  writeFileSync(place.config, "");
  const code = "PINYON_HOMESERVER_CONNECTED";
  await t.rejects(place.plan("synapse", file), { code, message: /it hands its federation to a node already/ });
});

t.test("a file that cannot be written leaves all as it was", async (t) => {
  const { place, file } = await synapse(t);
  const plan = await place.plan("synapse", file);
  const before = place.look();
  // The copy's place is taken between the look and the leap.
  mkdirSync(join(place.state, "pinyon.yaml.before-pinyon"));
  const gone = {
    ...plan,
    files: [...plan.files, { path: join(place.folder, "no/such"), before: undefined, after: "" }],
  };
  await t.rejects(applyPlan(place.state, gone), { code: "PINYON_HOMESERVER_FILE", message: /no\/such: / });
  const { rmdirSync } = await import("node:fs");
  rmdirSync(join(place.state, "pinyon.yaml.before-pinyon"));
  t.same(place.look(), before);
  await requireUnconnected(place.state);
});

t.test("a link to a file stays a link, an older copy stays, and the file beside it is replaced", async (t) => {
  const { place, file } = await synapse(t);
  place.write("homeserver.yaml.before-pinyon", "an older copy");
  const link = join(place.state, "link.yaml");
  symlinkSync(file, link);
  const { files } = await applyPlan(place.state, await place.plan("synapse", link));
  t.equal(files[0]?.path, file);
  t.equal(files[0]?.backup, `${file}.before-pinyon-2`);
  t.equal(readFileSync(`${file}.before-pinyon`, "utf8"), "an older copy");
  t.match(readFileSync(link, "utf8"), /outbound_federation_restricted_to/);
});
