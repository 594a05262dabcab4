import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Owner } from "./mesh.js";

/** An address of this host where no resolver is, and ours can stand, beside that of another run. */
const ADDRESS = `127.77.${process.pid % 256}.${1 + ((process.pid >> 8) % 254)}`;

/** How programs run without name resolution. */
export interface NoResolver {
  /** What a command begins with to run without; nothing where that cannot be had. */
  readonly prefix: readonly string[];
  /** Queries that were made all the same; undefined where they cannot be counted. */
  queries(): number | undefined;
}

/**
 * Programs whose only resolver is an address of our own, which answers nothing and counts what it is asked. That takes a mount namespace,
 * so root or user namespaces; and root for the counting.
 */
export async function withoutResolver(owner: Owner): Promise<NoResolver> {
  const folder = mkdtempSync(join(tmpdir(), "pinyon-resolver-"));
  owner.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "resolv.conf");
  writeFileSync(file, `nameserver ${ADDRESS}\noptions timeout:1 attempts:1\n`);
  const prefix = workingPrefix(file);
  const queries = prefix === undefined ? undefined : await countQueries(owner);
  return { prefix: prefix ?? [], queries: () => queries?.() };
}

/** A command that sees another file in place of the system's resolver configuration; undefined where there can be none. */
function workingPrefix(file: string): readonly string[] | undefined {
  const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
  for (const unshare of [
    ["unshare", "--mount"],
    ["unshare", "--mount", "--map-root-user"],
  ]) {
    const prefix = [...unshare, "sh", "-c", script, file];
    try {
      execFileSync(prefix[0]!, [...prefix.slice(1), "grep", "-q", ADDRESS, "/etc/resolv.conf"], { stdio: "ignore" });
      return prefix;
    } catch {
      // Not this way.
    }
  }
  return undefined;
}

/** Counts what arrives where the resolver would be; undefined where nothing can listen there. */
async function countQueries(owner: Owner): Promise<(() => number) | undefined> {
  const socket = createSocket("udp4");
  let count = 0;
  socket.on("message", () => count++);
  socket.bind(53, ADDRESS);
  try {
    await once(socket, "listening");
  } catch {
    return undefined;
  }
  owner.teardown(() => socket.close());
  return () => count;
}
