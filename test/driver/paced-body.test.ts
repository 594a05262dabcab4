import { connect, createServer, type Http2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import t from "tap";
import { paceBody } from "../../src/driver/paced-body.js";

/** A body whose chunks are noted, one at a time or several at once as a stream of HTTP/2 takes them. */
function bodyOf(aheadBytes: number, failsAfter = Number.POSITIVE_INFINITY) {
  const writes: number[] = [];
  const taken: Buffer[] = [];
  const take = (chunks: Buffer[], done: (error?: Error) => void) => {
    writes.push(Buffer.concat(chunks).length);
    taken.push(...chunks);
    setImmediate(done, writes.length > failsAfter ? new Error("broken") : undefined);
  };
  const body = new Writable({
    write: (chunk, _encoding, done) => take([chunk], done),
    writev: (chunks, done) =>
      take(
        chunks.map(({ chunk }) => chunk),
        done,
      ),
  });
  paceBody(body as unknown as Http2Stream, { aheadBytes });
  return { body, writes, taken };
}

t.test("a body is handed over in pieces that go out soon, whole and in order", async (t) => {
  const { body, writes, taken } = bodyOf(4_096);
  const chunks = [10_000, 100, 5_000, 3_000, 1].map((sizeBytes, i) => Buffer.alloc(sizeBytes, i));
  for (const chunk of chunks) body.write(chunk);
  body.end();
  await finished(body);
  t.same(writes.slice(0, 3), [4_096, 4_096, 1_808]);
  t.ok(Math.max(...writes) <= 4_096);
  t.ok(Buffer.concat(taken).equals(Buffer.concat(chunks)));
});

t.test("on a fast way chunks stay as they came, and together", async (t) => {
  const { body, writes } = bodyOf(65_536);
  for (const sizeBytes of [16_384, 10, 20, 30]) body.write(Buffer.alloc(sizeBytes));
  body.end();
  await finished(body);
  t.same(writes, [16_384, 60]);
});

t.test("a piece that fails is the last, and its writer is told", async (t) => {
  const { body, writes } = bodyOf(4_096, 1);
  body.write(Buffer.alloc(10_000));
  body.write(Buffer.alloc(10_000));
  await t.rejects(finished(body), /broken/);
  t.equal(writes.length, 2);
});

t.test("HTTP/2 ends no body before all of it was handed over, however it is ended", async (t) => {
  const server = createServer((request, response) => {
    let sizeBytes = 0;
    request.on("data", (chunk: Buffer) => {
      sizeBytes += chunk.length;
    });
    request.on("end", () => response.end(String(sizeBytes)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.teardown(() => client.close());
  const asked = async (send: (body: Http2Stream) => void): Promise<number> => {
    const body = client.request({ ":method": "PUT" });
    paceBody(body, { aheadBytes: 4_096 });
    send(body);
    let answer = "";
    for await (const chunk of body) answer += chunk;
    return Number(answer);
  };
  t.equal(await asked((body) => body.end(Buffer.alloc(16_000))), 16_000, "in one piece with its end");
  t.equal(await asked((body) => body.end(Buffer.alloc(100))), 100);
  t.equal(
    await asked((body) => {
      body.cork();
      for (let i = 0; i < 5; i++) body.write(Buffer.alloc(5_000));
      process.nextTick(() => body.uncork());
      body.end();
    }),
    25_000,
    "ended while all of it waits",
  );
  t.equal(
    await asked((body) => {
      body.write(Buffer.alloc(10_000));
      setImmediate(() => body.end());
    }),
    10_000,
    "ended between its pieces",
  );
});
