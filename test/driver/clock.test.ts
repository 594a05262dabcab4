import { once } from "node:events";
import { type AddressInfo, createServer, connect as dial, type Socket } from "node:net";
import t, { type Test } from "tap";
import { Clock } from "../../src/driver/clock.js";
import { STALL_MS } from "../../src/driver/config.js";
import { stall } from "./stall.js";

async function socketPair(t: Test): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const near = dial((server.address() as AddressInfo).port, "127.0.0.1");
  const [far] = (await accepted) as [Socket];
  t.teardown(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return [near, far];
}

t.test("time only grows", async (t) => {
  const clock = new Clock();
  const readings = Array.from({ length: 1_000 }, () => clock.nowMs());
  t.ok(readings.every((reading, i) => i === 0 || reading >= readings[i - 1]!));
});

t.test("a callback comes once, not before its time by more than a millisecond", async (t) => {
  const clock = new Clock();
  const startMs = clock.nowMs();
  let calls = 0;
  await new Promise<void>((resolve) => {
    clock.after(20, () => {
      calls++;
      setTimeout(resolve, 5);
    });
  });
  t.equal(calls, 1);
  t.ok(clock.nowMs() - startMs >= 19);
});

t.test("a cancelled callback never comes", async (t) => {
  const clock = new Clock();
  let calls = 0;
  const cancel = clock.after(1, () => calls++);
  cancel();
  cancel();
  await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(calls, 0);
});

t.test("after a stall what came in is handled before timers fire", async (t) => {
  const [near, far] = await socketPair(t);
  const clock = new Clock();
  const order: string[] = [];
  far.on("data", () => order.push("data"));
  const fired = new Promise<void>((resolve) => {
    clock.after(10, () => {
      order.push("timer");
      resolve();
    });
  });
  setImmediate(() => {
    near.write("ping");
    stall(STALL_MS + 200);
  });
  await fired;
  t.strictSame(order, ["data", "timer"]);
});

t.test("a deadline that is already long past counts as a stall", async (t) => {
  const [near, far] = await socketPair(t);
  const clock = new Clock();
  const order: string[] = [];
  far.on("data", () => order.push("data"));
  await new Promise<void>((resolve) => {
    setImmediate(() => {
      near.write("ping");
      stall(50);
      clock.after(-STALL_MS - 1, () => {
        order.push("timer");
        resolve();
      });
      stall(50);
    });
  });
  t.strictSame(order, ["data", "timer"]);
});

t.test("a timer cancelled by the input of a stall does not fire", async (t) => {
  const [near, far] = await socketPair(t);
  const clock = new Clock();
  let calls = 0;
  const cancel = clock.after(10, () => calls++);
  const answered = once(far, "data").then(cancel);
  setImmediate(() => {
    near.write("pong");
    stall(STALL_MS + 200);
  });
  await answered;
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(calls, 0);
});
