import type { NodeEvent } from "../src/node/events.js";
import type { Session } from "../src/session/session.js";
import { toHex } from "../src/wire/bytes.js";
import { Flow } from "./flow.js";
import type { Host } from "./host.js";
import type { Network } from "./network.js";

/** The stream that the initiator asks on. */
const STREAM = 0;
/** What is sent steadily: a message of so many bytes, this often. */
const STEADY_BYTES = 64;
export const STEADY_MS = 100;

/** Flows over sessions, written as fast as the sessions take them and checked byte by byte where they arrive. */
export class Traffic {
  readonly flows: Flow[] = [];
  /** Those that send steadily go on. */
  isSteady = true;
  /** The newest flow from one node to another. */
  readonly #byPair = new Map<string, Flow>();
  readonly #bySession = new Map<Session, Flow>();

  constructor(private readonly network: Network) {
    network.onEvent((host, event) => this.#handleEvent(host, event));
  }

  /** Sends so many bytes to a node that this one has no session with yet. */
  send(from: number, to: number, sizeBytes: number): Flow {
    const { network } = this;
    const flow = new Flow(from, to, sizeBytes, network.random.uint32());
    this.flows.push(flow);
    this.#byPair.set(`${toHex(network.key(from))}-${toHex(network.key(to))}`, flow);
    flow.session = network.hosts[from]!.act((node, nowMs) => node.connect(network.key(to), nowMs));
    if (flow.session === undefined) flow.isBroken = true;
    else this.#bySession.set(flow.session, flow);
    return flow;
  }

  /** The same, but that both ends send a small message at equal times, as long as `isSteady` is true. */
  sendSteadily(from: number, to: number): Flow {
    const flow = this.send(from, to, Number.POSITIVE_INFINITY);
    flow.back = new Flow(to, from, Number.POSITIVE_INFINITY, this.network.random.uint32());
    return flow;
  }

  /** Ends the flow's session, at its sender. */
  close({ from, session }: Flow): void {
    const { nowMs } = this.network;
    if (session === undefined) return;
    this.network.hosts[from]!.act((node) => {
      session.close(0, "", nowMs);
      node.handleSessionUse(nowMs);
    });
  }

  #handleEvent(host: Host, event: NodeEvent): void {
    switch (event.type) {
      case "established":
        if (event.initiator) {
          const flow = this.#bySession.get(event.session);
          if (flow !== undefined) flow.isEstablished = true;
          if (flow?.back === undefined) this.#write(host, event.session);
          else this.#writeSteadily(host, event.session, flow, flow);
        } else this.#accept(host, event.session);
        break;
      case "writable":
        this.#write(host, event.session);
        break;
      case "readable":
        this.#read(host, event.session, event.stream);
        break;
      case "finished":
        this.#bySession.get(event.session)?.finish();
        break;
      case "closed":
      case "reset": {
        const flow = this.#bySession.get(event.session);
        if (flow === undefined || flow.isDone || flow.isBroken) break;
        flow.isBroken = true;
        flow.reason = event.type === "closed" ? `${event.code} ${event.reason}` : "reset";
        break;
      }
    }
  }

  #accept(host: Host, session: Session): void {
    const flow = this.#byPair.get(`${toHex(session.remoteKey)}-${toHex(host.key)}`);
    if (flow === undefined) return;
    this.#bySession.set(session, flow);
    if (flow.back !== undefined) this.#writeSteadily(host, session, flow, flow.back);
  }

  /** Writes a direction of a flow from now on, as long as the session, its node and `isSteady` last. */
  #writeSteadily(host: Host, session: Session, flow: Flow, direction: Flow): void {
    const { schedule, random } = this.network;
    const { node } = host;
    const tick = () => {
      if (!this.isSteady || flow.isBroken || host.node !== node) return;
      host.act((node, nowMs) => {
        direction.sentBytes += session.write(STREAM, direction.next(STEADY_BYTES), nowMs);
        node.handleSessionUse(nowMs);
      });
      schedule.after(STEADY_MS, tick);
    };
    schedule.after(random.below(STEADY_MS), tick);
  }

  #write(host: Host, session: Session): void {
    const flow = this.#bySession.get(session);
    if (flow?.from !== host.index || flow.back !== undefined || flow.sentBytes === flow.sizeBytes) return;
    const { nowMs } = this.network;
    for (let chunk = flow.next(); chunk.length > 0; chunk = flow.next()) {
      const taken = session.write(STREAM, chunk, nowMs);
      flow.sentBytes += taken;
      if (taken < chunk.length) break;
    }
    if (flow.sentBytes === flow.sizeBytes) session.finish(STREAM);
    host.used();
  }

  #read(host: Host, session: Session, stream: number): void {
    const flow = this.#bySession.get(session);
    const direction = flow?.from === host.index ? flow.back : flow;
    if (direction === undefined) return;
    for (let bytes = session.read(stream); bytes !== undefined; bytes = session.read(stream)) {
      direction.receive(bytes, this.network.nowMs);
    }
    host.used();
  }
}
