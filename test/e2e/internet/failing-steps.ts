import { randomBytes } from "node:crypto";
import type { MatrixClient } from "../matrix-client.js";
import type { Scene } from "../stage.js";
import { eventually, type Finding, must, pause, type Step, time, timed } from "../steps/step.js";
import { hasTexts } from "../steps/talk.js";
import type { Network } from "./hosts.js";
import type { GatewayHost, MixedStage } from "./mixed-stage.js";
import { eachCrossing, messagesOfAll, ROOM_VERSION, sendTexts } from "./mixed-steps.js";
import { operatorAsks } from "./operator-step.js";

const MISSED = 30;
/** A Synapse of the classic federation asks again after 4 s, 16 s and then each minute, somewhat more or less. */
const RETRY_MS = 120_000;
/** State of a room, as large as that of some thousand members. */
const STATE_EVENTS = 40;
const STATE_BYTES = 20_000;
/** So that a join takes some seconds. */
const SLOW_BITS_PER_S = 2_000_000;
/** A gateway is killed when it has sent so much of a join's answer. */
const KILL_AT_BYTES = 200_000;
const JOIN_MS = 60_000;

/** What happens to gateways, and what it costs. */
export function failingSteps({ cutMs }: { cutMs: number }): readonly Step<MixedStage>[] {
  return [
    { title: "history fetched from across", run: (stage) => eachCrossing(stage, history) },
    {
      title: `both gateways cut off from the Internet for ${cutMs / 1_000} s, and healed`,
      run: (stage) => gatewaysCut(stage, cutMs),
    },
    {
      title: "a gateway killed in mid-join, from the classic side",
      run: (stage) => killedInMidJoin(stage, "internet"),
    },
    { title: "an exit killed in mid-join, from the overlay's side", run: (stage) => killedInMidJoin(stage, "lan") },
    { title: "one gateway gone, the other takes over, and back", run: takeOver },
    { title: "HAProxy before both gateways, one of them killed", run: behindHaproxy },
    { title: "the operator asks who used the gateways", run: operatorAsks },
  ];
}

/** Bob joins a room in which there has been much talk, and his homeserver fetches what was said. */
async function history({ a, alice, bob }: Scene): Promise<Finding> {
  const name = `archive${randomBytes(4).toString("hex")}`;
  const roomId = await alice.createRoom({ room_alias_name: name, preset: "public_chat", room_version: ROOM_VERSION });
  const texts = await sendTexts(alice, roomId, name, MISSED);
  await bob.join(`#${name}:${a.name}`);
  await hasTexts(bob, roomId, alice, texts);
  return { text: `${MISSED} messages`, figures: { messages: MISSED } };
}

/** Everybody talks on while no classic server reaches the overlay; then all is everywhere, in order and once. */
async function gatewaysCut(stage: MixedStage, cutMs: number): Promise<Finding> {
  for (const { host } of stage.gateways) host.cut("internet");
  const healMs = performance.now() + cutMs;
  const sent = messagesOfAll(stage, 10, cutMs + RETRY_MS);
  await pause(healMs - performance.now());
  for (const { host } of stage.gateways) host.heal("internet");
  const durationMs = await timed(() => sent);
  return { text: `all messages everywhere ${time(durationMs)} after`, figures: { cutMs, durationMs } };
}

/**
 * Somebody joins a room with much state from across; the gateway that carries its state is killed in the middle. It costs a retry: the other
 * one carries it. `network` is the one that the state passes to: that of the one who joins.
 */
