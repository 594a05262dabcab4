import fc from "fast-check";
import t from "tap";
import { FederationError } from "../../src/federation/errors.js";
import { classify, WAKE_PATH } from "../../src/federation/paths.js";
import { fuzzRuns } from "../fuzz/runs.js";

const V1 = "/_matrix/federation/v1";
const refused = { name: "FederationError", code: "PINYON_PATH", status: 404 };

t.test("federation passes, signed", async (t) => {
  const paths = [
    `${V1}/event/%24abc%2Fdef%2F%2Fghi`,
    `${V1}/event/$abc+d=ef`,
    `${V1}/state/%21room%3Aexample.org?event_id=%24abc%2Fdef`,
    `${V1}/state_ids/!room:example.org?event_id=$x`,
    `${V1}/state/%21room%3Aexample.org/?event_id=%24a`,
    `${V1}/make_join/%21r/%40user%3A${"a".repeat(52)}.pinyon.alt?ver=1&ver=12`,
    `${V1}/user/devices/%40per%25cent%3Aexample.org`,
    `${V1}/user/devices/%40a.b..c%3Aexample.org`,
    `${V1}/user/devices/%40jos%C3%A9%3Aexample.org`,
    `${V1}/query/directory?room_alias=%23..%2Fa%0A%3Aexample.org`,
    `${V1}/media/download/abcDEF?timeout_ms=20000`,
    `${V1}/openid/userinfo?access_token=x`,
    `${V1}/version/`,
    "/_matrix/federation/v2/send_join/%21r/%24e?omit_members=true",
    "/_matrix/federation/v3/invite/%21r/%40u",
    "/_matrix/federation/unstable/org.matrix.msc3720/query/account_status",
  ];
  for (const path of paths) {
    for (const method of ["GET", "PUT", "POST"]) t.same(classify(method, path), { isSigned: true, kind: "other" });
  }
  t.same(classify("PUT", `${V1}/send/1750000000000`), { isSigned: true, kind: "send" });
  t.throws(() => classify("GET", `${V1}/send/1750000000000`), refused);
});

t.test("what the specification lets pass without a signature does", async (t) => {
  const other = { isSigned: false, kind: "other" };
  t.same(classify("GET", `${V1}/version`), other);
  t.same(classify("GET", "/.well-known/matrix/server"), other);
  for (const path of ["/_matrix/key/v2/server", "/_matrix/key/v2/server/", "/_matrix/key/v2/server/ed25519:auto"]) {
    t.same(classify("GET", path), { isSigned: false, kind: "keys-of-server" });
  }
  const query = { isSigned: false, kind: "keys-query" };
  t.same(classify("POST", "/_matrix/key/v2/query"), query);
  t.same(classify("GET", "/_matrix/key/v2/query/example.org?minimum_valid_until_ts=1"), query);
  t.same(classify("GET", "/_matrix/key/v2/query/example.org/ed25519:1"), query);
  t.same(classify("POST", WAKE_PATH), { isSigned: false, kind: "wake" });
});

t.test("legacy media pass only where no third server is asked", async (t) => {
  const base = "/_matrix/media/v3/download/example.org/abc";
  const local = [
    `${base}?allow_remote=false`,
    "/_matrix/media/r0/download/example.org/abc?allow_remote=false",
    "/_matrix/media/v1/thumbnail/example.org/abc?width=1&height=1&method=crop&allow_remote=false",
    `${base}/name%20of.png?allow_remote=false&allow_redirect=true&timeout_ms=20000`,
  ];
  for (const path of local) t.same(classify("GET", path), { isSigned: false, kind: "other" }, path);
  const remote = ["", "?", "?allow_remote", "?allow_remote=", "?allow_remote=true", "?allow_remote=False"];
  remote.push("?allow_remote=false&allow_remote=true", "?allow_remote=true&allow_remote=false");
  remote.push("?allow_remote=false&allow_remote=false", "?a=1;allow_remote=true&allow_remote=false");
  remote.push("?allow_remote=false;allow_remote=true", "?allow%5fremote=true&allow_remote=false");
  remote.push("?allow_remote=false&allow_remot%65=true", "?allow_remote=%66alse", "?ALLOW_REMOTE=false");
  remote.push("?allow_remote=false&", "?&allow_remote=false", "?allow_remote=false%00", "??allow_remote=false");
  remote.push("?allow_remote=false&allow_remote", "?allow_remote=0");
  for (const query of remote) t.throws(() => classify("GET", base + query), refused, query);
  for (const path of ["upload?", "config?", "preview_url?url=http://a&", "download/a?", "download/a/b/c/d?"]) {
    t.throws(() => classify("GET", `/_matrix/media/v3/${path}allow_remote=false`), refused, path);
  }
  t.throws(() => classify("POST", `${base}?allow_remote=false`), refused);
});

