/** Two addresses and ports, as version 2 of the PROXY protocol holds them. */
export const V4 = Buffer.from([8, 0, 0, 7, 8, 0, 0, 1, 0x9c, 0x40, 1, 0xbb]);
export const V6 = Buffer.concat([
  Buffer.from("26000000000000000000000000000007", "hex"),
  Buffer.alloc(16),
  Buffer.from([0x9c, 0x40, 1, 0xbb]),
]);

/** A header of version 2 with any content. */
export function binaryHeader(command: number, family: number, content: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.from("\r\n\r\n\0\r\nQUIT\n\0\0\0\0", "latin1");
  head[12] = command;
  head[13] = family;
  head.writeUInt16BE(content.length, 14);
  return Buffer.concat([head, content]);
}

/** One for a connection from an address of IPv4. */
export function headerFrom(address: string): Buffer {
  return binaryHeader(0x21, 0x11, Buffer.concat([Buffer.from(address.split(".").map(Number)), V4.subarray(4)]));
}
