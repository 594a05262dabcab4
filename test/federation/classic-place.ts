import type { Test } from "tap";
import type { Timers } from "../../src/federation/overlay.js";
import { TestAuthority } from "./authority.js";
import { TestInternet } from "./internet.js";
import { TestNetwork } from "./network.js";
import { ask, giveJson, repeat, startServer, type TestServer } from "./server.js";

export interface ClassicPlace {
  readonly internet: TestInternet;
  /** A server of the overlay whose node asks classic servers, too. */
  readonly server: TestServer;
}

export async function classicPlace(t: Test, timers?: Timers): Promise<ClassicPlace> {
  const authority = await TestAuthority.make();
  const internet = new TestInternet(t, authority);
  const classic = { exits: undefined };
  const authorities = [authority.certificatePem];
  const options = { classic, machine: internet, authorities, ...(timers === undefined ? {} : { timers }) };
  return { internet, server: await startServer(t, new TestNetwork(), options) };
}

/** What a classic server of the tests answers. */
export const answers = (_request: unknown, response: Parameters<typeof giveJson>[0]): void =>
  giveJson(response, { ok: true });

/** Bodies of 20 MB pass between a server and a classic one, both ways, over one connection. */
export async function passBodies(t: Test, internet: TestInternet, server: TestServer): Promise<void> {
  internet.host("a.example", "8.0.0.1");
  const chunk = Buffer.alloc(100_000, "x");
  const reached = await internet.server("8.0.0.1", 8448, { dns: ["a.example"] }, (request, response) => {
    if (request.method === "GET") response.end(Buffer.concat([...repeat(chunk, 200)]));
    else request.pipe(response);
  });
  const media = "/_matrix/federation/v1/media/download/abc";
  t.equal((await ask(server, "a.example", { path: media })).body.length, 20_000_000);
  const body = { text: "y".repeat(20_000_000) };
  const sent = await ask(server, "a.example", { method: "PUT", path: "/_matrix/federation/v1/send/2", body });
  t.equal(sent.body.length, 20_000_011);
  t.same([reached.length, new Set(reached.map(({ connection }) => connection)).size], [2, 1]);
}
