import { readUint16, writeUint16 } from "../wire/bytes.js";

/** A list of ports as the bytes of a frame: two a port. */
export function encodePorts(ports: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(2 * ports.length);
  for (let i = 0; i < ports.length; i++) writeUint16(bytes, 2 * i, ports[i]!);
  return bytes;
}

/** The ports that an even number of bytes spell. */
export function decodePorts(bytes: Uint8Array): Uint16Array {
  const ports = new Uint16Array(bytes.length >>> 1);
  for (let i = 0; i < ports.length; i++) ports[i] = readUint16(bytes, 2 * i);
  return ports;
}

export function equalPorts(a: Uint16Array, b: Uint16Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
