import type { ServerResponse } from "node:http";
import type { Test } from "tap";
import { makeBinding, statementOf } from "../../src/federation/binding/statement.js";
import type { JsonObject } from "../../src/federation/json.js";
import type { Timers } from "../../src/federation/overlay.js";
import { Signer } from "../../src/federation/signing.js";
import { TestAuthority } from "./authority.js";
import { type Reached, TestInternet } from "./internet.js";
import { TestNetwork, type TestNode } from "./network.js";
import { type Answers, giveJson, startServer, type TestServer } from "./server.js";

export const CLASSIC = "matrix.example";
const ADDRESS = "8.0.0.1";
const DAY_MS = 24 * 3_600_000;

/** A server of the classic federation with a node of its own, one of the overlay, and an Internet for both. */
export interface BoundPlace {
  readonly network: TestNetwork;
  readonly internet: TestInternet;
  readonly classic: TestServer;
  readonly overlay: TestServer;
  /** What stands under the classic name's well-known address, in place of its statement. */
  readonly page: { give: (response: ServerResponse) => void };
  /** What reached the classic server as from servers that are not of the mesh. */
  readonly reached: readonly Reached[];
  /** How often the page was asked for. */
  readonly looked: readonly Reached[];
}

/** A node's statement, with `changes` that are signed, and `lies` that are not. */
export function statement(
  node: TestNode,
  { name = CLASSIC, issuedMs = Date.now(), days = 30 } = {},
  lies: JsonObject = {},
): JsonObject {
  const binding = makeBinding(new Signer(node.seed, node.name), name, issuedMs, issuedMs + days * DAY_MS);
  return { ...statementOf(binding), ...lies };
}

/** What says both where a server is, and which node speaks for it. */
export const page =
  (node: unknown, server: string | undefined = `${CLASSIC}:8448`) =>
  (response: ServerResponse): void =>
    giveJson(response, { "m.server": server, "pinyon.node": node });

/** `maxAgeS` is how long what the name says is kept: five minutes at least. */
export async function boundPlace(
  t: Test,
  options: { timers?: Timers; answers?: Answers; fastRetries?: boolean } = {},
): Promise<BoundPlace> {
  const { answers = {}, fastRetries = true, ...rest } = options;
  const network = new TestNetwork();
  const internet = new TestInternet(t, await TestAuthority.make());
  const outward = {
    classic: { exits: undefined },
    machine: internet,
    authorities: [internet.authority.certificatePem],
  };
  const classic = await startServer(t, network, {
    ...rest,
    ...outward,
    answers,
    classicName: CLASSIC,
    fastRetries: false,
  });
  const overlay = await startServer(t, network, { ...rest, ...outward, answers, fastRetries });
  internet.host(CLASSIC, ADDRESS);
  const shown = { give: page(statement(classic.node)) };
  const looked = await internet.server(ADDRESS, 443, { dns: [CLASSIC] }, (_request, response) => shown.give(response));
  const reached = await internet.server(ADDRESS, 8448, { dns: [CLASSIC] }, (_request, response) => {
    giveJson(response, { by: "the Internet" });
  });
  return { network, internet, classic, overlay, page: shown, reached, looked };
}
