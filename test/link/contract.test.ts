import t from "tap";
import { Dialer } from "../../src/link/dialer.js";
import type { Link } from "../../src/link/link.js";
import { memoryPair } from "../../src/link/memory.js";
import { parsePeerUri } from "../../src/link/peer-uri.js";
import { type LinkPair, linkContract } from "./contract.js";
import { startListener } from "./listening.js";
import { TcpProxy } from "./proxy.js";
import { realTimers, VirtualTimers } from "./timers.js";
import { until } from "./until.js";

async function makeMemoryPair(): Promise<LinkPair> {
  const [dialled, accepted] = memoryPair();
  return {
    dialled,
    accepted,
    stall: () => accepted.pause(),
    resume: () => accepted.resume(),
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    end: async () => {},
  };
}

async function makeVirtualMemoryPair(): Promise<LinkPair> {
  const timers = new VirtualTimers();
  const [dialled, accepted] = memoryPair({ timers });
  return {
    dialled,
    accepted,
    stall: () => accepted.pause(),
    resume: () => accepted.resume(),
    turn: async () => timers.advance(1),
    end: async () => {},
  };
}

/** A dialer and a listener on loopback, with a proxy between them that can stall. */
async function makeSocketPair(scheme: "ws" | "wss"): Promise<LinkPair> {
  let accepted: Link | undefined;
  let dialled: Link | undefined;
  const { listener, port } = await startListener({
    onLink: (link) => {
      accepted = link;
    },
  });
  const proxy = new TcpProxy(port);
  const dialer = new Dialer({
    uri: parsePeerUri(`${scheme}://127.0.0.1:${await proxy.listen()}`),
    timers: realTimers,
    random: () => 0.5,
    onLink: ({ link }) => {
      dialled = link;
    },
  });
  dialer.start();
  await until("the link opens", () => accepted !== undefined && dialled !== undefined);
  dialer.stop();
  return {
    dialled: dialled!,
    accepted: accepted!,
    stall: () => proxy.stall(),
    resume: () => proxy.resume(),
    turn: () => new Promise((resolve) => setTimeout(resolve, 2)),
    end: async () => {
      await Promise.all([proxy.close(), listener.close()]);
    },
  };
}

linkContract(t, "memory", makeMemoryPair);
linkContract(t, "memory in virtual time", makeVirtualMemoryPair);
linkContract(t, "ws", () => makeSocketPair("ws"));
linkContract(t, "wss", () => makeSocketPair("wss"));
