import fc from "fast-check";
import t from "tap";
import { PROXY_HEADER_BYTES_MAX } from "../../src/federation/gateway/config.js";
import { isProxyHeader, readProxyHeader } from "../../src/federation/gateway/proxy-header.js";
import { plainAddress, sourceOf } from "../../src/federation/gateway/source.js";
import { binaryHeader, V4, V6 } from "./proxy-headers.js";

const text = (line: string) => Buffer.from(line, "latin1");
const LINE = "PROXY TCP4 8.0.0.7 8.0.0.1 40000 443\r\n";

t.test("a header of either version gives the address, and says how long it is", async (t) => {
  const mapped = Buffer.concat([Buffer.alloc(10), Buffer.from([255, 255, 8, 0, 0, 7]), Buffer.alloc(20)]);
  const cases: [header: Buffer, address: string | undefined][] = [
    [binaryHeader(0x21, 0x11, V4), "8.0.0.7"],
    [binaryHeader(0x21, 0x21, V6), "2600::7"],
    [binaryHeader(0x21, 0x21, mapped), "8.0.0.7"],
    [binaryHeader(0x21, 0x11, Buffer.concat([V4, Buffer.from([4, 0, 1, 0])])), "8.0.0.7"],
    [binaryHeader(0x20, 0x00), undefined],
    [binaryHeader(0x20, 0x11, V4), undefined],
    [binaryHeader(0x21, 0x00, Buffer.alloc(5)), undefined],
    [text(LINE), "8.0.0.7"],
    [text("PROXY TCP6 2600:0::7 ::1 40000 443\r\n"), "2600::7"],
    [text("PROXY UNKNOWN\r\n"), undefined],
    [text("PROXY UNKNOWN whatever it is\r\n"), undefined],
  ];
  for (const [header, address] of cases) {
    const bytes = Buffer.concat([header, text("the rest")]);
    t.same(readProxyHeader(bytes), { found: { address }, takenBytes: header.length }, header.toString("latin1"));
    for (let sizeBytes = 0; sizeBytes < header.length; sizeBytes++) {
      t.equal(readProxyHeader(header.subarray(0, sizeBytes)), "more", `${sizeBytes} bytes of it`);
    }
  }
});

t.test("what is in any way another header is none", async (t) => {
  const none: Buffer[] = [
    text("GET / HTTP/1.1\r\n"),
    text("\r\n\r\n\0\r\nQUIT\r"),
    Buffer.from([22, 3, 1]),
    binaryHeader(0x22, 0x11, V4),
    binaryHeader(0x11, 0x11, V4),
    binaryHeader(0x21, 0x12, V4),
    binaryHeader(0x21, 0x31, Buffer.alloc(216)),
    binaryHeader(0x21, 0x11, V4.subarray(1)),
    binaryHeader(0x21, 0x21, V4),
    binaryHeader(0x21, 0x11, Buffer.alloc(PROXY_HEADER_BYTES_MAX)),
    text(LINE.replace("TCP4", "TCP5")),
    text(LINE.replace("TCP4", "TCP6")),
    text(LINE.replace("8.0.0.7", "8.0.0.07")),
    text(LINE.replace("8.0.0.7", "8.0.0.256")),
    text(LINE.replace("443", "0443")),
    text(LINE.replace("443", "65536")),
    text(LINE.replace("443", "443 1")),
    text(LINE.replace("\r\n", "\n")),
    text(LINE.replace("PROXY", "proxy")),
    text(`PROXY UNKNOWN ${"x".repeat(107)}`),
    text("PROXY UNKNOWN \0\r\n"),
  ];
  for (const bytes of none) t.equal(readProxyHeader(bytes), undefined, bytes.toString("latin1"));
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(text("PROXY "), binaryHeader(0x21, 0x11)),
      (end, start) => {
        readProxyHeader(Buffer.concat([start.subarray(0, 13), end]));
        readProxyHeader(Buffer.from(end));
      },
    ),
  );
  t.same([text(LINE), binaryHeader(0x20, 0), text("PROX"), Buffer.from([22, 3, 1])].map(isProxyHeader), [
    true,
    true,
    false,
    false,
  ]);
});

t.test("an address has one form, and a source is one of IPv4 or a network of IPv6", async (t) => {
  const cases: [address: string, plain: string | undefined, source?: string][] = [
    ["8.0.0.7", "8.0.0.7", "8.0.0.7"],
    ["::ffff:8.0.0.7", "8.0.0.7", "8.0.0.7"],
    ["0:0:0:0:0:FFFF:0800:0007", "8.0.0.7", "8.0.0.7"],
    ["2600:1:2:3:4:5:6:7", "2600:1:2:3:4:5:6:7", "2600:1:2:3::/64"],
    ["2600:0001:2:3::", "2600:1:2:3::", "2600:1:2:3::/64"],
    ["fe80::1%eth0", "fe80::1", "fe80:0:0:0::/64"],
    ["::1", "::1", "0:0:0:0::/64"],
    ["8.0.0", undefined],
    ["a.example", undefined],
  ];
  for (const [address, plain, source] of cases) {
    t.equal(plainAddress(address), plain, address);
    if (plain !== undefined) t.equal(sourceOf(plain), source, address);
  }
});
