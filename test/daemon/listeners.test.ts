import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import t from "tap";
import { DEFAULT_PORT_TRIES } from "../../src/daemon/limits.js";
import { firstFree, isAdmittedUnset, openListeners } from "../../src/daemon/listeners.js";
import { LISTENER_CERTIFICATE } from "../link/listening.js";
import { realTimers } from "../link/timers.js";

const OPTIONS = { certificate: LISTENER_CERTIFICATE, timers: realTimers, onLink: () => {} };

const cards = Object.values(networkInterfaces()).flatMap((card) => card ?? []);
const noIpv6 = cards.some(({ family }) => family === "IPv6") ? false : "no IPv6 here";

function listening(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject).listen(port, "127.0.0.1", () => resolve(server));
  });
}

t.test("each address gets a listener; where one cannot be had none stays open", async (t) => {
  const loopback = { host: "127.0.0.1", port: 0 };
  const listeners = await openListeners([loopback, loopback], OPTIONS);
  const [first, second] = listeners.map((listener) => listener.address()!.port);
  t.not(first, second);
  await Promise.all(listeners.map((listener) => listener.close()));
  const busy = await listening(0);
  t.teardown(() => busy.close());
  const taken = (busy.address() as { port: number }).port;
  const addresses = [
    { host: "127.0.0.1", port: first! },
    { host: "127.0.0.1", port: taken },
  ];
  await t.rejects(openListeners(addresses, OPTIONS), {
    code: "PINYON_LISTEN",
    message: `127.0.0.1:${taken}: another program listens there: stop it, or change \`listen\` in the config file`,
  });
  (await listening(first!)).close();
});

t.test("[::] takes IPv4 as well, with 0.0.0.0 beside it in either order", { skip: noIpv6 }, async (t) => {
  const free = await listening(0);
  const { port } = free.address() as { port: number };
  await new Promise((resolve) => free.close(resolve));
  const both = [
    { host: "::", port },
    { host: "0.0.0.0", port },
  ];
  for (const addresses of [both, both.toReversed()]) {
    const listeners = await openListeners(addresses, OPTIONS);
    t.match(
      listeners.map((listener) => listener.address()),
      [{ address: "::", port }],
    );
    await t.rejects(listening(port), { code: "EADDRINUSE" });
    await Promise.all(listeners.map((listener) => listener.close()));
  }
});

t.test("unset, this machine is admitted by each of its addresses, and strangers are not", async (t) => {
  for (const { address } of cards) t.ok(isAdmittedUnset(address), address);
  t.ok(isAdmittedUnset("10.1.2.3"));
  t.notOk(isAdmittedUnset("203.0.113.1"));
});

t.test("an address that this machine does not have is said so", async (t) => {
  await t.rejects(openListeners([{ host: "203.0.113.1", port: 0 }], OPTIONS), {
    code: "PINYON_LISTEN",
    message: /203\.0\.113\.1:0: this machine has no such address/,
  });
});

t.test("a default port that is in use is passed over, as far as the limit", async (t) => {
  const busy = await listening(0);
  t.teardown(() => busy.close());
  const { port } = busy.address() as { port: number };
  const next = await firstFree(port, "listen", async (free) => {
    if (free === port) await listening(free);
    return free;
  });
  t.equal(next, port + 1);
  const tried: number[] = [];
  const none = firstFree(port, "listen", (free) => {
    tried.push(free);
    return listening(port);
  });
  await t.rejects(none, { code: "PINYON_LISTEN", message: /are all in use: set `listen`/ });
  t.equal(tried.length, DEFAULT_PORT_TRIES);
});
