import t from "tap";
import { until } from "../link/until.js";
import { PROFILE } from "./attacking.js";
import { TestAuthority } from "./authority.js";
import { answers, classicPlace, passBodies } from "./classic-place.js";
import { delegates, dnsError, type Reached, TestInternet } from "./internet.js";
import { TestNetwork } from "./network.js";
import { VERSION } from "./raw-node.js";
import { ask, codeOf, giveJson, startServer } from "./server.js";
import { mustSettle } from "./settling.js";

/*
 * What a homeserver asks of servers of the classic federation, by its node, over real TLS.
 */

t.test("a server is found by each way of the specification, with its Host and its name in TLS", async (t) => {
  const { internet, server } = await classicPlace(t);
  internet.host("port.example", "8.0.0.2");
  internet.host("delegating.example", "8.0.0.3");
  internet.host("delegate.example", "8.0.0.4");
  internet.host("to-port.example", "8.0.0.5");
  internet.host("to-address.example", "8.0.0.6");
  internet.host("srv.example", "8.0.0.7");
  internet.host("old-srv.example", "8.0.0.8");
  internet.host("plain.example", "8.0.0.9", "2606:4700::9");
  internet.host("target.example", "8.0.0.10");
  internet.host("to-srv.example", "8.0.0.12");
  internet.host("delegate-srv.example", "8.0.0.13");
  internet.service("_matrix-fed._tcp.srv.example", "target.example", 8100);
  internet.service("_matrix._tcp.srv.example", "wrong.example", 1);
  internet.service("_matrix._tcp.old-srv.example", "target.example.", 8101);
  internet.service("_matrix-fed._tcp.delegate-srv.example", "target.example", 8102);
  const wellKnown = (address: string, name: string, to: string) =>
    internet.server(address, 443, { dns: [name] }, delegates(to));
  await wellKnown("8.0.0.3", "delegating.example", "delegate.example");
  await wellKnown("8.0.0.5", "to-port.example", "delegate.example:8449");
  await wellKnown("8.0.0.6", "to-address.example", "8.0.0.11");
  await wellKnown("8.0.0.12", "to-srv.example", "delegate-srv.example");
  const cases: [name: string, address: string, port: number, host: string, sni: string | false][] = [
    ["8.0.0.1", "8.0.0.1", 8448, "8.0.0.1", false],
    ["8.0.0.1:8500", "8.0.0.1", 8500, "8.0.0.1:8500", false],
    ["[2606:4700::1]", "2606:4700::1", 8448, "[2606:4700::1]", false],
    ["port.example:8448", "8.0.0.2", 8448, "port.example:8448", "port.example"],
    ["delegating.example", "8.0.0.4", 8448, "delegate.example", "delegate.example"],
    ["to-port.example", "8.0.0.4", 8449, "delegate.example:8449", "delegate.example"],
    ["to-address.example", "8.0.0.11", 8448, "8.0.0.11", false],
    ["to-srv.example", "8.0.0.10", 8102, "delegate-srv.example", "delegate-srv.example"],
    ["srv.example", "8.0.0.10", 8100, "srv.example", "srv.example"],
    ["old-srv.example", "8.0.0.10", 8101, "old-srv.example", "old-srv.example"],
    ["plain.example", "2606:4700::9", 8448, "plain.example", "plain.example"],
  ];
  for (const [name, address, port, host, sni] of cases) {
    const subject = sni === false ? { ip: [address] } : { dns: [sni] };
    const reached = await internet.server(address, port, subject, answers);
    const answer = await ask(server, name, { path: PROFILE });
    t.same([answer.status, answer.body], [200, '{"ok":true}'], name);
    t.same(
      reached.map((each) => [each.host, each.sni, each.request.url]),
      [[host, sni, PROFILE]],
      name,
    );
  }
  t.notOk(internet.asked.includes("wrong.example"), "the older record is looked at where there is no newer one alone");
  t.equal(server.federation.stats.classicConnections, cases.length);
  t.equal(server.federation.stats.outboundAnswers, cases.length);
});

t.test("a request arrives as the homeserver made it, signed for the name that it asked for", async (t) => {
  const { internet, server } = await classicPlace(t);
  internet.host("a.example", "8.0.0.1");
  const reached = await internet.server("8.0.0.1", 8448, { dns: ["a.example"] }, (request, response) => {
    response.setHeader("x-secret", "1");
    request.pipe(response);
  });
  const path = "/_matrix/federation/v1/send/1?a=%2F&b=%C3%BC";
  const answer = await ask(server, "a.example", { method: "PUT", path, body: { pdus: ["ü"] } });
  t.same([answer.status, answer.body], [200, '{"pdus":["ü"]}']);
  t.equal(answer.headers["x-secret"], undefined);
  const [{ request }] = reached as [Reached];
  t.equal(request.url, path);
  t.match(request.headers.authorization, `X-Matrix origin="${server.name}",key="ed25519:test",sig="`);
  t.match(request.headers.authorization, 'destination="a.example"');
  t.equal(request.headers["content-type"], "application/json");
  for (const name of ["proxy-authorization", "x-matrix"]) t.equal(request.headers[name], undefined, name);
});

