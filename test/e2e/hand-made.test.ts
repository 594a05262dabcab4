import { createHash } from "node:crypto";
import type { RequestListener, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { json, text } from "node:stream/consumers";
import t, { type Test } from "tap";
import { errorCount, Memory, whyNoMemory } from "./figures.js";
import { HandMade } from "./hand-made.js";
import { makeMesh, startAll } from "./mesh.js";
import { type Edge, loopback } from "./place.js";
import { eventually, pause, time } from "./steps/step.js";

/* Homeservers that are down, slow or broken, and askers that die: what the daemons beside them make of it, while others are served. */

t.setTimeout(180_000);

/** A and B, linked by a relay. */
const EDGES: readonly Edge[] = [
  [0, 1],
  [2, 1],
];
const REACH_MS = 15_000;
const MEBIBYTE = 1_048_576;
/** What an answer may hold on its way while its asker does not read: windows of HTTP/2 and of the session, and sockets' buffers. */
const HELD_BYTES_MAX = 32 * MEBIBYTE;
const LARGE_BYTES = 500 * MEBIBYTE;
const WARM_UP_BYTES = 64 * MEBIBYTE;
/** What a process may take more at its peak while a large body passes: garbage that waits for its collection. */
const GROWTH_BYTES_MAX = 64 * MEBIBYTE;

const GOOD = "/_matrix/federation/v1/version";
const SEND = "/_matrix/federation/v1/send/1";
const MEDIA = "/_matrix/federation/v1/media/download/large";
const BAD = "/_matrix/federation/v1/media/download/bad";

const nodes = await makeMesh(t, { nodeCount: 3, edges: EDGES, place: await loopback(3), labels: ["A", "R", "B"] });
const [nodeA, nodeB] = [nodes[0]!, nodes[2]!];
const a = await HandMade.beside(t, nodeA);
const b = await HandMade.beside(t, nodeB);
await startAll(nodes);
await nodeA.reach(nodeB, REACH_MS);

/** B's homeserver answers a request for `BAD` so, and others well. */
function badly(answer: RequestListener): void {
  b.answer = (request, response) => (request.url === BAD ? answer(request, response) : response.end("{}"));
}

/** What is asked of B meanwhile is answered. */
async function othersAreServed(t: Test): Promise<void> {
  const { status, body } = await a.ask({ method: "GET", to: b.name, path: GOOD });
  t.same([status, await json(body)], [200, {}], "another request is served meanwhile");
}

/** The status and code that a request for `BAD` is answered with. */
async function refusal(): Promise<{ status: number; errcode: unknown }> {
  const { status, body } = await a.ask({ method: "GET", to: b.name, path: BAD });
  return { status, errcode: ((await json(body)) as { errcode?: unknown }).errcode };
}

t.test("a homeserver that is down is told to its asker, and is asked again when it is back", async (t) => {
  const before = await errorCount(nodeB, "inbound", "PINYON_HOMESERVER");
  await b.stop();
  t.same(await refusal(), { status: 502, errcode: "PINYON_HOMESERVER" });
  t.equal(await errorCount(nodeB, "inbound", "PINYON_HOMESERVER"), before + 1);
  const { status } = await b.ask({ method: "GET", to: a.name, path: GOOD });
  t.equal(status, 200, "what it asks itself is served meanwhile");
  await b.listen();
  await othersAreServed(t);
});

t.test("a homeserver that answers garbage is told to its asker", async (t) => {
  const before = await errorCount(nodeB, "inbound", "PINYON_HOMESERVER_ANSWER");
  badly(({ socket }) => socket.end("what is no HTTP\r\n\r\n"));
  t.same(await refusal(), { status: 502, errcode: "PINYON_HOMESERVER_ANSWER" });
  badly(({ socket }) => socket.end());
  t.same(await refusal(), { status: 502, errcode: "PINYON_HOMESERVER_ANSWER" });
  t.equal(await errorCount(nodeB, "inbound", "PINYON_HOMESERVER_ANSWER"), before + 2);
  await othersAreServed(t);
});

t.test("a slow answer comes, and keeps no other waiting", async (t) => {
  let slow: ServerResponse | undefined;
  badly((_request, response) => {
    slow = response;
  });
  const asked = a.ask({ method: "GET", to: b.name, path: BAD });
  await eventually("B is asked", REACH_MS, async () => slow);
  await othersAreServed(t);
  slow!.writeHead(200);
  slow!.write("slow");
  const { status, body } = await asked;
  await othersAreServed(t);
  slow!.end(" but whole");
  t.same([status, await text(body)], [200, "slow but whole"]);
});

t.test("an answer that ends early is broken off, never passed for whole", async (t) => {
  const before = await errorCount(nodeB, "inbound", "PINYON_BODY_BROKEN");
  const heads = [{ "content-length": 1_000 }, { "transfer-encoding": "chunked" }];
  for (const [index, head] of heads.entries()) {
    badly(({ socket }, response) => {
      response.writeHead(200, head);
      response.write("half");
      setTimeout(() => socket.destroy(), 100);
    });
    const { status, body } = await a.ask({ method: "GET", to: b.name, path: BAD });
    t.equal(status, 200);
    await t.rejects(text(body), { code: "ECONNRESET" }, "the asker sees that it is not whole");
    t.equal(await errorCount(nodeB, "inbound", "PINYON_BODY_BROKEN"), before + index + 1);
    await othersAreServed(t);
  }
});

t.test("an answer that never ends waits for its reader, and ends with its asker", async (t) => {
  let sentBytes = 0;
  let isGone = false;
  badly((_request, response) => {
    response.on("close", () => {
      isGone = true;
    });
    const chunk = Buffer.alloc(65_536);
    const send = () => {
      do sentBytes += chunk.length;
      while (response.write(chunk) && !isGone);
    };
    response.on("drain", send);
    send();
  });
  const { body } = await a.ask({ method: "GET", to: b.name, path: BAD });
  await eventually("it comes to a stop", REACH_MS, async () => {
    const before = sentBytes;
    await pause(500);
    return before === sentBytes ? true : undefined;
  });
  t.ok(sentBytes < HELD_BYTES_MAX, `${sentBytes} bytes wait on the way`);
  await othersAreServed(t);
  body.destroy();
  await eventually("B's homeserver sees its asker go", REACH_MS, async () => isGone || undefined);
  await othersAreServed(t);
});

t.test("a request whose sender dies is broken off, never passed for whole", async (t) => {
  const outcome = new Promise<string>((resolve) => {
    badly((request) => {
      request
        .on("end", () => resolve("whole"))
        .on("aborted", () => resolve("broken off"))
        .resume();
      request.once("data", () => death.abort());
    });
  });
  const death = new AbortController();
  const endless = new Readable({ read: () => {} });
  endless.push("half");
  const asked = a.ask({ method: "PUT", to: b.name, path: BAD, body: endless }, death.signal);
  await t.rejects(asked, { name: "AbortError" });
  t.equal(await outcome, "broken off");
  await othersAreServed(t);
});

t.test("500 MiB are streamed in constant memory", { skip: whyNoMemory() ?? false }, async (t) => {
  await requestArrives(t, WARM_UP_BYTES);
  await answerArrives(t, WARM_UP_BYTES);
  // What stays after the first large bodies, code and pools, is there now.
  const memories = nodes.map((node) => new Memory(node));
  const startedMs = performance.now();
  await answerArrives(t, LARGE_BYTES);
  t.comment(`500 MiB in ${time(performance.now() - startedMs)}`);
  for (const [index, node] of nodes.entries()) {
    const growthBytes = memories[index]!.growthBytes();
    t.ok(
      growthBytes < GROWTH_BYTES_MAX,
      `${node.label} took ${Math.round(growthBytes / MEBIBYTE)} MiB more at its peak`,
    );
  }
});

/** A asks B with a large body. */
async function requestArrives(t: Test, sizeBytes: number): Promise<void> {
  b.answer = async (request, response) => response.end(await sha256(request));
  const { stream, sha256: sent } = large(sizeBytes);
  const { body } = await a.ask({ method: "PUT", to: b.name, path: SEND, body: stream });
  t.equal(await text(body), sent(), "the request that came is the one that was sent");
}

/** B answers A with a large body. */
async function answerArrives(t: Test, sizeBytes: number): Promise<void> {
  const { stream, sha256: sent } = large(sizeBytes);
  b.answer = (_request, response) => stream.pipe(response);
  const { body } = await a.ask({ method: "GET", to: b.name, path: MEDIA });
  t.equal(await sha256(body), sent(), "the answer that came is the one that was sent");
}

/** A body that is made as it is read, and its hash when it was. */
function large(sizeBytes: number): { stream: Readable; sha256: () => string } {
  const hash = createHash("sha256");
  let leftBytes = sizeBytes;
  const stream = new Readable({
    read() {
      if (leftBytes === 0) return void this.push(null);
      const chunk = Buffer.alloc(Math.min(65_536, leftBytes), `${leftBytes} `);
      leftBytes -= chunk.length;
      hash.update(chunk);
      this.push(chunk);
    },
  });
  return { stream, sha256: () => hash.digest("hex") };
}

async function sha256(body: Readable): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of body) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
