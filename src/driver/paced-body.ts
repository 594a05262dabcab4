import type { Http2Stream } from "node:http2";
import type { SessionStream } from "./session-stream.js";

type Done = (error?: Error | null) => void;

/**
 * Hands HTTP/2 no more of a body at a time than goes out of the session soon. All that it was given it writes at once, and until that is
 * done it neither reads nor writes anything: on a link of 10 Mbit/s a chunk of 64 KiB kept a small request waiting for 52 ms, and its
 * answer again.
 */
export function paceBody(body: Http2Stream, session: Pick<SessionStream, "aheadBytes">): void {
  const { _write: write, _writev: writeAll } = body;
  body._write = (chunk: Buffer, encoding, done) => {
    const { aheadBytes } = session;
    if (chunk.length <= aheadBytes) {
      write.call(body, chunk, encoding, done);
      return;
    }
    write.call(body, chunk.subarray(0, aheadBytes), encoding, (error) => {
      if (error) done(error);
      else body._write(chunk.subarray(aheadBytes), encoding, done);
    });
  };
  body._writev = (chunks, done) => {
    const sizeBytes = chunks.reduce((sum, { chunk }) => sum + (chunk as Buffer).length, 0);
    if (sizeBytes <= session.aheadBytes) writeAll!.call(body, chunks, done);
    else writeEach(body, chunks, 0, done);
  };
}

function writeEach(
  body: Http2Stream,
  chunks: { chunk: Buffer; encoding: BufferEncoding }[],
  at: number,
  done: Done,
): void {
  const { chunk, encoding } = chunks[at]!;
  body._write(chunk, encoding, (error) => {
    if (error || at + 1 === chunks.length) done(error);
    else writeEach(body, chunks, at + 1, done);
  });
}
