import type { Test } from "tap";
import type { Link } from "../../src/link/link.js";
import { CloseCode } from "../../src/wire/codes.js";
import { FRAME_BYTES_MAX } from "../../src/wire/limits.js";
import { until } from "./until.js";

/** Two ends of one link, and the world between them. */
export interface LinkPair {
  /** The end that opened the link. */
  readonly dialled: Link;
  readonly accepted: Link;
  /** The accepted end stops reading. */
  stall(): void;
  /** The accepted end reads again. */
  resume(): void;
  /** Lets some time pass: real or virtual. */
  turn(): Promise<void>;
  /** Frees whatever the pair needed. */
  end(): Promise<void>;
}

/** The lengths where the encoding of WebSocket's length changes, and our own limits. */
const SIZES = [1, 2, 24, 125, 126, 127, 1_400, 4_095, 4_096, 16_384, 61_440, FRAME_BYTES_MAX];
/** Far above what a link and the system's own buffers take. */
const FILL_BYTES_MAX = 64 * 1024 * 1024;

/** What every kind of link must do: one suite for memory, WebSocket and simulated links. */
export function linkContract(t: Test, kind: string, makePair: () => Promise<LinkPair>): void {
  const test = (name: string, body: (t: Test, pair: LinkPair) => Promise<void>): void => {
    t.test(`${kind}: ${name}`, async (t) => {
      const pair = await makePair();
      try {
        await body(t, pair);
      } finally {
        await pair.end();
      }
    });
  };
  testDelivery(test);
  testBackPressure(test);
  testClose(test);
}

type DefineTest = (name: string, body: (t: Test, pair: LinkPair) => Promise<void>) => void;

function testDelivery(test: DefineTest): void {
  test("the ends know who dialled", async (t, { dialled, accepted }) => {
    t.equal(dialled.dialled, true);
    t.equal(accepted.dialled, false);
    t.not(dialled.remote, "");
    t.not(accepted.remote, "");
  });

  test("messages of every size arrive whole and in order, both ways", async (t, pair) => {
    for (const [from, to] of bothWays(pair)) {
      const messages = Array.from({ length: 240 }, (_, index) => pattern(SIZES[index % SIZES.length]!, index));
      const received = collect(to);
      await sendAll(pair, from, messages.map(copy));
      await until("all arrive", () => received.length === messages.length, pair.turn);
      t.ok(messages.every((message, index) => equal(message, received[index])));
    }
  });

  test("a message never arrives inside send", async (t, { dialled, accepted, turn }) => {
    const received = collect(accepted);
    dialled.send(pattern(10, 1));
    t.equal(received.length, 0);
    await until("it arrives", () => received.length === 1, turn);
  });

  test("what comes before onMessage is set waits for it", async (t, { dialled, accepted, turn }) => {
    const messages = [pattern(5, 1), pattern(1_400, 2), pattern(FRAME_BYTES_MAX, 3)];
    for (const message of messages) dialled.send(copy(message));
    for (let turns = 0; turns < 10; turns++) await turn();
    const received = collect(accepted);
    await until("all arrive", () => received.length === messages.length, turn);
    t.ok(messages.every((message, index) => equal(message, received[index])));
  });

  test("a receiver may edit a message in place without touching another", async (t, pair) => {
    for (const [from, to] of bothWays(pair)) {
      const messages = Array.from({ length: 400 }, (_, index) => pattern(1 + ((index * 37) % 1_500), index));
      const received = collect(to, (message, index) => {
        if (index % 2 === 1) message.fill(0xee);
      });
      await sendAll(pair, from, messages.map(copy));
      await until("all arrive", () => received.length === messages.length, pair.turn);
      for (const [index, message] of messages.entries()) if (index % 2 === 1) message.fill(0xee);
      t.ok(messages.every((message, index) => equal(message, received[index])));
    }
  });

  test("a received message, edited in place, can be sent on as it is", async (t, pair) => {
    const { dialled, accepted, turn } = pair;
    const messages = Array.from({ length: 200 }, (_, index) => pattern(1_400, index));
    const received = collect(dialled);
    accepted.onMessage = (message) => {
      message[0] = 0xab;
      accepted.send(message);
    };
    await sendAll(pair, dialled, messages.map(copy));
    await until("all come back", () => received.length === messages.length, turn);
    for (const message of messages) message[0] = 0xab;
    t.ok(messages.every((message, index) => equal(message, received[index])));
  });
}

