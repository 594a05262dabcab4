import type { OutgoingHttpHeaders } from "node:http2";
import type { Test } from "tap";
import type { FederationCode } from "../../src/federation/errors.js";
import { formatXMatrix, type XMatrix } from "../../src/federation/x-matrix.js";
import { until } from "../link/until.js";
import { TestNetwork } from "./network.js";
import type { Fields } from "./raw-http2.js";
import { type RawAnswer, rawHead, VERSION } from "./raw-node.js";
import { type Answers, ask, KEY_ID, startServer, type TestServer } from "./server.js";

export const SEND = "/_matrix/federation/v1/send/";
export const PROFILE = "/_matrix/federation/v1/query/profile?user_id=%40u%3Ax";

/** A server that is attacked, one that attacks it, and one that means well. */
export interface Scene {
  readonly network: TestNetwork;
  readonly victim: TestServer;
  readonly hostile: TestServer;
  readonly honest: TestServer;
}

export async function setScene(t: Test, answers: Answers = {}): Promise<Scene> {
  const network = new TestNetwork();
  const victim = await startServer(t, network, { answers });
  return { network, victim, hostile: await startServer(t, network), honest: await startServer(t, network) };
}

/** The head with which the node of a server asks for a profile, with `changes`, those of its signature among them. */
export function headOf(
  from: TestServer,
  to: TestServer,
  changes: OutgoingHttpHeaders = {},
  x: Partial<XMatrix> = {},
): OutgoingHttpHeaders {
  const { ":method": method = "GET", ":path": path = PROFILE } = changes as Record<string, string>;
  const signature = from.signer.authorization({ method, path, destination: to.name }, KEY_ID);
  return rawHead(from, to, { ":path": path, "x-matrix": formatXMatrix({ ...signature, ...x }), ...changes });
}

/** A head for `raw-http2.ts`. */
export function fieldsOf(head: OutgoingHttpHeaders): Fields {
  const fields = Object.entries({ ":scheme": "http", ...head }) as [string, string][];
  return [...fields.filter(([name]) => name.startsWith(":")), ...fields.filter(([name]) => !name.startsWith(":"))];
}

/**
 * Attacks, while an honest server asks: the attacker must be told `status` and `code`, the code be counted once, and nothing but the
 * honest requests reach the homeserver.
 */
export async function mustRefuse(
  t: Test,
  { victim, honest }: Scene,
  expected: { readonly code: FederationCode; readonly status: number },
  attack: () => Promise<RawAnswer>,
): Promise<void> {
  const { inboundErrors } = victim.federation.stats;
  const counted = inboundErrors[expected.code];
  victim.asked.length = 0;
  const [told, meanwhile] = await Promise.all([attack(), ask(honest, victim.name, { path: VERSION })]);
  t.same(told, { code: expected.code, status: expected.status });
  t.equal(inboundErrors[expected.code], counted + 1, "it is counted");
  t.equal(meanwhile.status, 200, "an honest request succeeds meanwhile");
  await mustServe(t, { victim, honest });
  t.same(new Set(victim.asked.map(({ url }) => url)), new Set([VERSION]), "nothing else reached the homeserver");
}

/** An honest server is served, and nothing of before is left. */
export async function mustServe(t: Test, { victim, honest }: Pick<Scene, "victim" | "honest">): Promise<void> {
  t.equal((await ask(honest, victim.name, { path: VERSION })).status, 200, "an honest request succeeds afterwards");
  await until("no request is under way at the homeserver", () => isIdle(victim));
}

function isIdle({ asked }: TestServer): boolean {
  return asked.every(({ socket, complete, destroyed }) => complete || destroyed || socket.destroyed);
}
