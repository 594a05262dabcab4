import { type Graph, grid, randomConnected } from "../../sim/graphs.js";
import { Network } from "../../sim/network.js";
import { Random } from "../../sim/random.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import type { Session } from "../../src/session/session.js";

/*
 * How long established flows pause when relays fall silent, in virtual time: nothing is reset, nobody is told. 24 flows of 200 bytes
 * each 20 ms, half of them answered byte for byte; three of the nodes between them vanish.
 *
 *   node build/test/bench/failover.js [first seed] [last seed]
 */
const FLOWS = 24;
const VICTIMS = 3;
const TICK_MS = 20;

interface Flow {
  readonly to: number;
  readonly isEchoed: boolean;
  session: Session | undefined;
  lastMs: number;
  pauseMs: number;
}

function run(graph: Graph, seed: number): number[] {
  const random = new Random(seed + 1_000);
  const network = new Network({ seed, graph, crypto: nativeCrypto(), link: { delayMs: 15 } });
  network.run(8_000);
  const order = random.shuffled(Array.from({ length: graph.nodes }, (_, i) => i));
  const victims = order.slice(0, VICTIMS);
  const ends = order.slice(VICTIMS);
  const flows = new Map<string, Flow>();
  for (let i = 0; i < FLOWS; i++) {
    const [from, to] = [ends[i % ends.length]!, ends[(i + 1 + (i % 7)) % ends.length]!];
    if (flows.has(`${from}-${to}`) || flows.has(`${to}-${from}`)) continue;
    const session = network.hosts[from]!.act((node, nowMs) => node.connect(network.key(to), nowMs));
    flows.set(`${from}-${to}`, { to, isEchoed: i % 2 === 0, session, lastMs: Infinity, pauseMs: 0 });
  }
  const indexOf = new Map(network.hosts.map((host) => [String(host.key), host.index]));
  network.onEvent((host, event) => {
    if (event.type !== "readable") return;
    const remote = indexOf.get(String(event.session.remoteKey))!;
    const flow = flows.get(`${remote}-${host.index}`) ?? flows.get(`${host.index}-${remote}`)!;
    for (let bytes = event.session.read(event.stream); bytes !== undefined; bytes = event.session.read(event.stream))
      if (flow.isEchoed && flow.to === host.index) event.session.write(1, bytes, network.nowMs);
    host.used();
    if (flow.isEchoed === (flow.to === host.index)) return;
    flow.pauseMs = Math.max(flow.pauseMs, network.nowMs - flow.lastMs);
    flow.lastMs = network.nowMs;
  });
  const tick = () => {
    for (const [name, flow] of flows) {
      const host = network.hosts[Number(name.split("-")[0])]!;
      host.act((node, nowMs) => {
        flow.session?.write(0, new Uint8Array(200), nowMs);
        node.handleSessionUse(nowMs);
      });
    }
    network.schedule.after(TICK_MS, tick);
  };
  tick();
  network.run(12_000);
  for (const flow of flows.values()) flow.pauseMs = 0;
  for (const victim of victims) network.crash(victim, true);
  network.run(15_000);
  return [...flows.values()].map((flow) => Math.max(flow.pauseMs, network.nowMs - flow.lastMs));
}

const [first = "1", last = "3"] = process.argv.slice(2);
for (const [name, make] of [
  ["random, 60 nodes of degree 4", (random: Random) => randomConnected(60, 61, random)],
  ["grid, 8 by 8", () => grid(8, 8)],
] as const) {
  const pauses: number[] = [];
  for (let seed = Number(first); seed <= Number(last); seed++) pauses.push(...run(make(new Random(seed)), seed));
  const broken = pauses.filter((ms) => ms > 200).sort((a, b) => a - b);
  const at = (part: number) => Math.round(broken[Math.min(broken.length - 1, Math.floor(part * broken.length))]!);
  console.log(
    `${name}: ${broken.length} of ${pauses.length} flows paused over 200 ms: half ${at(0.5)}, 90 % ${at(0.9)}, worst ${at(1)} ms`,
  );
}
