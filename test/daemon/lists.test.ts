import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type Config, defaultConfig } from "../../src/daemon/config.js";
import { parseConfig } from "../../src/daemon/config-file.js";
import { answerRequest } from "../../src/daemon/control-answers.js";
import { KeptFile } from "../../src/daemon/kept-file.js";
import { LISTED_MAX } from "../../src/daemon/limits.js";
import { KeptListsSchema, Lists, NO_LISTS } from "../../src/daemon/lists.js";
import { statusOf } from "../../src/daemon/status.js";
import { until } from "../link/until.js";
import { runningDaemon } from "./running.js";
import { tempFolder } from "./temp-folder.js";

const [A, B, C] = ["aa", "bb", "cc"].map((digits) => digits.repeat(32)) as [string, string, string];

const config = (value: object): Config => parseConfig(JSON.stringify(value), "test");

async function lists(t: Test, value: object, folder = tempFolder(t)) {
  const kept = new KeptFile(join(folder, "lists"), KeptListsSchema, NO_LISTS, (text) => t.fail(text));
  const made = await Lists.open(config(value), kept);
  t.teardown(() => made.written());
  return { made, folder };
}

t.test("what is allowed and denied by command adds to the config file, and outlives the process", async (t) => {
  const value = {
    exit: { allow: [A], deny: ["bad.example"] },
    gateway: { domain: "gw.example", allow: [A], deny: [C] },
  };
  const { made, folder } = await lists(t, value);
  made.allow("exit", B);
  made.deny("exit", A);
  made.deny("exit", "Worse.example");
  made.allow("gateway", B);
  made.deny("gateway", A);
  const check = ({ exit, gateway }: Lists) => {
    t.same([[...exit.allow], exit.deny], [[B], ["bad.example", "worse.example"]]);
    t.same([new Set(gateway?.allow), new Set(gateway?.deny)], [new Set([A, B]), new Set([C, A])]);
  };
  check(made);
  await made.written();
  const { made: next } = await lists(t, value, folder);
  check(next);
  next.allow("exit", A);
  next.allow("exit", "worse.example");
  next.deny("exit", B);
  next.allow("gateway", A);
  t.same([[...next.exit.allow], next.exit.deny], [[A], ["bad.example"]]);
  t.same([...next.gateway!.deny], [C]);
  t.same(NO_LISTS, { exit: { allow: [], deny: [] }, gateway: { allow: [], deny: [] } });
});

t.test("what the config file denies is not allowed by command, and what is no node is told", async (t) => {
  const { made } = await lists(t, { exit: { deny: ["bad.example"] }, gateway: { domain: "gw.example", deny: [C] } });
  t.throws(() => made.allow("exit", "sub.bad.example"), { code: "PINYON_LIST", message: /`exit\.deny` of the config/ });
  t.throws(() => made.allow("gateway", C), { code: "PINYON_LIST", message: /`gateway\.deny` of the config/ });
  t.throws(() => made.allow("gateway", "a.example"), { code: "PINYON_TARGET", message: /a node's name or key$/ });
  t.throws(() => made.deny("exit", "a.example:8448"), { code: "PINYON_TARGET", message: /or a domain$/ });
  const { made: none } = await lists(t, {});
  t.throws(() => none.allow("gateway", A), { code: "PINYON_LIST", message: /no gateway/ });
  t.equal(none.gateway, undefined);
  for (let i = 0; i < LISTED_MAX; i++) made.deny("exit", `n${i}.example`);
  t.throws(() => made.deny("exit", "one-more.example"), { code: "PINYON_LIST", message: /1000 are listed/ });
  made.deny("exit", "n5.example");
});

t.test(
  "lists and quotas of the config file are read again when it changes, and a broken file changes nothing",
  async (t) => {
    const folder = tempFolder(t);
    const configFile = join(folder, "node.yaml");
    const write = (value: object | string) => {
      writeFileSync(`${configFile}.new`, typeof value === "string" ? value : JSON.stringify(value));
      renameSync(`${configFile}.new`, configFile);
    };
    const first = { exit: { allow: [A] }, gateway: { domain: "gw.example", listen: ["127.0.0.1:0"], allow: [A] } };
    write(first);
    const daemon = await runningDaemon(t, first, { folder, configFile });
    const exit = () => answerRequest(daemon, { verb: "exit-status" });
    const gateway = () => answerRequest(daemon, { verb: "gateway-status" });
    t.match(await exit(), { count: 1, nodes: [{ standing: "allowed" }], quota: { streams: 64 } });
    write({ exit: { allow: [A, B], streams: 5 }, gateway: { ...first.gateway, deny: [A], open: 3 } });
    await until("it is read by itself", () => daemon.configWatch.reloads === 1);
    t.match(await exit(), { count: 2, quota: { streams: 5 } });
    t.match(await gateway(), { count: 1, open: 3, nodes: [{ standing: "denied" }] });
    write("exit: {allow: [");
    daemon.configWatch.reload();
    write({ exit: { allow: ["nonsense"] } });
    daemon.configWatch.reload();
    t.equal(daemon.configWatch.failures, 2);
    t.match(await exit(), { count: 2, quota: { streams: 5 } });
    t.match(statusOf(daemon).warnings.join("\n"), /cannot be used, so what it said before holds: .*node\.yaml:1/);
    write({ exit: { allow: [C] } });
    daemon.configWatch.reload();
    t.match(await exit(), { count: 1, quota: { streams: 64 } });
    t.notMatch(statusOf(daemon).warnings.join("\n"), "cannot be used");
    t.match(await gateway(), { domain: "gw.example" }, "a gateway stays one until the next start");
    await answerRequest(daemon, { verb: "list", way: "exit", change: "deny", what: C });
    t.match(await exit(), { count: 0 });
    t.equal(defaultConfig().exit.allow.size, 0);
  },
);