t.test("client, admin and all other paths are refused, whatever the method", async (t) => {
  const paths = [
    "",
    "*",
    "/",
    "//",
    "/_matrix",
    "/_matrix/",
    "/_matrix/client/versions",
    "/_matrix/client/v3/login",
    "/_synapse/admin/v1/server_version",
    "/_synapse/client/password_reset",
    "/_dendrite/admin/evacuateUser/a",
    "/_matrix/static/",
    "/_matrix/app/v1/ping",
    "/_matrix/identity/v2",
    "/_matrix/federation",
    "/_matrix/federation/",
    "/_matrix/federation/v1",
    "/_matrix/federation/v1/",
    "/_matrix/federation/v0/version",
    "/_matrix/federation/client/v3/login",
    "/_matrix/federationx/v1/version",
    "/_MATRIX/federation/v1/version",
    "/%5fmatrix/federation/v1/version",
    "/_matrix%2ffederation/v1/version",
    "/_matrix/key/v1/server",
    "/_matrix/key/v2/query/",
    "/_matrix/key/v2/server/a/b",
    "/.well-known/matrix/client",
    "/.well-known/matrix/server/",
    "/_pinyon/v1/wake/",
    "/_pinyon/v1/wak%65",
    "/_pinyon/v1/other",
    "/metrics",
    "_matrix/federation/v1/version",
    "http://example.org/_matrix/federation/v1/version",
    `example.org:80${V1}/version`,
  ];
  for (const path of paths) {
    for (const method of ["GET", "PUT", "POST"]) t.throws(() => classify(method, path), refused, path);
  }
});

t.test("other methods are refused", async (t) => {
  for (const method of ["HEAD", "DELETE", "OPTIONS", "PATCH", "CONNECT", "get", "GET ", "", "GET PUT", " "]) {
    t.throws(() => classify(method, `${V1}/state/a`), refused, method);
    t.throws(() => classify(method, "/_matrix/key/v2/server"), refused, method);
  }
  t.throws(() => classify("PUT", "/_matrix/key/v2/query"), refused);
  t.throws(() => classify("GET", "/_matrix/key/v2/query"), refused);
  t.throws(() => classify("POST", "/_matrix/key/v2/server"), refused);
  t.throws(() => classify("GET", WAKE_PATH), refused);
});

t.test("path traversal is refused in every disguise", async (t) => {
  const ups = [
    "..",
    ".",
    "%2e%2e",
    ".%2e",
    "%2E.",
    "%252e%252e",
    "%25252e.",
    "%252525252e%252525252e",
    "..;",
    "..;a=b",
  ];
  ups.push("%2e%2e%3b", "..%3f", "..%23", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "%", "%2", "%zz", "%u002e%u002e");
  ups.push(
    "%00",
    "%0d%0a",
    "%7f",
    "a\\b",
    "a%5cb",
    "a%255cb",
    "/a",
    "a//b",
    "#a",
    "a#b",
    "a\0b",
    "a b",
    "a\tb",
    "a\nb",
  );
  ups.push("é", "a\x7fb", "%ff");
  const slashes = ["/", "%2f", "%2F", "%252f", "%5c", "%5C", "%255c", "\\"];
  for (const up of ups) {
    for (const slash of slashes) {
      const climbing = [
        `${V1}/state/x${slash}${up}${slash}${up}${slash}client`,
        `${V1}/state/x${slash}${up}`,
        `${V1}/${up}${slash}client/v3/login`,
      ];
      // An id may hold a slash that is encoded, and two in a row: they lead nowhere.
      const paths = up === "/a" || up === "a//b" ? climbing.filter(() => slash === "/") : climbing;
      for (const path of paths) t.throws(() => classify("GET", path), refused, JSON.stringify(path));
    }
  }
  for (const query of ["#a", "a#b", "\\", "a b", "é", "\0", "\r\n"]) {
    t.throws(() => classify("GET", `${V1}/version?${query}`), refused, JSON.stringify(query));
  }
  t.throws(() => classify("GET", `${V1}/state/%${"25".repeat(10_000)}2e`), refused, "encoded without end");
});

t.test("however a server decodes and resolves a path that passes, it stays where it was", async (t) => {
  const part = fc.constantFrom(
    ...["..", ".", "/", "\\", "%", "%2", "%25", "25", "%2e", "2e", "%2f", "2f", "%5c", "%c0%ae", ";", "a", "%00", "?"],
  );
  const path = fc.array(part, { minLength: 1, maxLength: 12 }).map((parts) => `${V1}/a${parts.join("")}`);
  let passed = 0;
  const property = fc.property(path, (candidate) => {
    try {
      classify("GET", candidate);
    } catch (error) {
      return error instanceof FederationError && error.code === "PINYON_PATH";
    }
    passed++;
    let text = candidate.split("?")[0]!;
    for (let depth = 0; depth < 8; depth++) {
      if (!resolved(text).startsWith(`${V1}/a`)) return false;
      text = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    }
    return true;
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: fuzzRuns(5_000) }));
  t.ok(passed > 50, `${passed} passed`);
  t.equal(resolved("/a/b;c\\..;d//./e/../f"), "/a/f", "such a server does climb");
});

/** As a server that merges slashes, takes backslashes for them, cuts at semicolons and resolves dots. */
function resolved(path: string): string {
  const segments: string[] = [];
  for (const segment of path.replaceAll("\\", "/").split("/")) {
    const name = segment.replace(/;.*/s, "");
    if (name === "..") segments.pop();
    else if (name !== "" && name !== ".") segments.push(segment);
  }
  return `/${segments.join("/")}`;
}
