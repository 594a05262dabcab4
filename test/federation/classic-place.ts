import type { Test } from "tap";
import type { Timers } from "../../src/federation/overlay.js";
import { TestAuthority } from "./authority.js";
import { TestInternet } from "./internet.js";
import { TestNetwork } from "./network.js";
import { giveJson, startServer, type TestServer } from "./server.js";

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
