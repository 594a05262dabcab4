import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { tempFolder } from "../daemon/temp-folder.js";
import { until } from "../link/until.js";
import { NodeFolder, pinyon } from "./pinyon.js";

const KEY = "ab".repeat(32);
const USE = { way: "exit", key: KEY, host: "matrix.example", address: "8.0.0.1", port: 8448, sizeBytes: 48_231 };

t.test("the operator of an exit and gateway sees and says whom they serve, and answers who used them", async (t) => {
  const node = new NodeFolder(t, tempFolder(t));
  await node.ask("init");
  node.configure();
  await node.run();
  t.match(await node.ask("gateway", "status"), { code: 2, stderr: /this node is no gateway: set `gateway`/ });
  t.match(await node.ask("exit", "status"), { code: 0, stdout: /each may use +64 streams, 240 .*, 20 GB a day\n/ });
  t.match(await node.ask("exit", "allow", KEY), { code: 0, stdout: /^Allowed abab.*after a restart\.\n$/ });
  t.match(await node.ask("exit", "deny", "bad.example"), { code: 0 });
  t.match(await node.ask("exit", "deny", "not a host"), {
    code: 2,
    stderr: /expected a node's name or key, or a domain/,
  });
  t.match(await node.ask("exit", "status"), {
    stdout: /denied +bad\.example\n.*\n.*NODE .*\n.*\.pinyon\.alt +allowed +0 /,
  });
  t.match(await node.json("exit", "status"), { deny: ["bad.example"], nodes: [{ standing: "allowed" }] });
  t.match(await node.json("exit", "deny", KEY), { way: "exit", change: "deny" });

  node.configure({ gateway: { domain: "gw.example", listen: ["127.0.0.1:0"], open: 2 }, exit: { streams: 7 } });
  const read = () => (node.stdout.match(/read again/g) ?? []).length;
  const before = read();
  node.process!.kill("SIGHUP");
  await until("the file is read again", () => read() > before);
  t.match(await node.ask("exit", "status"), { stdout: /each may use +7 streams/ });
  t.equal(await node.end("SIGTERM"), 0);

  const began = Date.parse("2026-11-24T10:00Z");
  for (const hour of [0, 1, 2]) {
    const use = { ...USE, beganMs: began + hour * 3_600_000, tookMs: 10_873 };
    appendFileSync(join(node.folder, "uses"), `${JSON.stringify(use)}\n`);
  }
  await node.run();
  t.match(await node.ask("gateway", "status"), {
    code: 0,
    stdout: /domain +gw\.example\n.*127\.0\.0\.1:\d+\n.*\n +unknown nodes +may use as much as 2 others together\n/s,
  });
  t.match(await node.ask("gateway", "deny", KEY), { code: 0 });
  t.match(await node.json("gateway", "status"), { open: 2, nodes: [{ name: /\.gw\.example$/, standing: "denied" }] });
  const invited = await node.ask("gateway", "invite", "--uses", "3");
  t.match(invited, {
    code: 0,
    stdout: /^For 3 nodes, until .*suffix: gw\.example\n.*\n +invitations:\n +- [\w-]{84}\n/s,
  });
  t.match(await node.ask("gateway", "invite", "--uses", "0"), { code: 2, stderr: /Expected 1 to 65535/ });
  const asked = ["--host", "matrix.example", "--since", "2026-11-24T11:00Z", "--until", "2026-11-24T11:30Z"];
  const found = await node.ask("exit", "report", ...asked);
  t.match(found, {
    code: 0,
    stdout:
      /BEGAN .*\n +2026-11-24T11:00:00\.000Z +10 s +[a-z2-7]{52}\.pinyon\.alt +matrix\.example +8\.0\.0\.1 +8448 +48 kB\n$/,
  });
  t.match(await node.json("exit", "report", ...asked), { count: 1, uses: [{ host: "matrix.example", isOpen: false }] });
  t.match(await node.ask("gateway", "report"), { code: 0, stdout: "No use of that kind is known.\n" });
  t.match(await node.ask("exit", "report", "--since", "yesterday"), { code: 2, stderr: /Expected a time like/ });
  t.match(JSON.parse(readFileSync(join(node.folder, "lists"), "utf8")), { exit: { deny: ["bad.example", KEY] } });
  const told = {
    code: 1,
    stdout: /^ +FAILED +name +it is no name of a node/,
    stderr: /the step `name` of the test failed/,
  };
  t.match(await pinyon("gateway", "test", "matrix.example"), told);
  t.match(await node.json("gateway", "test", "matrix.example"), { ok: false, steps: [{ step: "name", ok: false }] });
  t.match(await pinyon("exit", "allow"), { code: 2, stderr: /missing required argument 'node\|domain'/ });
});
