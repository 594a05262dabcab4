import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { configKeys, defaultConfig } from "../../src/daemon/config.js";
import { ConfigError, parseConfig, readConfig } from "../../src/daemon/config-file.js";
import { PinyonError } from "../../src/daemon/errors.js";

const HEX = "ab".repeat(32);

/** The lines of the error that `text` gives. */
function faults(text: string): string[] {
  try {
    parseConfig(text, "node.yaml");
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  return [];
}

t.test("a file with every key is read", async (t) => {
  const config = parseConfig(
    [
      "listen: ['0.0.0.0:18100', '[::]:0']",
      `peers: ['wss://relay.example:18100?key=${HEX}&maxbackoff=5m']`,
      `network: {id: home, secret: 'sixteen characters', roots: [${HEX}]}`,
      `allow: [${HEX}]`,
      "suffix: gateway.example",
      "homeserver: {url: 'http://[::1]:8008/', listen: 'unix:/run/pinyon/federation.sock', secret: 'sixteen-characters'}",
      "leaf: true",
      "discovery: {enabled: false}",
      "metrics: {listen: 127.0.0.1:9}",
      "log: {level: debug}",
    ].join("\n"),
    "node.yaml",
  );
  t.same(config.listen, [
    { host: "0.0.0.0", port: 18_100 },
    { host: "::", port: 0 },
  ]);
  t.equal(config.peers[0]?.host, "relay.example");
  t.equal(config.peers[0]?.backoffMaxMs, 300_000);
  t.same(config.network, { id: "home", secret: "sixteen characters", roots: new Set([HEX]) });
  t.same([...(config.allow ?? [])], [HEX]);
  t.same([config.leaf, config.discovery.enabled, config.log.level], [true, false, "debug"]);
  t.equal(config.suffix, "gateway.example");
  t.same(config.homeserver, {
    url: { host: "::1", port: 8008 },
    listen: { path: "/run/pinyon/federation.sock" },
    secret: "sixteen-characters",
    fastRetries: false,
  });
  t.same(config.metrics.listen, { host: "127.0.0.1", port: 9 });
});

t.test("a certificate needs its key, and a gateway or a node that it is for something to show", async (t) => {
  const gateway = (text: string) => faults(`gateway: {domain: gw.example, allow: [${HEX}], ${text}}`);
  const gateways = (text: string) => faults(`gateways: {nodes: [${HEX}], ${text}}`);
  const files = "certificate: /c.pem, key: /k.pem";
  t.same(gateways(files), []);
  for (const of of [gateway, gateways]) {
    t.match(of("certificate: /c.pem")[0], /certificate.*expected `key` beside it/);
    t.match(of("key: /k.pem")[0], /key.*expected `certificate` beside it/);
  }
  t.match(gateway("terminate: true")[0], /terminate.*expected `certificate` and `key` beside it, or `acme\.hook`/);
  t.match(
    gateways("terminate: false")[0],
    /terminate.*expected `certificate` and `key` beside it, `terminate: true` or/,
  );
  t.match(gateways(`terminate: true, ${files}`)[0], /terminate.*expected no `certificate` beside it/);
  const acme = (text: string) => `acme: {directory: 'https://ca.example/directory'${text}}`;
  for (const text of [
    `gateway: {domain: gw.example, terminate: true, ${files}}`,
    `gateways: {nodes: [${HEX}], terminate: true}`,
    `gateways: {nodes: [${HEX}]}\n${acme("")}`,
    `gateway: {domain: gw.example, terminate: true}\n${acme(", hook: /bin/hook, email: a@example.org")}`,
  ]) {
    t.same(faults(text), []);
  }
  t.match(faults(`gateway: {domain: gw.example, terminate: true}\n${acme("")}`)[0], /or `acme\.hook`/);
  t.match(faults("acme: {directory: 'http://ca.example'}")[0], /expected a URL like https:/);
});

t.test("an empty file, and keys with nothing after them, give the defaults", async (t) => {
  for (const text of ["", "# nothing\n", "peers:\n#  - wss://a\nnetwork:\nlog:\n  level:\n"]) {
    t.same(parseConfig(text, "node.yaml"), defaultConfig());
  }
});

t.test("each fault names file, line, key, what was found and what was expected, all at once", async (t) => {
  const text = [
    "listen: [18100, '0.0.0.0:18100']",
    "leaf: maybe",
    "peers:",
    "  - wss://relay.example:18100",
    "  - https://relay.example",
    "network:",
    "  id: 12",
    "log:",
    "  level: loud",
  ].join("\n");
  t.same(faults(text), [
    "node.yaml:1: `listen[0]` is 18100: expected host:port, like 0.0.0.0:18100 or [::]:18100",
    'node.yaml:2: `leaf` is "maybe": expected true or false',
    'node.yaml:5: `peers[1]` is "https://relay.example": expected a peer URI of the form wss://host:port/path or ws://host:port/path',
    "node.yaml:7: `network.id` is 12: expected a text of 1 to 64 bytes",
    'node.yaml:9: `log.level` is "loud": expected one of error, warn, info, debug',
  ]);
});

t.test("an unknown key is answered with the nearest known one", async (t) => {
  t.same(faults("leaf: true\npeer: []\n"), [
    "node.yaml:2: `peer` is unknown: expected `peers`, which is the nearest known key",
  ]);
  t.same(faults("network:\n  secrte: x\n"), [
    "node.yaml:2: `network.secrte` is unknown: expected `network.secret`, which is the nearest known key",
  ]);
  t.same(faults("level: info\n"), ["node.yaml:1: `level` is unknown: expected it as `log.level`"]);
  t.same(faults("log: {colour: no}"), ["node.yaml:1: `log.colour` is unknown: expected one of `log.level`"]);
});

t.test("what is not YAML, stands twice or is no map is told with its line", async (t) => {
  t.match(faults("leaf: true\nleaf: false\n")[0], /^node\.yaml:2: Map keys must be unique: expected each key once$/);
  t.same(faults("log:\n\tlevel: info\n"), ["node.yaml:2: Tabs are not allowed as indentation: expected spaces"]);
  t.match(faults("peers: [\nleaf: true\n")[0], /^node\.yaml:\d: .*: expected YAML$/);
  t.same(faults("just text"), ['node.yaml:1: "just text": expected lines of the form `key: value`']);
  t.same(faults("log: loud"), ['node.yaml:1: `log` is "loud": expected lines of the form `key: value`']);
});

t.test("no error shows a secret", async (t) => {
  const text =
    "network: {secret: short}\npeers: ['wss://a:1?password=opensesame&key=1']\nhomeserver: {url: 'http://a:1', secret: tiny}\n";
  t.notMatch(faults(text).join("\n"), /short"|opensesame|tiny/);
  t.match(faults(text)[0], /`network\.secret` is not usable .* at least 16 characters/);
});

t.test("a file that cannot be read is a PINYON_CONFIG that names it", async (t) => {
  const file = join(mkdtempSync(join(tmpdir(), "pinyon-")), "none.yaml");
  t.throws(() => readConfig(file), { code: "PINYON_CONFIG", message: /none\.yaml: there is no such file/ });
  t.throws(() => readConfig(tmpdir()), { code: "PINYON_CONFIG", message: /: it is a folder: expected a config file/ });
  writeFileSync(file, "leaf: 1");
  t.throws(() => readConfig(file), { code: "PINYON_CONFIG", message: /none\.yaml:1: `leaf` is 1/ });
});

t.test("whatever a file holds, it is read or refused with PINYON_CONFIG", async (t) => {
  const yamlish = fc.stringMatching(/^[a-z:{}[\]\n "'#&*|>!-]*$/);
  const keyed = fc.tuple(fc.constantFrom(...configKeys().map(({ key }) => key.split(".")[0])), yamlish);
  const texts = fc.oneof(
    yamlish,
    keyed.map(([key, value]) => `${key}: ${value}`),
    fc.json(),
    fc.string(),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        parseConfig(text, "node.yaml");
      } catch (error) {
        return error instanceof PinyonError && error.code === "PINYON_CONFIG";
      }
      return true;
    }),
    { numRuns: 500 },
  );
  t.pass();
});
