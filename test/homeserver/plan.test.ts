import t from "tap";
import { shownDiff } from "../../src/homeserver/plan.js";

t.test("a diff shows no secret, however it is written", async (t) => {
  const text = `macaroon_secret_key: "it's \\" a: secret" # keep
#registration_shared_secret: plain, with: signs # and more
  password: 'x'
database: {user: synapse, password: synapse, cp_min: 5}
{"secret": "abc", "b": 1}
connection_string: postgresql://u:hidden@host/db
HTTPS_PROXY=http://pinyon:hidden@127.0.0.1:1
signing_key: ed25519 a hidden
seed: 0123456789
`;
  const shown = shownDiff({ path: "/etc/matrix-synapse/x", before: undefined, after: text }, ["0123456789"]);
  t.equal(
    shown.split("\n").slice(3).join("\n"),
    `+macaroon_secret_key: (not shown) # keep
+#registration_shared_secret: (not shown)
+  password: (not shown)
+database: {user: synapse, password: (not shown)
+{"secret": (not shown), "b": 1}
+connection_string: (not shown)
+HTTPS_PROXY=http://pinyon:(not shown)@127.0.0.1:1
+signing_key: (not shown)
+seed: (not shown)
`,
  );
  t.match(shown, "+++ /etc/matrix-synapse/x", "no more than that");
});

t.test("what only looks like a secret is shown", async (t) => {
  const text =
    "signing_key_path: /etc/a.key\nworker_replication_secret_path: s.txt\npassword_config:\n  enabled: true\nsecret:\n";
  t.equal(
    shownDiff({ path: "x", before: undefined, after: text }).replaceAll("(not shown)", "!"),
    shownDiff({ path: "x", before: undefined, after: text }),
  );
});