t.test("what a node refuses to others it refuses to classic servers", async (t) => {
  const { internet, server } = await classicPlace(t);
  internet.host("a.example", "8.0.0.1");
  const reached = await internet.server("8.0.0.1", 8448, { dns: ["a.example"] }, answers);
  const label = server.name.split(".")[0]!;
  const told = async (name: string, path: string, headers = {}) => codeOf(await ask(server, name, { path, headers }));
  t.equal(await told("a.example", "/_matrix/client/versions"), "PINYON_PATH");
  t.equal(await told("a.example", "/_matrix/federation/v1/../client"), "PINYON_PATH");
  const other = server.signer.authorization({ method: "GET", path: PROFILE, destination: "b.example" }, "ed25519:test");
  const authorization = `X-Matrix origin="${server.name}",key="ed25519:test",sig="${other.sig}",destination="b.example"`;
  t.equal(await told("a.example", PROFILE, { authorization }), "PINYON_DESTINATION");
  t.equal(
    await told("a.example", PROFILE, { authorization: authorization.replace(server.name, "c.example") }),
    "PINYON_ORIGIN",
  );
  for (const name of ["localhost", "a.local", "x", "127.1", `${label.toUpperCase()}.pinyon.alt`, "a.pinyon.alt"]) {
    t.equal(await told(name, PROFILE), "PINYON_DESTINATION", name);
  }
  t.same(reached, []);
  t.equal((await ask(server, "a.example", { path: PROFILE })).status, 200, "an honest request passes");
});

t.test("bodies of 20 MB pass both ways, and connections are used again", async (t) => {
  const { internet, server } = await classicPlace(t);
  await passBodies(t, internet, server);
  t.equal(server.federation.stats.classicConnections, 1);
  await mustSettle(server.node.network, [server]);
});

t.test("a server that cannot be reached is told by its cause, then at once, and others are served", async (t) => {
  const { internet, server } = await classicPlace(t);
  internet.host("good.example", "8.0.0.1");
  await internet.server("8.0.0.1", 8448, { dns: ["good.example"] }, answers);
  const causes: [name: string, code: string, set?: () => unknown][] = [
    ["none.example", "PINYON_CLASSIC_LOOKUP"],
    ["broken.example", "PINYON_CLASSIC_LOOKUP", () => internet.hosts.set("broken.example", [dnsError("ESERVFAIL")])],
    [
      "broken-srv.example",
      "PINYON_CLASSIC_LOOKUP",
      () => internet.srv.set("_matrix-fed._tcp.broken-srv.example", dnsError("ETIMEOUT")),
    ],
    [
      "no-service.example",
      "PINYON_CLASSIC_LOOKUP",
      () => internet.service("_matrix-fed._tcp.no-service.example", "", 0),
    ],
    ["closed.example", "PINYON_CLASSIC_CONNECT", () => internet.host("closed.example", "8.0.0.2")],
    [
      "expired.example",
      "PINYON_CLASSIC_TLS",
      () => {
        internet.host("expired.example", "8.0.0.3");
        return internet.server("8.0.0.3", 8448, { dns: ["expired.example"], validMs: -1_000 }, answers);
      },
    ],
    [
      "other-name.example",
      "PINYON_CLASSIC_TLS",
      () => {
        internet.host("other-name.example", "8.0.0.4");
        return internet.server("8.0.0.4", 8448, { dns: ["good.example"] }, answers);
      },
    ],
    [
      "no-tls.example",
      "PINYON_CLASSIC_TLS",
      () => {
        internet.host("no-tls.example", "8.0.0.5");
        return internet.tcpServer("8.0.0.5", 8448, (socket) => socket.end("220 mail.example ESMTP\r\n"));
      },
    ],
    ["8.0.0.1", "PINYON_CLASSIC_TLS"],
  ];
  for (const [name, code, set] of causes) {
    await set?.();
    const [answer, meanwhile] = await Promise.all([
      ask(server, name, { path: PROFILE }),
      ask(server, "good.example", { path: PROFILE }),
    ]);
    t.same([answer.status, codeOf(answer)], [502, code], name);
    t.equal(meanwhile.status, 200, "an honest request succeeds meanwhile");
    t.equal(codeOf(await ask(server, name, { path: PROFILE })), "PINYON_UNREACHABLE", `${name}, again`);
  }
  const { stats } = server.federation;
  t.same(
    ["PINYON_CLASSIC_LOOKUP", "PINYON_CLASSIC_CONNECT", "PINYON_CLASSIC_TLS"].map(
      (code) => stats.outboundErrors[code as "PINYON_BUSY"],
    ),
    [4, 1, 4],
  );
  t.equal(stats.awayAnswers, causes.length);
});