async function killedInMidJoin(stage: MixedStage, network: Network): Promise<Finding> {
  const [a] = stage.overlay;
  const [synapse] = stage.classic;
  const { roomId, alice, bob } = await roomWithState(
    network === "internet" ? stage.scene(a, synapse) : stage.scene(synapse, a),
  );
  for (const { host } of stage.gateways) host.slow(network, SLOW_BITS_PER_S);
  let killed: GatewayHost | undefined;
  let joined: { attempts: number; durationMs: number };
  try {
    const joining = joinAgain(bob, roomId, alice);
    killed = await carrier(stage.gateways, network, KILL_AT_BYTES);
    await killed.node.end("SIGKILL");
    joined = await joining;
  } finally {
    for (const { host } of stage.gateways) host.slow(network, undefined);
  }
  must(joined.attempts > 1 || killed !== undefined, "no gateway was killed");
  const state = await bob.state(roomId);
  const events = state.filter(({ type }) => type === STATE_TYPE).length;
  must(events === STATE_EVENTS, `${events} of ${STATE_EVENTS} events of state came`);
  for (const [sender, reader] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    await hasTexts(reader, roomId, sender, await sendTexts(sender, roomId, stage.marker, 3), RETRY_MS);
  }
  await started(killed);
  const { attempts, durationMs } = joined;
  const text = `${killed.node.label} killed after ${KILL_AT_BYTES / 1_000} kB; joined at attempt ${attempts}, after ${time(durationMs)}, with all state`;
  return { text, figures: { attempts, durationMs } };
}

const STATE_TYPE = "org.pinyon.bulk";

async function roomWithState(scene: Scene): Promise<{ roomId: string; alice: MatrixClient; bob: MatrixClient }> {
  const { alice, bob } = scene;
  const roomId = await alice.createRoom({ preset: "public_chat", room_version: ROOM_VERSION });
  for (let number = 0; number < STATE_EVENTS; number++) {
    await alice.setState(roomId, STATE_TYPE, { bulk: randomBytes(STATE_BYTES / 2).toString("hex") }, `${number}`);
  }
  return { roomId, alice, bob };
}

/** Joins as a person does who is told that it has failed. */
async function joinAgain(client: MatrixClient, roomId: string, by: MatrixClient) {
  const via = [by.userId.slice(by.userId.indexOf(":") + 1)];
  let attempts = 0;
  const durationMs = await timed(() =>
    eventually(`${client.userId} joins`, JOIN_MS, () => {
      attempts++;
      return client.join(roomId, via);
    }),
  );
  return { attempts, durationMs };
}

/** The gateway that sends so much to a network first. */
async function carrier(gateways: readonly GatewayHost[], network: Network, sizeBytes: number): Promise<GatewayHost> {
  const before = gateways.map(({ host }) => host.sentBytes(network));
  return eventually("a gateway carries the join", JOIN_MS, async () =>
    gateways.find(({ host }, index) => host.sentBytes(network) - before[index]! > sizeBytes),
  );
}

async function started({ node }: GatewayHost): Promise<void> {
  node.start();
  await node.ready();
}

/** Each gateway is gone for a while; what all say passes by the other. */
async function takeOver(stage: MixedStage): Promise<Finding> {
  const texts: string[] = [];
  for (const [gone, other] of [stage.gateways, [...stage.gateways].reverse()] as const) {
    await gone!.node.end("SIGKILL");
    const before = other!.host.sentBytes("internet");
    const { text } = await messagesOfAll(stage, 5, RETRY_MS);
    const passedBytes = other!.host.sentBytes("internet") - before;
    must(passedBytes > 20_000, `${other!.node.label} sent ${passedBytes} bytes alone`);
    texts.push(`without ${gone!.node.label}: ${text}`);
    await started(gone!);
  }
  return { text: texts.join("; "), figures: {} };
}

/** The DNS leads to HAProxy alone, which passes every connection to a gateway that is alive. */
async function behindHaproxy(stage: MixedStage): Promise<Finding> {
  const { front, gateways } = stage;
  await stage.leadTo(front);
  // Connections that classic servers have with the gateways end.
  for (const gateway of gateways) {
    await gateway.node.end("SIGTERM");
    await started(gateway);
  }
  const before = front.sentBytes("internet");
  const first = await messagesOfAll(stage, 5, RETRY_MS);
  const passedBytes = front.sentBytes("internet") - before;
  must(passedBytes > 20_000, `HAProxy passed ${passedBytes} bytes`);
  await gateways[0].node.end("SIGKILL");
  const second = await messagesOfAll(stage, 5, RETRY_MS);
  await started(gateways[0]);
  await stage.leadTo(...gateways.map(({ host }) => host));
  return { text: `${first.text}; without G1: ${second.text}`, figures: { passedBytes } };
}
