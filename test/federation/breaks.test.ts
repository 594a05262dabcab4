import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import fc from "fast-check";
import t, { type Test } from "tap";
import { SEND } from "./attacking.js";
import { TestNetwork } from "./network.js";
import { VERSION } from "./raw-node.js";
import { addressOf, ask, headersOf, repeat, startServer, type TestServer } from "./server.js";
import { mustSettle } from "./settling.js";

/*
 * Requests and answers that break off anywhere, by whoever has to do with them: none is ever seen whole that is not, and nothing stays.
 */

const CHUNK_BYTES = 10_000;
const RUNS = 150;
const AT_ONCE = 5;

/** One exchange: chunks of its bodies, and after so many that its asker or its answerer goes, for good or by a reset. */
interface Plan {
  readonly asked: number;
  readonly answered: number;
  readonly isFramed: boolean;
  /** The answer does not wait for the question. */
  readonly isEarly: boolean;
  readonly breaks: "nothing" | "asker" | "answerer" | "session";
  readonly after: number;
  readonly isReset: boolean;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  asked: fc.integer({ min: 0, max: 60 }),
  answered: fc.integer({ min: 0, max: 60 }),
  isFramed: fc.boolean(),
  isEarly: fc.boolean(),
  breaks: fc.constantFrom("nothing", "asker", "answerer", "session"),
  after: fc.integer({ min: 0, max: 60 }),
  isReset: fc.boolean(),
});

/** A stream of chunks that calls `handle` before the one with that index, and slows down for it. */
function chunks(count: number, index: number, handle: () => void): Readable {
  async function* all() {
    let i = 0;
    for (const chunk of repeat(Buffer.alloc(CHUNK_BYTES, 7), count)) {
      if (i++ === index) {
        handle();
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      yield chunk;
    }
  }
  return Readable.from(all());
}

function lengthOf(count: number, isFramed: boolean): Record<string, string> {
  return isFramed ? { "content-length": String(count * CHUNK_BYTES) } : {};
}

t.test("what breaks off anywhere is never seen whole, and leaves nothing", async (t) => {
  const network = new TestNetwork();
  const plans = new Map<string, Plan>();
  const a = await startServer(t, network);
  const b = await startServer(t, network, {
    answers: { [SEND]: (incoming, response) => answer(t, plans.get(incoming.url!), incoming, response, a) },
  });
  let runs = 0;
  const seeds = fc.sample(fc.array(plan, { minLength: AT_ONCE, maxLength: AT_ONCE }), RUNS / AT_ONCE);
  for (const each of seeds) {
    await Promise.all(
      each.map((one) => {
        const path = `${SEND}${runs++}`;
        plans.set(path, one);
        return askBy(t, one, a, b, path);
      }),
    );
    a.node.isOnline = true;
    a.federation.handleConnected();
  }
  t.equal((await ask(a, b.name, { path: VERSION })).status, 200, "what is asked next is served");
  await mustSettle(network, [a, b]);
  for (const { federation } of [a, b]) {
    const { inboundErrors, outboundErrors } = federation.stats;
    t.equal(inboundErrors.PINYON_INTERNAL + outboundErrors.PINYON_INTERNAL, 0);
  }
});

async function askBy(t: Test, plan: Plan, a: TestServer, b: TestServer, path: string): Promise<void> {
  const { asked, answered, isFramed, breaks, after, isReset } = plan;
  const outgoing = request({
    ...addressOf(a),
    method: "PUT",
    path: `https://${b.name}${path}`,
    headers: { ...headersOf(a, b.name, "PUT", path), ...lengthOf(asked, isFramed) },
  });
  outgoing.on("error", () => {});
  const leave = () => {
    if (breaks === "asker") outgoing.socket?.[isReset ? "resetAndDestroy" : "destroy"]();
  };
  chunks(asked, after, leave).pipe(outgoing);
  const closed = new Promise<void>((resolve) => outgoing.once("close", resolve));
  outgoing.once("response", async (incoming: IncomingMessage) => {
    if (after >= asked) leave();
    const sizeBytes = await sizeOf(incoming);
    if (incoming.statusCode !== 200 || sizeBytes === undefined) return;
    if (sizeBytes !== answered * CHUNK_BYTES) t.fail("half an answer was seen whole", { plan, sizeBytes });
    if (breaks === "answerer" && after < answered) t.fail("an answer that broke off was seen whole", { plan });
  });
  await closed;
}

/** Without a plan it is a wake-up. */
async function answer(
  t: Test,
  plan: Plan | undefined,
  incoming: IncomingMessage,
  response: ServerResponse,
  a: TestServer,
): Promise<void> {
  if (plan === undefined) {
    response.end();
    return;
  }
  const { asked, answered, isFramed, isEarly, breaks, after, isReset } = plan;
  const leave = () => {
    if (breaks === "answerer") response.socket?.[isReset ? "resetAndDestroy" : "destroy"]();
    if (breaks === "session") a.node.leave();
  };
  const size = sizeOf(incoming).then((sizeBytes) => {
    if (sizeBytes === undefined) return;
    if (sizeBytes !== asked * CHUNK_BYTES) t.fail("half a request was seen whole", { plan, sizeBytes });
  });
  if (!isEarly) await size;
  if (response.destroyed) return;
  response.writeHead(200, lengthOf(answered, isFramed));
  chunks(answered, after, leave).pipe(response);
}

/** Bytes of a body; undefined where it breaks off. */
async function sizeOf(body: IncomingMessage): Promise<number | undefined> {
  let sizeBytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) sizeBytes += chunk.length;
    return sizeBytes;
  } catch {
    return undefined;
  }
}
