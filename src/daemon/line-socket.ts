import type { Socket } from "node:net";

const NEWLINE = 0x0a;

/**
 * The lines of a socket, one at a time: while `handle` works on one the socket is not read, so that a client's requests are
 * answered in order and cost no more memory than one line and one chunk. A line of more than `lineBytesMax` ends the reading
 * with `onOversize`; when the other end has closed its side and the last line was worked on, ours is closed. What `handle`
 * rejects with destroys the socket.
 */
export function readLines(
  socket: Socket,
  lineBytesMax: number,
  handle: (line: string) => Promise<void> | void,
  onOversize: () => void,
): void {
  let held: Buffer = Buffer.alloc(0);
  let busy = false;
  let ended = false;
  const drain = async () => {
    busy = true;
    socket.pause();
    for (let end = held.indexOf(NEWLINE); end >= 0 && end <= lineBytesMax; end = held.indexOf(NEWLINE)) {
      const line = held.subarray(0, end).toString("utf8");
      held = held.subarray(end + 1);
      await handle(line);
      if (socket.destroyed) return;
    }
    busy = false;
    if (held.length > lineBytesMax) onOversize();
    else if (ended) socket.end();
    else socket.resume();
  };
  socket.on("data", (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (!busy) drain().catch((error: unknown) => socket.destroy(error as Error));
  });
  socket.on("end", () => {
    ended = true;
    if (!busy) socket.end();
  });
}
