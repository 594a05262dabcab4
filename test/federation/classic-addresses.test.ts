import { BlockList, isIPv6 } from "node:net";
import fc from "fast-check";
import t from "tap";
import { refusalOf } from "../../src/federation/classic/addresses.js";
import { isClassicName, parseClassicName } from "../../src/federation/classic/server-name.js";
import { NAME } from "./listening.js";

const REFUSED: Readonly<Record<string, readonly string[]>> = {
  unspecified: ["0.0.0.0", "::"],
  loopback: ["127.0.0.1", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1"],
  private: ["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fec0::1"],
  "link-local": ["169.254.169.254", "fe80::1", "febf::1"],
  "shared (CGNAT)": ["100.64.0.1", "100.127.255.255"],
  "unique local": ["fc00::1", "fd12:3456::1"],
  multicast: ["224.0.0.1", "239.255.255.255", "ff02::1"],
  "IPv4 mapped into IPv6": ["::ffff:127.0.0.1", "::ffff:8.8.8.8", "::FFFF:0808:0808"],
  NAT64: ["64:ff9b::10.0.0.1", "64:ff9b::808:808", "64:ff9b:1::1", "64:ff9b:1:ffff::", "::ffff:0:8.8.8.8"],
  "6to4 or Teredo": ["192.88.99.1", "2001::1", "2001:0:4136:e378::1", "2002:7f00:1::", "2002:808:808::1"],
  reserved: [
    ...["0.1.2.3", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7"],
    ...["240.0.0.1", "255.255.255.255", "::8.8.8.8", "100::1", "4000::1", "2001:db8::1", "2001:20::1", "3fff::1"],
  ],
  "not an address": [
    "",
    "x",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "2130706433",
    "0x7f.1",
    "fe80::1%eth0",
    "2606:4700::1%1",
  ],
};
const PUBLIC = [
  ...[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
  ],
  ...[
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
  ],
  ...["223.255.255.255", "2000::1", "2001:200::1", "2606:4700:4700::1111", "2a00:1450::", "3fff:1000::1"],
];

t.test("an address that is no host of the Internet is refused, and told what it is", async (t) => {
  for (const [refusal, addresses] of Object.entries(REFUSED)) {
    for (const address of addresses) t.equal(refusalOf(address), refusal, address);
  }
  for (const address of PUBLIC) t.equal(refusalOf(address), undefined, address);
});

t.test("this node's own addresses are refused in every form", async (t) => {
  const own = ["8.8.8.8", "2606:4700::8%eth0", "2606:4700:0:0:0:0:0:9"];
  for (const address of ["8.8.8.8", "2606:4700:0::0:8", "2606:4700::9"]) {
    t.equal(refusalOf(address, own), "this node's own", address);
  }
  t.equal(refusalOf("8.8.8.9", own), undefined);
});

t.test("what is allowed lies in no range that the platform's own list has", async (t) => {
  const four = listOf(
    ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"],
    ...["192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"],
    "224.0.0.0/3",
  );
  const six = listOf("::/3", "4000::/2", "8000::/1", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20");
  const edge = fc.constantFrom(
    "2001:db8::",
    "2001:1ff::",
    "2002::",
    "2003::",
    "3fff:fff::",
    "64:ff9b::",
    "::ffff:1.1.1.1",
  );
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), edge), (address) => {
      const isListed = isIPv6(address) ? six.check(address, "ipv6") : four.check(address, "ipv4");
      return (refusalOf(address) !== undefined) === isListed;
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});

function listOf(...subnets: string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [network = "", prefix] = subnet.split("/");
    list.addSubnet(network, Number(prefix), isIPv6(network) ? "ipv6" : "ipv4");
  }
  return list;
}

t.test("a classic server's name is a domain name or an address, with a port or without", async (t) => {
  for (const [text, host, port] of [
    ["matrix.org", "matrix.org", undefined],
    ["Matrix.Example.ORG:8449", "matrix.example.org", 8449],
    ["1.2.3.4", "1.2.3.4", undefined],
    ["1.2.3.4:443", "1.2.3.4", 443],
    ["[2606:4700::1]", "2606:4700::1", undefined],
    ["[2606:4700::1]:65535", "2606:4700::1", 65_535],
    ["xn--bcher-kva.example", "xn--bcher-kva.example", undefined],
  ] as const) {
    const isAddress = /^[[\d]/.test(text);
    t.same(parseClassicName(text), { text, host, port, isAddress }, text);
  }
  const none = [
    ...[
      "",
      "x",
      "localhost",
      "a.localhost",
      "printer.local",
      "a.internal",
      "a.pinyon.alt",
      "matrix.org.",
      ".matrix.org",
    ],
    ...[
      "a..org",
      "-a.org",
      "a-.org",
      "a_b.org",
      "127.1",
      "2130706433",
      "0x7f.0x1",
      "1.2.3.4.5",
      "a.org:0",
      "a.org:65536",
    ],
    ...[
      "a.org:",
      "a.org:x",
      "a.org:123456",
      "[::1",
      "::1",
      "[1.2.3.4]",
      "[fe80::1%eth0]",
      "user@a.org",
      "a.org/",
      "a.org?x",
    ],
    ...["bücher.example", "a.org\r\n", `${"a".repeat(64)}.org`, `${"a.".repeat(127)}org`],
  ];
  for (const text of none) t.equal(parseClassicName(text), undefined, text);
});

t.test("no form of an overlay name is a classic one, and a gateway's name may be delegated to", async (t) => {
  const [label] = NAME.split(".");
  for (const text of [NAME, `${label}.gw.example`, `${label!.toUpperCase()}.gw.example`, `${label}.gw.example:8448`]) {
    t.notOk(isClassicName(text), text);
  }
  t.equal(parseClassicName(`${label}.gw.example:443`)?.port, 443);
  t.ok(isClassicName("matrix.org"));
});