function testBackPressure(test: DefineTest): void {
  test("a reader that stalls makes the link full, and all arrives when it reads again", async (t, pair) => {
    const { dialled, accepted, turn } = pair;
    const received = collect(accepted);
    let writableCount = 0;
    dialled.onWritable = () => {
      writableCount += 1;
    };
    pair.stall();
    const sent = await fill(pair, dialled);
    t.ok(sent.length > 0 && sent.length * FRAME_BYTES_MAX < FILL_BYTES_MAX, "it becomes full within a bound");
    t.equal(writableCount, 0);

    pair.resume();
    await until("it takes messages again", () => writableCount === 1, turn);
    t.equal(dialled.send(pattern(9, 0)), true);
    await until("all arrive", () => received.length === sent.length + 1, turn);
    t.ok(sent.every((message, index) => equal(message, received[index])));
  });

  test("a link that was never full is not called writable", async (t, { dialled, accepted, turn }) => {
    const received = collect(accepted);
    let writableCount = 0;
    dialled.onWritable = () => {
      writableCount += 1;
    };
    for (let index = 0; index < 20; index++) t.equal(dialled.send(pattern(100, index)), true);
    await until("all arrive", () => received.length === 20, turn);
    t.equal(writableCount, 0);
  });

  test("a sender that goes on while the link is full loses it", async (t, pair) => {
    const { dialled, accepted, turn } = pair;
    collect(accepted);
    const closed = collectClose(dialled);
    pair.stall();
    await fill(pair, dialled);
    for (let index = 0; index < 100; index++) dialled.send(pattern(FRAME_BYTES_MAX, index));
    pair.resume();
    await until("it closes", () => closed.length === 1, turn);
    t.equal(closed[0]?.code, CloseCode.SLOW);
  });
}

function testClose(test: DefineTest): void {
  test("either end closes with a code and a reason that both hear once, later", async (t, pair) => {
    const ends = [collectClose(pair.dialled), collectClose(pair.accepted)];
    readBoth(pair);
    pair.accepted.close(CloseCode.NETWORK, "another network");
    t.same(ends, [[], []], "not inside close");
    await until("both hear", () => ends.every((end) => end.length === 1), pair.turn);
    t.same(ends[0], [{ code: CloseCode.NETWORK, reason: "another network" }]);
    t.same(ends[1], ends[0]);
  });

  for (const [name, code] of Object.entries(CloseCode)) {
    test(`the dialling end closes with ${name}`, async (t, pair) => {
      const ends = [collectClose(pair.dialled), collectClose(pair.accepted)];
      readBoth(pair);
      pair.dialled.close(code, "");
      pair.dialled.close(CloseCode.BUSY, "a second close does nothing");
      await until("both hear", () => ends.every((end) => end.length > 0), pair.turn);
      for (let turns = 0; turns < 5; turns++) await pair.turn();
      t.same(ends, [[{ code, reason: "" }], [{ code, reason: "" }]]);
    });
  }

  test("a long reason arrives, cut between two characters at most", async (t, pair) => {
    const reason = `${"é€😀".repeat(12)}${"x".repeat(300)}`;
    const closed = collectClose(pair.accepted);
    readBoth(pair);
    pair.dialled.close(CloseCode.SIGNATURE, reason);
    await until("the other end hears", () => closed.length === 1, pair.turn);
    const heard = closed[0]?.reason ?? "";
    t.ok(heard.length > 40 && reason.startsWith(heard), heard);
  });

  test("what was sent before a close arrives before it, and nothing after", async (t, pair) => {
    const { dialled, accepted, turn } = pair;
    const events: string[] = [];
    accepted.onMessage = (message) => events.push(`message ${message[0]}`);
    accepted.onClose = (code) => events.push(`close ${code}`);
    for (let index = 0; index < 5; index++) dialled.send(Uint8Array.of(index));
    dialled.close(CloseCode.SHUTDOWN, "done");
    t.equal(dialled.send(Uint8Array.of(99)), false, "a closed link takes nothing");
    await until("it closes", () => events.includes("close 0"), turn);
    t.same(events, ["message 0", "message 1", "message 2", "message 3", "message 4", "close 0"]);
  });

  test("an end that closed hears no more messages, and sends none", async (t, pair) => {
    const { dialled, accepted, turn } = pair;
    const received = collect(accepted);
    const sent = collect(dialled);
    const closed = [collectClose(accepted), collectClose(dialled)];
    dialled.send(Uint8Array.of(1));
    await until("one arrives", () => received.length === 1, turn);
    for (let index = 0; index < 50; index++) dialled.send(pattern(1_400, index));
    accepted.close(CloseCode.DUPLICATE, "");
    accepted.send(Uint8Array.of(2));
    await until("both hear", () => closed.every((end) => end.length === 1), turn);
    t.equal(dialled.send(Uint8Array.of(3)), false);
    for (let turns = 0; turns < 5; turns++) await turn();
    t.equal(received.length, 1);
    t.equal(sent.length, 0);
  });

  test("a close while the link is full comes after what was taken", async (t, pair) => {
    const { dialled, accepted, turn } = pair;
    const received = collect(accepted);
    const closed = [collectClose(accepted), collectClose(dialled)];
    pair.stall();
    const sent = await fill(pair, dialled);
    dialled.close(CloseCode.NOT_ALLOWED, "");
    t.equal(dialled.send(Uint8Array.of(1)), false);
    pair.resume();
    await until("both hear", () => closed.every((end) => end.length === 1), turn);
    t.equal(received.length, sent.length);
    t.ok(sent.every((message, index) => equal(message, received[index])));
    t.same(closed[0], [{ code: CloseCode.NOT_ALLOWED, reason: "" }]);
  });
}

