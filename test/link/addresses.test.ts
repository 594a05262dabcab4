import t from "tap";
import {
  isInSubnets,
  isLinkLocalAddress,
  isLocalAddress,
  isLoopbackHost,
  plainAddress,
  sourceOf,
} from "../../src/link/addresses.js";

t.test("loopback, link-local and private addresses are local", async (t) => {
  const local = ["127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.1.1"];
  const local6 = [
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fc00::1",
    "fdff::1",
    "::ffff:10.0.0.1",
    "::ffff:7f00:1",
  ];
  for (const address of [...local, ...local6]) t.equal(isLocalAddress(address), true, address);
});

t.test("public addresses, those of carrier-grade NAT, and no addresses are not", async (t) => {
  const other = [
    "8.8.8.8",
    "100.64.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.169.0.1",
    "169.253.0.1",
    "0.0.0.0",
    "11.0.0.1",
  ];
  const other6 = [
    "::",
    "2001:db8::1",
    "fec0::1",
    "fe00::1",
    "::ffff:8.8.8.8",
    "::ffff:100.64.0.1",
    "64:ff9b::10.0.0.1",
  ];
  for (const address of [...other, ...other6, "", "localhost", "10.0.0", "10.0.0.1.example"]) {
    t.equal(isLocalAddress(address), false, address);
  }
});

t.test("link-local, loopback and subnets are told apart", async (t) => {
  t.equal(isLinkLocalAddress("fe80::1%eth0"), true);
  t.equal(isLinkLocalAddress("10.0.0.1"), false);
  t.equal(isLoopbackHost("localhost"), true);
  t.equal(isLoopbackHost("127.0.0.5"), true);
  t.equal(isLoopbackHost("::1"), true);
  t.equal(isLoopbackHost("10.0.0.1"), false);
  t.equal(isLoopbackHost("localhost.example"), false);
  t.equal(isInSubnets("192.0.2.77", ["198.51.100.1/24", "192.0.2.2/24"]), true);
  t.equal(isInSubnets("192.0.3.77", ["192.0.2.2/24", "fd00::2/64"]), false);
  t.equal(isInSubnets("fd00::77", ["192.0.2.2/24", "fd00::2/64"]), true);
  t.equal(isInSubnets("garbage", ["192.0.2.2/24"]), false);
});

t.test("a source is an IPv4 address or an IPv6 /64", async (t) => {
  t.equal(plainAddress("::ffff:192.0.2.1"), "192.0.2.1");
  t.equal(plainAddress("2001:db8::1"), "2001:db8::1");
  t.equal(sourceOf("192.0.2.1"), "192.0.2.1");
  t.equal(sourceOf("::ffff:192.0.2.1"), "192.0.2.1");
  t.equal(sourceOf("2001:db8:1:2:3:4:5:6"), sourceOf("2001:db8:1:2::9"));
  t.not(sourceOf("2001:db8:1:2::9"), sourceOf("2001:db8:1:3::9"));
  t.equal(sourceOf("2001:db8::9"), "2001:db8:0:0::/64");
  t.equal(sourceOf("::1"), "0:0:0:0::/64");
  t.equal(sourceOf("fe80::1%eth0"), sourceOf("fe80::2%eth0"));
});
