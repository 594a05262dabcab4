import { createHash } from "node:crypto";
import { once } from "node:events";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import t, { type Test } from "tap";
import { STREAM_AHEAD_BYTES } from "../../src/driver/config.js";
import type { OverlayError } from "../../src/driver/errors.js";
import { systemRandom } from "../../src/driver/random.js";
import type { SessionStream } from "../../src/driver/session-stream.js";
import { linkByMemory, NODE_DEFAULTS, openSession, TestNode, untilReachable, untilSteady } from "./mesh.js";

const MB = 1_000_000;

/** Two nodes with a link, for all tests: a session of its own each. */
const nodes = (async () => {
  const [a, b] = [new TestNode(t), new TestNode(t)];
  linkByMemory(a, b);
  await untilReachable(a, b);
  return [a, b] as const;
})();

const session = async (t: Test) => openSession(t, ...(await nodes));

/** Writes so many random bytes and ends; gives their hash. */
async function send(stream: Writable, sizeBytes: number): Promise<string> {
  const hash = createHash("sha256");
  async function* chunks() {
    for (let left = sizeBytes; left > 0; ) {
      const chunk = systemRandom(Math.min(left, 1 + (systemRandom(2)[0]! << 8)));
      left -= chunk.length;
      hash.update(chunk);
      yield chunk;
    }
  }
  await pipeline(Readable.from(chunks(), { objectMode: false }), stream);
  return hash.digest("hex");
}

/** Reads to the end; gives the hash of what was read. An async iterator would destroy the other half at the end. */
async function receive(stream: Readable): Promise<string> {
  const hash = createHash("sha256");
  stream.on("data", (chunk: Uint8Array) => hash.update(chunk));
  await once(stream, "end");
  return hash.digest("hex");
}

async function readText(stream: Readable): Promise<string> {
  let text = "";
  stream.on("data", (chunk: Uint8Array) => (text += Buffer.from(chunk).toString("latin1")));
  await once(stream, "end");
  return text;
}

/** Writes zeros until nothing more is taken for a while; gives how many bytes were. */
async function fill(stream: SessionStream): Promise<number> {
  const chunk = new Uint8Array(STREAM_AHEAD_BYTES);
  let takenBytes = 0;
  const write = (): void => {
    stream.write(chunk, (error) => {
      if (error) return;
      takenBytes += chunk.length;
      write();
    });
  };
  write();
  await untilSteady(() => takenBytes);
  return takenBytes;
}

const codeOf = async (stream: SessionStream): Promise<unknown> => {
  const [error] = await once(stream, "error");
  return (error as OverlayError).code;
};

t.test("bytes arrive whole and in order, both ways on both streams at once", async (t) => {
  const [a, b] = await session(t);
  t.not(a.initiator, b.initiator);
  const flows = [
    [a.ask, b.answer],
    [b.answer, a.ask],
    [a.answer, b.ask],
    [b.ask, a.answer],
  ] as const;
  const hashes = await Promise.all(flows.map(([from, to]) => Promise.all([send(from, 3 * MB), receive(to)])));
  for (const [sent, received] of hashes) t.equal(received, sent);
});

t.test("one side ends and the other goes on; with both ended the stream closes without an error", async (t) => {
  const [a, b] = await session(t);
  const errors: Error[] = [];
  for (const stream of [a.ask, b.answer]) stream.on("error", (error) => errors.push(error));
  const closed = Promise.all([once(a.ask, "close"), once(b.answer, "close")]);
  a.ask.end("question");
  t.equal(await readText(b.answer), "question");
  b.answer.end("answer");
  t.equal(await readText(a.ask), "answer");
  await closed;
  t.strictSame(errors, []);
});

t.test("a reader that stalls stops the writer at the window, and not the other stream", async (t) => {
  const [a, b] = await session(t);
  const taken = await fill(a.ask);
  const { receiveWindowBytes, sendAheadBytesMax } = NODE_DEFAULTS.sessions;
  t.ok(taken >= receiveWindowBytes, `${taken} bytes fill the window`);
  t.ok(
    taken <= receiveWindowBytes + sendAheadBytesMax + 4 * STREAM_AHEAD_BYTES,
    `${taken} bytes are no more than the bounds`,
  );
  const [sent, received] = await Promise.all([send(b.ask, MB), receive(a.answer)]);
  t.equal(received, sent);

  let readBytes = 0;
  b.answer.on("data", (chunk: Uint8Array) => (readBytes += chunk.length));
  while (readBytes < taken) await once(b.answer, "data");
  t.ok(readBytes >= taken, "the writer went on where the reader did");
});

t.test("destroying a stream gives it up on both sides; the session and its other stream go on", async (t) => {
  const [a, b] = await session(t);
  a.ask.write("half a question");
  await once(b.answer, "readable");
  const code = codeOf(b.answer);
  a.ask.destroy();
  t.equal(await code, "PINYON_STREAM_RESET");
  t.ok(b.answer.destroyed);
  const [sent, received] = await Promise.all([send(b.ask, 10_000), receive(a.answer)]);
  t.equal(received, sent);
});

t.test("a write that waits when its stream is destroyed is called back with an error", async (t) => {
  const [a] = await session(t);
  await fill(a.ask);
  const refused = new Promise((resolve) => a.ask.write("more", resolve));
  a.ask.destroy();
  t.type(await refused, Error);
});

t.test("the end of a session ends its streams with the reason, on both sides", async (t) => {
  const [a, b] = await session(t);
  const codes = Promise.all([a.ask, a.answer, b.ask, b.answer].map(codeOf));
  a.close(300, "lunch");
  t.strictSame(await a.closed, { code: 300, reason: "lunch" });
  t.strictSame(await b.closed, { code: 300, reason: "lunch" });
  t.strictSame(await codes, Array(4).fill("PINYON_SESSION_ENDED"));
  await t.rejects(send(a.ask, 10), "nothing can be written any more");
});

t.test("what arrived of a stream that both sides ended can be read after the session", async (t) => {
  const [a, b] = await session(t);
  a.ask.end("question");
  b.answer.end("answer");
  await once(b.answer, "readable");
  t.equal(await readText(a.ask), "answer");
  a.close(0, "done");
  await b.closed;
  t.equal(await readText(b.answer), "question");
});

t.test("streams that nobody listens to are reset without harm to the process", async (t) => {
  const [a, b] = await session(t);
  a.ask.destroy();
  b.ask.destroy();
  const [sent, received] = await Promise.all([a.closed, Promise.resolve(a.close(0, "done"))]);
  t.equal(sent.code, 0);
  t.equal(received, undefined);
  t.equal((await b.closed).code, 0);
});

t.test("a head takes the first bytes, however they are cut, and the reader the rest", async (t) => {
  const [a, b] = await session(t);
  const head: number[] = [];
  b.answer.head = (bytes) => {
    const want = 10 - head.length;
    head.push(...bytes.subarray(0, want));
    return head.length === 10 ? bytes.subarray(want) : undefined;
  };
  for (let i = 0; i < 15; i++) {
    a.ask.write(Uint8Array.of(i));
    await new Promise((resolve) => setImmediate(resolve));
  }
  a.ask.end();
  t.strictSame(await readText(b.answer), "\n\v\f\r\x0e");
  t.strictSame(head, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
