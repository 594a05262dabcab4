import t from "tap";
import { Clock } from "../../src/driver/clock.js";
import { CLOSED } from "../../src/federation/exit/exit.js";
import { Federation } from "../../src/federation/federation.js";
import { NOBODY_INVITED } from "../../src/federation/gateway/invited.js";
import { keyToName } from "../../src/wire/name.js";
import { tempFolder } from "../daemon/temp-folder.js";
import { TestNetwork } from "./network.js";
import { VERSION } from "./raw-node.js";
import { ask, codeOf, startServer } from "./server.js";

const SERVER = "/_matrix/key/v2/server";

t.test("a node that answers by another name than it stated is not believed", async (t) => {
  const network = new TestNetwork();
  const a = await startServer(t, network);
  const honest = await startServer(t, network);
  const two = network.join();
  // It takes whatever name it is asked by.
  two.handler = (_remote, request) => {
    request.respond({ ":status": 200 });
    request.end(JSON.stringify({}));
  };
  const second = keyToName(two.key, "second.example");
  for (const path of [VERSION, SERVER]) {
    const answer = await ask(a, second, { path });
    t.same([answer.status, codeOf(answer)], [400, "PINYON_DESTINATION"], path);
    t.equal((await ask(a, honest.name, { path })).status, 200, "an honest request succeeds");
  }
  t.equal(a.federation.stats.outboundErrors.PINYON_DESTINATION, 2);
  t.equal((await ask(a, two.name, { path: VERSION })).status, 200, "by its own name it is");
});

t.test("a node that serves no homeserver says so, and counts as one whose homeserver is away", async (t) => {
  const network = new TestNetwork();
  const a = await startServer(t, network);
  const honest = await startServer(t, network);
  const bare = network.join();
  const federation = await Federation.start({
    name: bare.name,
    seed: bare.seed,
    overlay: bare,
    homeserver: undefined,
    classic: undefined,
    exit: CLOSED,
    onUse: () => {},
    warn: () => {},
    invitations: [],
    keptInvited: { load: async () => NOBODY_INVITED, save: () => {}, written: async () => {} },
    keyFolder: tempFolder(t),
    caFiles: { read: async () => undefined, write: async () => {} },
    keptWakeUps: { load: async () => ({ recent: [], owed: [] }), save: () => {}, written: async () => {} },
    keptBindings: { load: async () => [], save: () => {}, written: async () => {} },
    onBinding: () => {},
    timers: new Clock(),
    random: Math.random,
    onFault: (error) => {
      throw error;
    },
  });
  t.teardown(() => federation.stop());
  t.equal(federation.address(), undefined);
  t.same(await federation.check(), []);
  bare.handler = (...asking) => federation.handleRequest(...asking);
  const first = await ask(a, bare.name, { path: VERSION });
  t.same([first.status, codeOf(first)], [502, "PINYON_NO_HOMESERVER"]);
  t.equal(federation.stats.inboundErrors.PINYON_NO_HOMESERVER, 1);
  const second = await ask(a, bare.name, { path: VERSION });
  t.same([second.status, codeOf(second)], [502, "PINYON_UNREACHABLE"], "the next is told so at once");
  t.equal((await ask(a, honest.name, { path: VERSION })).status, 200, "an honest request succeeds meanwhile");
});
