import { once } from "node:events";
import { Agent, createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import t, { type Test } from "tap";
import { EXCHANGE_TIMEOUT_MS, IDLE_TIMEOUT_MS } from "../../src/federation/config.js";
import { federationErrorOf } from "../../src/federation/errors.js";
import { exchange } from "../../src/federation/exchange.js";
import { http1Passage, http1Question } from "../../src/federation/http1.js";
import { VirtualTimers } from "../link/timers.js";

async function serve(t: Test, listener: RequestListener): Promise<{ host: string; port: number }> {
  const server: Server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close().closeAllConnections());
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

/** An exchange with an answer of so many bytes that nobody reads; gives how it ended once all that could move has. */
async function unread(t: Test, sizeBytes: number): Promise<string> {
  const timers = new VirtualTimers();
  const agent = new Agent();
  const answering = await serve(t, (_request, response) => response.end(Buffer.alloc(sizeBytes)));
  let outcome: (text: string) => void = () => {};
  const ended = new Promise<string>((resolve) => {
    outcome = resolve;
  });
  let answer: ServerResponse | undefined;
  const asking = await serve(t, (request, response) => {
    const question = http1Question(request, response);
    const head = { method: "GET", path: "/", headers: {}, hasBody: false };
    const exchanged = exchange(question, http1Passage({ ...answering, agent }, head), () => ({}), timers);
    exchanged.then(String, (error) => federationErrorOf(error).code).then(outcome);
    answer = response;
  });
  const reader = connect(asking).pause();
  t.teardown(() => reader.destroy());
  reader.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  while (answer?.headersSent !== true) await pause();
  for (let turns = 0; turns < 20; turns++) await pause();
  timers.advance(IDLE_TIMEOUT_MS);
  timers.advance(EXCHANGE_TIMEOUT_MS);
  t.equal(timers.pendingCount, 0);
  return ended;
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 10));

t.test("an answer that nobody reads is broken off in time, however much of it waits", async (t) => {
  // What the system holds between two sockets is not known: some of these fit, of some the end waits here, of the others more than that.
  for (const sizeMb of [1, 2, 3, 4, 5, 6, 20]) {
    const outcome = await unread(t, sizeMb * 1_000_000);
    t.ok(outcome === "200" || outcome === "PINYON_TIMEOUT", `${sizeMb} MB: ${outcome}`);
  }
  t.equal(await unread(t, 50_000_000), "PINYON_TIMEOUT");
});