t.test("a certificate of another authority proves nothing", async (t) => {
  const authority = await TestAuthority.make();
  const other = await TestAuthority.make("Authority of the tests");
  const internet = new TestInternet(t, other);
  internet.host("a.example", "8.0.0.1");
  const reached = await internet.server("8.0.0.1", 8448, { dns: ["a.example"] }, answers);
  const classic = { exits: undefined };
  const authorities = [authority.certificatePem];
  const server = await startServer(t, new TestNetwork(), { classic, machine: internet, authorities });
  t.equal(codeOf(await ask(server, "a.example", { path: PROFILE })), "PINYON_CLASSIC_TLS");
  t.equal(server.federation.stats.outboundErrors.PINYON_CLASSIC_TLS, 1);
  t.same(reached, []);
});

t.test(
  "the next place is tried where no connection can be made, and a request that was sent is never sent again",
  async (t) => {
    const { internet, server } = await classicPlace(t);
    internet.service("_matrix-fed._tcp.a.example", "second.example", 8448, 20);
    internet.service("_matrix-fed._tcp.a.example", "first.example", 8448, 10);
    internet.host("first.example", "8.0.0.1");
    internet.host("second.example", "8.0.0.2", "8.0.0.3");
    let cuts = 0;
    const cutting = await internet.server("8.0.0.3", 8448, { dns: ["a.example"] }, (request, response) => {
      cuts++;
      if (cuts === 1) giveJson(response, {});
      else request.socket.destroy();
    });
    t.equal((await ask(server, "a.example", { path: PROFILE })).status, 200);
    t.same(internet.connected.slice(-3), ["8.0.0.1 8448", "8.0.0.2 8448", "8.0.0.3 8448"]);
    const cut = await ask(server, "a.example", { method: "PUT", path: "/_matrix/federation/v1/send/1", body: {} });
    t.equal(codeOf(cut), "PINYON_HOMESERVER_ANSWER");
    t.equal(cutting.length, 2, "it came once");
  },
);

t.test("a homeserver that goes away while its request waits for a connection leaves nothing behind", async (t) => {
  const { internet, server } = await classicPlace(t);
  internet.host("silent.example", "8.0.0.1");
  let accepted = 0;
  await internet.tcpServer("8.0.0.1", 8448, () => accepted++);
  const abandoned = ask(server, "silent.example", { path: PROFILE, headers: { connection: "close" } }).catch(
    () => "gone",
  );
  await until("the server is connected to", () => accepted === 1);
  await server.federation.stop();
  t.equal(await abandoned, "gone");
});

t.test("a classic notary's answer passes without what it says falsely of overlay names", async (t) => {
  const { internet, server } = await classicPlace(t);
  internet.host("notary.example", "8.0.0.1");
  const forged = { server_name: server.name, verify_keys: { "ed25519:x": { key: "A".repeat(43) } }, valid_until_ts: 1 };
  const classic = { server_name: "a.example", verify_keys: {}, valid_until_ts: 1 };
  await internet.server("8.0.0.1", 8448, { dns: ["notary.example"] }, (_request, response) =>
    giveJson(response, { server_keys: [forged, classic] }),
  );
  const body = { server_keys: { [server.name]: {}, "a.example": {} } };
  const answer = await ask(server, "notary.example", { method: "POST", path: "/_matrix/key/v2/query", body });
  t.same(JSON.parse(answer.body), { server_keys: [classic] });
  t.equal(server.federation.stats.keyResponsesRefused, 1);
  t.equal((await ask(server, "notary.example", { path: "/_matrix/key/v2/server" })).status, 200);
});

t.test("a classic notary is not asked for keys of the overlay, which it cannot know", async (t) => {
  const { internet, server } = await classicPlace(t);
  internet.host("notary.example", "8.0.0.1");
  const reached = await internet.server("8.0.0.1", 8448, { dns: ["notary.example"] }, answers);
  const other = await startServer(t, server.node.network);
  const query = () => ask(server, "notary.example", { path: `/_matrix/key/v2/query/${other.name}` });
  t.same(JSON.parse((await query()).body), { server_keys: [] });
  t.equal((await ask(server, other.name, { path: "/_matrix/key/v2/server" })).status, 200);
  t.match(JSON.parse((await query()).body), { server_keys: [{ server_name: other.name }] }, "what is kept is given");
  t.same(reached, []);
});

t.test("a node that is told so asks no classic server", async (t) => {
  const server = await startServer(t, new TestNetwork());
  const answer = await ask(server, "a.example", { path: VERSION });
  t.same([answer.status, codeOf(answer)], [502, "PINYON_CLASSIC_NAME"]);
  t.match(answer.body, "see `classic` of the node's config");
});
