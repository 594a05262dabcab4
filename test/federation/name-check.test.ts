import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from "node:net";
import t, { type Test } from "tap";
import { Clock } from "../../src/driver/clock.js";
import { checkName } from "../../src/federation/gateway/name-check.js";
import type { CheckStep } from "../../src/federation/self-check.js";
import { TestAuthority } from "./authority.js";
import { type GatewayPlace, gatewayPlace } from "./gateway-place.js";

/* What `pinyon gateway test` sees of a name, from the outside in. */

/** All that one says: the step that failed, or the last, and its text. */
const last = (steps: readonly CheckStep[]): CheckStep => steps.at(-1)!;

interface Outside {
  /** Ports of loopback by address and port. */
  readonly ports: Map<string, number>;
  addresses: string[];
  check(name: string, ca?: string): Promise<CheckStep[]>;
}

function outside(authority: TestAuthority): Outside {
  const ports = new Map<string, number>();
  const found: Outside = {
    ports,
    addresses: ["8.0.0.1"],
    check: (name, ca = authority.certificatePem) =>
      checkName({
        name,
        machine: {
          resolver: () => ({
            resolve4: async () => found.addresses,
            resolve6: async () => Promise.reject(new Error("ENODATA")),
            resolveSrv: async () => [],
          }),
          connect: (address, port) => connect({ host: "127.0.0.1", port: ports.get(`${address} ${port}`) ?? 1 }),
        },
        authorities: [ca],
        timers: new Clock(),
        wallMs: Date.now,
      }),
  };
  return found;
}

async function listening(t: Test, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

function seen(scene: GatewayPlace): Outside {
  const found = outside(scene.authority);
  const [{ port }] = scene.gateway.federation.gatewayAddresses() as [{ host: string; port: number }];
  for (const each of [443, 8448]) found.ports.set(`8.0.0.1 ${each}`, port);
  return found;
}

t.test("a name that classic servers reach passes every step, at each of its addresses", async (t) => {
  const scene = await gatewayPlace(t);
  const found = seen(scene);
  for (const each of [443, 8448]) found.ports.set(`8.0.0.2 ${each}`, found.ports.get("8.0.0.1 443")!);
  found.addresses = ["8.0.0.1", "8.0.0.2"];
  const steps = await found.check(scene.server.name);
  t.same(
    steps.map(({ step, ok }) => [step, ok]),
    ["name", "dns", "tcp", "tls", "8448", "well-known", "key"].map((step) => [step, true]),
    JSON.stringify(steps),
  );
  t.match(steps[3]!.text, /^a certificate for it by .*, good for \d+ days more$/);
  found.ports.delete("8.0.0.2 8448");
  t.match(last(await found.check(scene.server.name)), {
    step: "tcp",
    ok: false,
    text: /^at 8\.0\.0\.2: nothing listens on port 8448/,
  });
});

t.test("each thing that can be wrong is said with its step", async (t) => {
  const scene = await gatewayPlace(t);
  const found = seen(scene);
  const { gateway, server, rules, network } = scene;
  const { name } = server;
  const check = async (asked = name, ca?: string) => last(await found.check(asked, ca));
  t.match(await check("matrix.org"), { step: "name", text: /no name of a node/ });
  t.match(await check(network.join().name), { step: "name", text: /in no DNS/ });
  found.addresses = [];
  t.match(await check(), { step: "dns", text: /expected records A or AAAA for \*\.gw\.example/ });
  found.addresses = ["8.0.0.1"];
  const other = await TestAuthority.make();
  t.match(await check(name, other.certificatePem), { step: "tls", text: /no authority that is believed/ });
  gateway.federation.setGatewayRules({ ...rules, allow: new Set() });
  t.match(await check(), { step: "tls", text: /^at 8\.0\.0\.1: the gateway brings nobody to this name/ });
  gateway.federation.setGatewayRules(rules);
  server.homeserver.close();
  server.homeserver.closeAllConnections();
  t.match(await check(), { step: "key", text: /answered 502, PINYON_HOMESERVER$/ });
  server.node.leave();
  t.match(await check(), { step: "tls", text: /found no way to the node/ });
});

t.test("another server under the name is told from the node's own", async (t) => {
  const { authority, server } = await gatewayPlace(t);
  const { name } = server;
  const found = outside(authority);
  const answers: Record<string, string> = {
    "/.well-known/matrix/server": JSON.stringify({ "m.server": `${name}:443` }),
  };
  const serve = async (subject: Parameters<TestAuthority["certify"]>[0], handler: RequestListener) => {
    const https = createServer(await authority.certify(subject), handler).on("tlsClientError", () => {});
    const port = await listening(t, https);
    for (const each of [443, 8448]) found.ports.set(`8.0.0.1 ${each}`, port);
  };
  const answer: RequestListener = (request, response) => response.end(answers[request.url!] ?? "{}");
  await serve({ dns: [name] }, answer);
  t.match(last(await found.check(name)), { step: "key", ok: false, text: /not signed by the key of the name/ });
  answers["/.well-known/matrix/server"] = JSON.stringify({ "m.server": "gw.example:443" });
  t.match(last(await found.check(name)), { step: "well-known", text: /says "gw\.example:443": expected / });
  await serve({ dns: ["other.example"] }, answer);
  t.match(last(await found.check(name)), { step: "tls", text: /for another name/ });
  await serve({ dns: [name], validMs: -1_000 }, answer);
  t.match(last(await found.check(name)), { step: "tls", text: /has expired/ });
  const port = await listening(
    t,
    createTcpServer((socket) => socket.end()),
  );
  found.ports.set("8.0.0.1 443", port);
  t.match(last(await found.check(name)), { step: "tls", ok: false });
});
