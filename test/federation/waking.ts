import { randomBytes } from "node:crypto";
import type { ServerHttp2Stream } from "node:http2";
import { WAKE_PATH } from "../../src/federation/paths.js";
import { type FederationStats, newFederationStats } from "../../src/federation/stats.js";
import { type WakeUpState, WakeUps, type WakeUpsOptions } from "../../src/federation/wake-ups.js";
import { keyToName } from "../../src/wire/name.js";
import { VirtualTimers } from "../link/timers.js";
import { TestNetwork, type TestNode } from "./network.js";

/** The time on the wall when a test begins. */
const START_WALL_MS = 1_700_000_000_000;

/** A server's name, of nobody. */
export function inventName(): string {
  return keyToName(randomBytes(32));
}

/** Servers that wake each other, in a time that moves when a test says so. */
export class WakingWorld {
  readonly timers = new VirtualTimers();
  readonly network = new TestNetwork();
  readonly servers = new Map<string, WakingServer>();
  /** What the clock on the wall is ahead of the timers. */
  wallAheadMs = START_WALL_MS;

  /** A server that is there. */
  async join(options: Partial<WakeUpsOptions> = {}): Promise<WakingServer> {
    const server = new WakingServer(this, this.network.join(), options);
    this.servers.set(server.name, server);
    await server.start();
    return server;
  }

  readonly wallMs = (): number => this.wallAheadMs + Math.round(this.timers.nowMs());

  /** Lets time pass in steps, in each of which what was sent arrives and is answered. */
  async pass(ms: number, stepMs = 100): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
      this.timers.advance(Math.min(stepMs, leftMs));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Lets time pass until something holds; the time that it took. */
  async passUntil(holds: () => boolean, mostMs: number): Promise<number> {
    const startMs = this.timers.nowMs();
    while (!holds()) {
      if (this.timers.nowMs() - startMs > mostMs) throw new Error(`not within ${mostMs} ms`);
      await this.pass(100);
    }
    return this.timers.nowMs() - startMs;
  }
}

export interface Woken {
  readonly by: string;
  readonly atMs: number;
}

/** A node with a homeserver that does nothing but take wake-ups. */
export class WakingServer {
  readonly name: string;
  stats: FederationStats = newFederationStats();
  wakeUps!: WakeUps;
  /** On its disk. */
  kept: WakeUpState = { recent: [], owed: [] };
  saves = 0;
  /** Wake-ups that reached its homeserver. */
  readonly woken: Woken[] = [];
  /** Times at which others asked it for one. */
  readonly askedMs: number[] = [];
  /** Answers other nodes that ask for a wake-up, in place of the node. */
  answer: ((request: ServerHttp2Stream) => void) | undefined;

  constructor(
    readonly world: WakingWorld,
    readonly node: TestNode,
    private readonly options: Partial<WakeUpsOptions>,
  ) {
    this.name = node.name;
    node.handler = async (remote, request, headers) => {
      this.askedMs.push(world.timers.nowMs());
      request.on("error", () => {});
      if (this.answer !== undefined) return this.answer(request);
      const isRight = headers[":path"] === WAKE_PATH && headers[":authority"] === this.name;
      const isTaken = isRight && headers[":method"] === "POST" && this.wakeUps.handleAsked(await remote.name);
      request.respond({ ":status": isTaken ? 202 : 429 }, { endStream: true });
    };
  }

  /** Starts the daemon, also anew; what is kept is all that it knows. */
  async start(): Promise<void> {
    this.node.isOnline = true;
    this.stats = newFederationStats();
    this.wakeUps = new WakeUps({
      overlay: this.node,
      timers: this.world.timers,
      wallMs: this.world.wallMs,
      random: Math.random,
      stats: this.stats,
      kept: {
        load: async () => this.kept,
        save: (state) => {
          this.saves++;
          this.kept = JSON.parse(JSON.stringify(state)) as WakeUpState;
        },
        written: async () => {},
      },
      sendSigned: async (name) => this.#wake(name),
      ...this.options,
    });
    await this.wakeUps.start();
  }

  /** Stops the daemon: nobody finds it. */
  stop(): void {
    void this.wakeUps.stop();
    this.node.leave();
  }

  /** Kills it: what is not yet written is lost. */
  kill(): void {
    const { kept } = this;
    this.stop();
    this.kept = kept;
  }

  #wake(name: string): boolean {
    const other = this.world.servers.get(name);
    if (other === undefined || !other.node.isOnline || !this.node.isOnline) return false;
    other.woken.push({ by: this.name, atMs: this.world.timers.nowMs() });
    other.wakeUps.noteContact(this.name);
    other.wakeUps.handlePaid(this.name);
    this.wakeUps.noteContact(name);
    return true;
  }
}