/** `sizeBytes` bytes that differ from one index to the next. */
export function pattern(sizeBytes: number, index: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, offset) => (offset * 7 + index * 13 + (offset >> 8)) & 0xff);
}

/** What `link` receives from now on, each message looked at by `handle` first. */
export function collect(link: Link, handle: (message: Uint8Array, index: number) => void = () => {}): Uint8Array[] {
  const received: Uint8Array[] = [];
  link.onMessage = (message) => {
    handle(message, received.length);
    received.push(message);
  };
  return received;
}

export function collectClose(link: Link): { code: number | undefined; reason: string }[] {
  const closes: { code: number | undefined; reason: string }[] = [];
  link.onClose = (code, reason) => closes.push({ code, reason });
  return closes;
}

export function equal(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0;
}

function bothWays({ dialled, accepted }: LinkPair): [Link, Link][] {
  return [
    [dialled, accepted],
    [accepted, dialled],
  ];
}

function readBoth({ dialled, accepted }: LinkPair): void {
  collect(dialled);
  collect(accepted);
}

/** A link owns what it is sent. */
function copy(message: Uint8Array): Uint8Array {
  return new Uint8Array(message);
}

/** Sends all, waiting while the link is full. */
async function sendAll(pair: LinkPair, link: Link, messages: Uint8Array[]): Promise<void> {
  for (const message of messages) {
    let isFull = true;
    link.onWritable = () => {
      isFull = false;
    };
    if (!link.send(message)) await until("the link takes more", () => !isFull, pair.turn);
  }
}

/** Sends until the link stays full, and gives what it took. */
async function fill(pair: LinkPair, link: Link): Promise<Uint8Array[]> {
  const sent: Uint8Array[] = [];
  const { onWritable } = link;
  for (let bytes = 0; bytes < FILL_BYTES_MAX; bytes += FRAME_BYTES_MAX) {
    const message = pattern(FRAME_BYTES_MAX, sent.length);
    sent.push(message);
    if (link.send(copy(message))) continue;
    let isFull = true;
    link.onWritable = () => {
      isFull = false;
    };
    for (let turns = 0; turns < 50 && isFull; turns++) await pair.turn();
    link.onWritable = onWritable;
    if (isFull) break;
  }
  return sent;
}
