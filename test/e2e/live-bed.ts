import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { ControlRequest, PingResult, ResultOf } from "../../src/daemon/control-protocol.js";
import { pinyonCode } from "../../src/daemon/errors.js";
import { parseHostPort } from "../../src/daemon/host-port.js";
import { type Bed, FLOW_EVERY_MS, type FlowState, type MeshPlan } from "./bed.js";
import { DelayProxy } from "./delay-proxy.js";
import type { FlowAnswer, FlowOrder } from "./flow-node.js";
import { type MeshNode, makeMesh, type Owner, peerUri } from "./mesh.js";
import type { Place } from "./place.js";

/** Daemons that are started at a time: one takes half a second of a core. */
const START_AT_ONCE = 2;

/** Clock ticks a second in `/proc`, on every Linux that Node runs on. */
const TICKS_PER_S = 100;

/** The system chooses the port when a daemon starts: one that was free before may be taken by then, where there are many. */
const ANY_PORT: Place = {
  prefix: () => [],
  listen: () => ({ host: "127.0.0.1", port: 0 }),
  address: () => {
    throw new Error("edges are dialled later");
  },
};

/** Daemons in processes of their own, on loopback, each edge of theirs through a proxy that has its delay. They end with the owner. */
export class LiveBed implements Bed {
  /** Of those that have ended, what they had used when that was last asked. */
  readonly #cpuS = new Map<MeshNode, number>();

  private constructor(
    readonly nodes: readonly MeshNode[],
    /** One for each edge. */
    readonly proxies: readonly DelayProxy[],
    private readonly dials: readonly { readonly from: MeshNode; readonly uri: string }[],
    private readonly edgesOf: (node: number) => readonly number[],
  ) {}

  /** Starts the daemons, some at a time; none has a peer yet. */
  static async start(owner: Owner, { graph, seeds }: MeshPlan): Promise<LiveBed> {
    const flowing = seeds.map((_, index) => index);
    const nodes = await makeMesh(owner, { nodeCount: graph.nodes, edges: [], place: ANY_PORT, seeds, flowing });
    const ports: number[] = [];
    for (let first = 0; first < nodes.length; first += START_AT_ONCE) {
      const some = nodes.slice(first, first + START_AT_ONCE);
      for (const node of some) node.start();
      await Promise.all(some.map((node) => node.ready()));
      for (const { listen } of await Promise.all(some.map((node) => node.status())))
        ports.push(parseHostPort(listen[0]!)!.port);
    }
    const proxies = graph.edges.map(([, to], edge) => new DelayProxy(ports[to]!, graph.delaysMs?.[edge] ?? 0));
    owner.teardown(() => Promise.all(proxies.map((proxy) => proxy.close())));
    const dials = await Promise.all(
      graph.edges.map(async ([from, to], edge) => {
        const port = await proxies[edge]!.listen();
        // In the clear, so that the proxies count what the nodes send, and not what TLS makes of it.
        const uri = peerUri(nodes[to]!, { host: "127.0.0.1", port }).replace(/^wss:/, "ws:");
        return { from: nodes[from]!, uri };
      }),
    );
    const edgesOf = (node: number) => graph.edges.flatMap((edge, i) => (edge.includes(node) ? [i] : []));
    return new LiveBed(nodes, proxies, dials, edgesOf);
  }

  nowMs(): number {
    return performance.now();
  }

  pause(forMs: number): Promise<void> {
    return sleep(forMs);
  }

  async open(): Promise<void> {
    await Promise.all(this.dials.map(({ from, uri }) => from.ask({ verb: "peer-add", uri })));
  }

  async lookup(from: number, to: number): Promise<number | undefined> {
    const found = await this.#askOf(from, { verb: "lookup", target: this.nodes[to]!.name });
    return found?.route.length;
  }

  ping(from: number, to: number): Promise<PingResult | undefined> {
    return this.#askOf(from, { verb: "ping", target: this.nodes[to]!.name });
  }

  async keysBelow(node: number, tree: number): Promise<number> {
    return (await this.nodes[node]!.status()).trees[tree]!.tableEntries;
  }

  /** By `/proc`: undefined where there is none. */
  cpuS(): number | undefined {
    try {
      for (const node of this.nodes) if (node.runs) this.#cpuS.set(node, cpuSecondsOf(node.process!.pid!));
    } catch {
      return undefined;
    }
    return [...this.#cpuS.values()].reduce((sum, one) => sum + one, 0);
  }

  sentBytes(): number {
    return this.proxies.reduce((sum, { passedBytes }) => sum + passedBytes, 0);
  }

  async flow(from: number, to: number): Promise<void> {
    const { name } = this.nodes[to]!;
    const { failure } = await this.#order(
      from,
      { do: "flow", to: name, everyMs: FLOW_EVERY_MS },
      "flowing",
      (answer) => {
        return answer.to === name;
      },
    );
    if (failure !== undefined) throw new Error(`no flow from ${from} to ${to}: ${failure}`);
  }

  async mark(): Promise<void> {
    this.#tellAll({ do: "mark" });
  }

  async stopFlows(): Promise<void> {
    this.#tellAll({ do: "stop" });
  }

  async flows(): Promise<FlowState[]> {
    const running = this.nodes.filter((node) => node.runs);
    const reports = await Promise.all(running.map(({ index }) => this.#order(index, { do: "report" }, "report")));
    const sent = new Map(running.map(({ name }, i) => [name, reports[i]!.sentBytes]));
    return reports.flatMap(({ received }, i) =>
      received.map((report) => ({
        ...report,
        from: this.nodes.findIndex(({ name }) => name === report.from),
        to: running[i]!.index,
        sentBytes: sent.get(report.from)?.[running[i]!.name] ?? 0,
      })),
    );
  }

  cut(edge: number): void {
    this.proxies[edge]!.cut();
  }

  heal(edge: number): void {
    this.proxies[edge]!.heal();
  }

  reset(edge: number): void {
    this.proxies[edge]!.reset();
  }

  async powerOff(node: number): Promise<void> {
    for (const edge of this.edgesOf(node)) this.cut(edge);
    await this.nodes[node]!.end("SIGKILL");
  }

  /** What a node answers; undefined where it did not reach whom it was asked for. */
  async #askOf<R extends ControlRequest>(node: number, request: R): Promise<ResultOf<R> | undefined> {
    try {
      return await this.nodes[node]!.ask(request);
    } catch (error) {
      if (pinyonCode(error) === "PINYON_UNREACHABLE") return undefined;
      throw error;
    }
  }

  #tellAll(order: FlowOrder): void {
    for (const node of this.nodes) if (node.runs) node.process!.send(order);
  }

  /** Gives an order to a node's process and waits for the answer to it. */
  #order<T extends FlowAnswer["type"]>(
    node: number,
    order: FlowOrder,
    type: T,
    isIt: (answer: Extract<FlowAnswer, { type: T }>) => boolean = () => true,
  ): Promise<Extract<FlowAnswer, { type: T }>> {
    const process = this.nodes[node]!.process!;
    return new Promise((resolve, reject) => {
      const end = () => void process.off("message", onMessage).off("exit", onExit);
      const onMessage = (message: unknown) => {
        const answer = message as Extract<FlowAnswer, { type: T }>;
        if (answer.type !== type || !isIt(answer)) return;
        end();
        resolve(answer);
      };
      const onExit = () => {
        end();
        reject(new Error(`node ${node} has ended`));
      };
      process.on("message", onMessage).on("exit", onExit);
      process.send(order);
    });
  }
}

/** Seconds of CPU that a process used, its system calls included (proc(5), `stat`, fields 14 and 15). */
function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}
