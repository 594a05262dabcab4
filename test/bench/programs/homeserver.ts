/**
 * A homeserver of a few lines: answers what others ask, and asks them, by its node or directly. Its arguments are its server name, the
 * port of loopback that it listens on, that of its node and the secret there.
 */
import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request } from "node:http";
import { request as requestTls, Agent as TlsAgent } from "node:https";
import { pause } from "../figures.js";
import { serve } from "./serve.js";

const [name = "", port, nodePort, secret] = process.argv.slice(2);
const TRANSACTION = JSON.stringify({ origin: name, pdus: [], edus: [], padding: "" });
const BODY = JSON.stringify({ ...JSON.parse(TRANSACTION), padding: "x".repeat(1_024 - TRANSACTION.length) });
const CHUNK = Buffer.alloc(64 * 1024, "media ");
const ENDLESS_BYTES = 500e6;
/** For a body to take all that it can get. */
const SETTLE_MS = 2_000;
const FIRST_MS = 20_000;
const SIGNATURE = `${"A".repeat(85)}A`;
/** More connections than requests at once. */
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const tlsAgent = new TlsAgent({ keepAlive: true, maxSockets: 64 });
const proxyAgent = new Agent({ keepAlive: true, maxSockets: 64 });

const server = createServer((incoming, response) => {
  const [, size] = /^\/_matrix\/federation\/v1\/media\/download\/(\d+)$/.exec(incoming.url!) ?? [];
  if (size !== undefined) {
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": size });
    sendBody(response, Number(size));
    return;
  }
  incoming.resume().once("end", () => {
    response.writeHead(200, { "content-type": "application/json", "content-length": 11 }).end('{"pdus":{}}');
  });
});

function sendBody(response: NodeJS.WritableStream, sizeBytes: number): void {
  let left = sizeBytes;
  const pump = () => {
    while (left > 0) {
      const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
      left -= chunk.length;
      if (!response.write(chunk)) return;
    }
    response.off("drain", pump);
    response.end();
  };
  response.on("drain", pump);
  pump();
}

/** Where a request goes: to another server by the node, or straight to its port, or to that of a classic one. */
interface Way {
  readonly to: string;
  readonly port?: number;
  readonly tls?: { readonly host: string; readonly port: number; readonly ca: string };
}

function ask(way: Way, method: string, path: string, body?: string): Promise<IncomingMessage> {
  const authorization = `X-Matrix origin="${name}",destination="${way.to}",key="ed25519:bench",sig="${SIGNATURE}"`;
  const content = body === undefined ? {} : { "content-type": "application/json", "content-length": body.length };
  const head = { host: way.to, authorization, "user-agent": "bench", ...content };
  if (way.tls !== undefined) {
    const options = { ...way.tls, method, path, headers: head, agent: tlsAgent };
    return new Promise((resolve, reject) => {
      requestTls(options, resolve).on("error", reject).end(body);
    });
  }
  const options =
    way.port === undefined
      ? {
          port: Number(nodePort),
          path: `matrix-federation://${way.to}${path}`,
          headers: { ...head, "proxy-authorization": `Bearer ${secret}` },
          agent: proxyAgent,
        }
      : { port: way.port, path, headers: head, agent };
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", method, ...options }, resolve)
      .on("error", reject)
      .end(body);
  });
}

let transaction = 0;
async function put(way: Way): Promise<number> {
  const startMs = performance.now();
  const answer = await ask(way, "PUT", `/_matrix/federation/v1/send/${transaction++}`, BODY);
  if (answer.statusCode !== 200) throw new Error(`a PUT was answered ${answer.statusCode}: ${await textOf(answer)}`);
  answer.resume();
  await once(answer, "end");
  return performance.now() - startMs;
}

async function putMany(way: Way, count: number, gapMs: number): Promise<number[]> {
  const latencies: number[] = [];
  for (let i = 0; i < count; i++, await pause(gapMs)) latencies.push(await put(way));
  return latencies;
}

const download = (sizeBytes: number) => `/_matrix/federation/v1/media/download/${sizeBytes}`;

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of answer) text += chunk;
  return text;
}

server.listen(Number(port), "127.0.0.1");
await once(server, "listening");

serve({
  /** PUTs a second, so many at once. */
  puts: async ({ atOnce, durationMs, ...way }: Way & { atOnce: number; durationMs: number }) => {
    const startMs = performance.now();
    let count = 0;
    const one = async () => {
      for (; performance.now() < startMs + durationMs; count++) await put(way);
    };
    await Promise.all(Array.from({ length: atOnce }, one));
    return (1_000 * count) / (performance.now() - startMs);
  },
  /** How long each of some PUTs takes, in ms, the next one so long after the last. */
  latencies: ({ count, gapMs, ...way }: Way & { count: number; gapMs: number }) => putMany(way, count, gapMs),
  /** The same while a body comes that is too long to end meanwhile. */
  besideBody: async ({ count, gapMs, ...way }: Way & { count: number; gapMs: number }) => {
    const answer = await ask(way, "GET", download(ENDLESS_BYTES));
    answer.resume().on("error", () => {});
    await pause(SETTLE_MS);
    const latencies = await putMany(way, count, gapMs);
    answer.destroy();
    return latencies;
  },
  /** Begins a download, reads its first bytes and none after them for so long. */
  standStill: async ({ sizeBytes, durationMs, ...way }: Way & { sizeBytes: number; durationMs: number }) => {
    const answer = await ask(way, "GET", download(sizeBytes));
    answer.on("error", () => {});
    await pause(durationMs);
    answer.destroy();
  },
  /** Asks until one PUT is answered with 200. */
  firstPut: async (way: Way) => {
    for (const endMs = performance.now() + FIRST_MS; ; await pause(5)) {
      const isAnswered = await put(way).then(
        () => true,
        () => false,
      );
      if (isAnswered) return;
      if (performance.now() > endMs) throw new Error("no PUT was answered");
    }
  },
  /** How long a download of so many bytes takes, in ms. */
  download: async ({ sizeBytes, ...way }: Way & { sizeBytes: number }) => {
    const startMs = performance.now();
    const answer = await ask(way, "GET", download(sizeBytes));
    let got = 0;
    answer.on("data", (chunk: Buffer) => {
      got += chunk.length;
    });
    await once(answer, "end");
    if (got !== sizeBytes) throw new Error(`a download has ${got} of ${sizeBytes} bytes, status ${answer.statusCode}`);
    return performance.now() - startMs;
  },
});
