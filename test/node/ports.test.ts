import t from "tap";
import { nodeConfig } from "../../src/node/config.js";
import { Ports } from "../../src/node/ports.js";
import { PORT_MAX } from "../../src/wire/limits.js";

const REST_MS = 600_000;
const portsOf = (portsMax: number, linksMax = portsMax) => new Ports({ portsMax, linksMax, portRestMs: REST_MS });
const key = (number: number) => Uint8Array.of(number >>> 8, number);

t.test("a number belongs to a key: held twice or claimed again it is the same", async (t) => {
  const ports = portsOf(10);
  const port = ports.claim(key(1), 0)!;
  t.equal(port.number, 1);
  t.equal(ports.claim(key(1), 0), port);
  t.equal(ports.claim(key(2), 0)!.number, 2);
  port.certified = true;
  ports.release(port, 0);
  ports.release(port, 0);
  t.equal(ports.claim(key(1), REST_MS * 5), port, "nobody else needed it");
});

t.test("a freed number rests before another key gets it, and only then loses the last epoch", async (t) => {
  const ports = portsOf(1);
  const port = ports.claim(key(1), 0)!;
  port.certified = true;
  port.lastEpoch = 77;
  ports.release(port, 1_000);
  t.equal(ports.claim(key(2), 1_000 + REST_MS - 1), undefined);
  t.equal(ports.claim(key(1), 1_000 + REST_MS - 1)!.lastEpoch, 77);
  ports.release(port, 2_000);
  t.equal(ports.claim(key(2), 2_000 + REST_MS)!.number, 1);
  t.equal(ports.claim(key(1), 2_000 + REST_MS), undefined);
});

t.test("a number that a link holds is given to nobody else, however long it lasts", async (t) => {
  const ports = portsOf(1);
  const port = ports.claim(key(1), 0)!;
  port.certified = true;
  ports.claim(key(1), 0);
  ports.release(port, 0);
  t.equal(ports.claim(key(2), REST_MS * 9), undefined);
});

t.test("no more numbers are held than there may be links", async (t) => {
  const ports = portsOf(100, 2);
  const first = ports.claim(key(1), 0)!;
  first.certified = true;
  ports.claim(key(2), 0);
  t.equal(ports.claim(key(3), 0), undefined);
  t.equal(ports.claim(key(1), 0), first, "a second link of one pair needs no more");
  ports.release(first, 0);
  ports.release(first, 0);
  t.equal(ports.claim(key(3), 0)!.number, 3, "the freed one rests");
  t.equal(ports.claim(key(1), 0), undefined, "though it has a number, there is no room for its link");
});

t.test("a number that nobody was told of needs no rest", async (t) => {
  const ports = portsOf(1);
  ports.release(ports.claim(key(1), 0)!, 0);
  t.equal(ports.size, 0);
  t.equal(ports.claim(key(2), 0)!.number, 1);
});

t.test(
  "a flood of keys at the full budget of hellos never uses the numbers up, and the table keeps its bound",
  async (t) => {
    const { portsMax, portRestMs, linksMax, hellosBurst, hellosPerSecond } = nodeConfig("native");
    const ports = new Ports({ portsMax, portRestMs, linksMax });
    let refused = 0;
    let number = 0;
    const flood = (nowMs: number) => {
      const stranger = ports.claim(Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number++), nowMs);
      if (stranger === undefined) refused++;
      else {
        stranger.certified = true;
        ports.release(stranger, nowMs);
      }
    };
    for (let i = 0; i < hellosBurst; i++) flood(0);
    for (let nowMs = 0; nowMs < 2 * portRestMs; nowMs += 1_000 / hellosPerSecond) flood(nowMs);
    t.equal(refused, 0);
    t.ok(ports.size <= portsMax, `${ports.size} ports`);
  },
);

t.test("limits that contradict each other are refused", async (t) => {
  t.throws(() => nodeConfig("native", { portsMax: PORT_MAX + 1 }), RangeError);
  t.throws(() => nodeConfig("native", { hellosPerSecond: 200 }), RangeError);
  t.ok(nodeConfig("portable").hellosPerSecond < nodeConfig("native").hellosPerSecond);
});
