import type { Http2Stream } from "node:http2";
import type { SessionStream } from "./session-stream.js";

type Done = (error?: Error | null) => void;

/**
 * Hands HTTP/2 no more of a body at a time than goes out of the session soon. All that it was given it writes at once, and until that is
 * done it neither reads nor writes anything: on a link of 10 Mbit/s a chunk of 64 KiB kept a small request waiting for 52 ms, and its
 * answer again.
 *
 * The platform takes whatever it writes after `end` for the last of the body, and puts the end of the stream behind it. So the end is held
 * back while more waits than is handed over at a time, and nothing is cut that is written after it.
 */
export function paceBody(body: Http2Stream, session: Pick<SessionStream, "aheadBytes">): void {
  const { _write: write, _writev: writeAll } = body;
  const end = body.end as (...last: unknown[]) => Http2Stream;
  let endsLater = false;
  const endAfter =
    (done: Done): Done =>
    (error) => {
      done(error);
      if (!endsLater || body.writableLength > 0) return;
      endsLater = false;
      end.call(body);
    };
  const writePart = (chunk: Buffer, encoding: BufferEncoding, done: Done): void => {
    const { aheadBytes } = session;
    if (chunk.length <= aheadBytes) {
      write.call(body, chunk, encoding, done);
      return;
    }
    write.call(body, chunk.subarray(0, aheadBytes), encoding, (error) => {
      if (error) done(error);
      else writePart(chunk.subarray(aheadBytes), encoding, done);
    });
  };
  const writeEach = (chunks: { chunk: Buffer; encoding: BufferEncoding }[], at: number, done: Done): void => {
    const { chunk, encoding } = chunks[at]!;
    writePart(chunk, encoding, (error) => {
      if (error || at + 1 === chunks.length) done(error);
      else writeEach(chunks, at + 1, done);
    });
  };
  body._write = (chunk: Buffer, encoding, done) => {
    if (body.writableEnded) write.call(body, chunk, encoding, done);
    else writePart(chunk, encoding, endAfter(done));
  };
  body._writev = (chunks, done) => {
    const isShort = sizeOf(chunks) <= session.aheadBytes;
    if (body.writableEnded || isShort) writeAll!.call(body, chunks, endAfter(done));
    else writeEach(chunks, 0, endAfter(done));
  };
  body.end = (...last: unknown[]) => {
    const [chunk] = last;
    const sizeBytes = typeof chunk === "string" || chunk instanceof Uint8Array ? chunk.length : 0;
    if (body.writableLength + sizeBytes <= session.aheadBytes) return end.apply(body, last);
    endsLater = true;
    if (sizeBytes > 0) body.write(chunk);
    return body;
  };
}

function sizeOf(chunks: readonly { readonly chunk: Buffer }[]): number {
  return chunks.reduce((sum, { chunk }) => sum + chunk.length, 0);
}
