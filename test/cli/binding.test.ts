import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { readBinding } from "../../src/federation/binding/statement.js";
import { Place, synapseYaml } from "../homeserver/files.js";
import { NodeFolder, pinyon } from "./pinyon.js";

t.setTimeout(120_000);

const DAY_MS = 24 * 3_600_000;

t.test("a homeserver with a name of its own is connected, bound, and given back", async (t) => {
  const place = await Place.make(t);
  const ask = (...args: string[]) => pinyon("--state", place.state, ...args);
  t.match(await ask("binding", "show"), { code: 2, stderr: /`homeserver\.name` is not set/ });
  const file = place.write("homeserver.yaml", synapseYaml("example.org"));
  const before = place.look();
  const connected = await ask("homeserver", "connect", "synapse", "--config", file, "--apply");
  t.match(connected, { code: 0, stdout: new RegExp(`^Connected Synapse example\\.org to ${place.name}\\.\n`) });
  t.match(connected.stdout, /binding show .*https:\/\/example\.org\/\.well-known\/matrix\/server as "pinyon\.node"\n/);

  const shown = await ask("binding", "show");
  const binding = readBinding(shown.stdout, Date.now());
  t.match(binding, { name: "example.org", expiresMs: binding.issuedMs + 365 * DAY_MS });
  const page = join(place.folder, "server");
  writeFileSync(page, '{"m.server":"matrix.example.org:443"}');
  const put = await ask("binding", "show", "--days", "30", "--into", page);
  t.match(put, { code: 0, stdout: new RegExp(`^${page} binds example\\.org to this node until 20`) });
  const said = JSON.parse(readFileSync(page, "utf8")) as Record<string, unknown>;
  t.equal(said["m.server"], "matrix.example.org:443");
  t.equal(readBinding(JSON.stringify(said["pinyon.node"]), Date.now()).name, "example.org");
  t.match(await ask("binding", "show", "--days", "401"), { code: 2, stderr: /Expected 1 to 400/ });
  t.match(await ask("binding", "show", "--into", file), { code: 2, stderr: /this is no JSON object/ });

  const undone = await ask("homeserver", "disconnect", "synapse", "--apply");
  t.match(undone, { code: 0, stdout: /Take `pinyon\.node` out of .*example\.org/ });
  const { [page]: _, ...after } = place.look();
  t.same(after, before);
});

t.test("bindings are listed, taken from a file, and forgotten by the running node", async (t) => {
  const owner = await Place.make(t);
  writeFileSync(
    owner.config,
    JSON.stringify({ homeserver: { name: "example.org", url: "http://127.0.0.1:1", secret: "0123456789abcdef" } }),
  );
  const statement = (await pinyon("--state", owner.state, "binding", "show")).stdout;
  const file = owner.write("example.org.json", statement);
  const place = await Place.make(t);
  const node = new NodeFolder(t, place.state);
  node.configure();
  t.match(await node.ask("binding", "ls"), { code: 3 });
  await node.run();
  t.match(await node.ask("binding", "ls"), { code: 0, stdout: /^No name is known to be bound/ });
  const taken = await node.ask("binding", "import", file);
  t.match(taken, { code: 0, stdout: new RegExp(`^example\\.org is bound to the node ${owner.name} until 20`) });
  t.match(await node.json("binding", "ls"), [
    { name: "example.org", node: owner.name, state: "bound", source: "file" },
  ]);
  t.match((await node.ask("binding", "ls")).stdout, / {2}example\.org +[a-z2-7]{52}\.pinyon\.alt +bound +file +20/);
  const forged = owner.write("forged.json", statement.replace("example.org", "example.net"));
  t.match(await node.ask("binding", "import", forged), {
    code: 2,
    stderr: /PINYON_BINDING|it is not signed by the node/,
  });
  t.match(await node.ask("binding", "import", join(owner.folder, "gone")), { code: 2, stderr: /it cannot be read/ });
  t.match(await node.ask("binding", "forget", "example.org"), { code: 0, stdout: "Forgot the node of example.org.\n" });
  t.match(await node.ask("binding", "forget", "example.org"), { code: 0, stdout: /^No node of example\.org is known/ });
});
