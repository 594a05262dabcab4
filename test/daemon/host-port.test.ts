import t from "tap";
import { formatHostPort, parseHostPort } from "../../src/daemon/host-port.js";

t.test("host:port is read and written back, IPv6 in brackets", async (t) => {
  for (const text of ["127.0.0.1:18100", "[::]:0", "[fe80::1]:65535", "relay.example:1"]) {
    const parsed = parseHostPort(text);
    t.ok(parsed, text);
    t.equal(formatHostPort(parsed!), text);
  }
});

t.test("other forms are refused", async (t) => {
  for (const text of ["18100", ":1", "a:", "a:65536", "::1:80", "[127.0.0.1]:1", "[zz]:1", "a b:1", "a:1:2", "a:-1"]) {
    t.equal(parseHostPort(text), undefined, text);
  }
});
