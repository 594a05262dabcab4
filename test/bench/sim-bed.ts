import { Network } from "../../sim/network.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import type { Session } from "../../src/session/session.js";
import { type Bed, FLOW_EVERY_MS, type FlowState, type MeshPlan } from "../e2e/bed.js";
import { FlowReceiver, flowBytes } from "../e2e/flow.js";

/** A flow of the simulated mesh: the stream that its sender asks on. */
interface SimFlow {
  readonly from: number;
  readonly to: number;
  readonly session: Session;
  readonly receiver: FlowReceiver;
  sentBytes: number;
}

const STREAM = 0;

/** The mesh of a plan in the simulator. What a script awaits happens in virtual time, which goes on while it waits and stands while it works. */
export class SimBed implements Bed {
  #network: Network | undefined;
  #isWriting = true;
  /** Something that the script may wait for has happened. */
  #hasNews = false;
  readonly #flows: SimFlow[] = [];
  readonly #waitingFlows: ((session: Session) => boolean)[] = [];

  /** `seed` is for all that the plan leaves open: how late each message is, up to `jitterMs`. */
  constructor(
    private readonly plan: MeshPlan,
    private readonly seed: number,
    private readonly jitterMs: number,
  ) {}

  /** Runs a script to its end. */
  async run<T>(script: (bed: Bed) => Promise<T>): Promise<T> {
    let isDone = false;
    const result = script(this).finally(() => {
      isDone = true;
    });
    for (;;) {
      await new Promise(setImmediate);
      if (isDone) return result;
      this.#hasNews = false;
      while (!this.#hasNews && this.#net.schedule.step(Number.POSITIVE_INFINITY));
    }
  }

  nowMs(): number {
    return this.#network?.nowMs ?? 0;
  }

  pause(forMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#net.schedule.after(forMs, () => {
        this.#hasNews = true;
        resolve();
      });
    });
  }

  async open(): Promise<void> {
    const crypto = nativeCrypto();
    const { graph, seeds } = this.plan;
    const node = (index: number) => ({ identity: crypto.identityFromSeed(seeds[index]!) });
    this.#network = new Network({ seed: this.seed, graph, crypto, node, link: { jitterMs: this.jitterMs } });
    const indexOf = new Map(this.#net.hosts.map((host) => [String(host.key), host.index]));
    this.#net.onEvent((host, event) => {
      if (event.type === "established") {
        const at = this.#waitingFlows.findIndex((take) => take(event.session));
        if (at >= 0) this.#waitingFlows.splice(at, 1);
      } else if (event.type === "readable") {
        const from = indexOf.get(String(event.session.remoteKey));
        const flow = this.#flows.find((one) => one.from === from && one.to === host.index);
        for (
          let bytes = event.session.read(event.stream);
          bytes !== undefined;
          bytes = event.session.read(event.stream)
        )
          flow?.receiver.receive(bytes, this.nowMs());
        host.used();
      }
    });
  }

  lookup(from: number, to: number): Promise<number | undefined> {
    return new Promise((resolve) => {
      this.#net.ask("lookup", from, this.#net.key(to), ({ ok, route }) => {
        this.#hasNews = true;
        resolve(ok ? route.length : undefined);
      });
    });
  }

  ping(from: number, to: number): Promise<{ rttMs: number; hops: number } | undefined> {
    return new Promise((resolve) => {
      this.#net.ask("ping", from, this.#net.key(to), ({ ok, rttMs, hops }) => {
        this.#hasNews = true;
        resolve(ok ? { rttMs, hops } : undefined);
      });
    });
  }

  async keysBelow(node: number, tree: number): Promise<number> {
    return this.#net.node(node).router.tableSizes()[tree]!;
  }

  cpuS(): undefined {
    return undefined;
  }

  sentBytes(): number {
    return this.#net.hosts.reduce((sum, { sent }) => sum + sent.control + sent.data, 0);
  }

  flow(from: number, to: number): Promise<void> {
    const host = this.#net.hosts[from]!;
    const session = host.act((node, nowMs) => node.connect(this.#net.key(to), nowMs));
    if (session === undefined) throw new Error(`no session from ${from} to ${to}`);
    const flow = { from, to, session, receiver: new FlowReceiver(String(from), this.nowMs()), sentBytes: 0 };
    this.#flows.push(flow);
    return new Promise((resolve) => {
      this.#waitingFlows.push((established) => {
        if (established !== session) return false;
        this.#hasNews = true;
        this.#net.schedule.after(0, () => this.#write(flow));
        resolve();
        return true;
      });
    });
  }

  async mark(): Promise<void> {
    for (const { receiver } of this.#flows) receiver.mark(this.nowMs());
  }

  async stopFlows(): Promise<void> {
    this.#isWriting = false;
  }

  async flows(): Promise<FlowState[]> {
    return this.#flows.map(({ from, to, receiver, sentBytes }) => {
      return { ...receiver.report(this.nowMs()), from, to, sentBytes };
    });
  }

  cut(edge: number): void {
    this.#net.cut(...this.plan.graph.edges[edge]!);
  }

  heal(edge: number): void {
    this.#net.heal(...this.plan.graph.edges[edge]!);
  }

  async powerOff(node: number): Promise<void> {
    this.#net.crash(node, true);
  }

  get #net(): Network {
    if (this.#network === undefined) throw new Error("the mesh is not open yet");
    return this.#network;
  }

  #write(flow: SimFlow): void {
    if (!this.#isWriting) return;
    this.#net.hosts[flow.from]!.act((node, nowMs) => {
      const bytes = flowBytes(flow.sentBytes);
      // Far less than a window: what is not taken now would be lost.
      if (flow.session.write(STREAM, bytes, nowMs) !== bytes.length) throw new Error("the session takes no more");
      flow.sentBytes += bytes.length;
      node.handleSessionUse(nowMs);
    });
    this.#net.schedule.after(FLOW_EVERY_MS, () => this.#write(flow));
  }
}
