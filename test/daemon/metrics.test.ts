import t from "tap";
import { answerRequest } from "../../src/daemon/control-answers.js";
import { daemonMetrics } from "../../src/daemon/daemon-metrics.js";
import { formatHostPort } from "../../src/daemon/host-port.js";
import { until } from "../link/until.js";
import { heldTable } from "./held.js";
import { runningDaemon, uriOf } from "./running.js";

/** Said of what is there, and this node has none. */
const ABSENT: readonly string[] = ["pinyon_federation_certificate_days_left"];

t.test("docs/metrics.md has every figure", async (t) => {
  const metrics = daemonMetrics(await runningDaemon(t));
  const rows = metrics.map(({ name, kind, label, help }) => [`\`${name}\``, kind, label ?? "", help]);
  heldTable(t, "metrics.md", "## Figures", ["name", "kind", "label", "what it says"], rows);
  t.equal(new Set(metrics.map(({ name }) => name)).size, metrics.length, "no name twice");
  for (const { name, kind } of metrics) {
    t.match(name, kind === "counter" ? /^pinyon_[a-z_]+_total$/ : /^pinyon_[a-z_]+(?<!_total)$/);
  }
});

t.test("every figure is served, at its value of the moment", async (t) => {
  const [daemon, other] = [await runningDaemon(t), await runningDaemon(t)];
  const base = `http://${formatHostPort(daemon.metrics!.address())}`;
  const read = async () => {
    const response = await fetch(`${base}/metrics`);
    t.match(response.headers.get("content-type"), /^text\/plain/);
    return response.text();
  };
  const before = await read();
  for (const { name, kind } of daemonMetrics(daemon)) {
    t.ok(before.includes(`# TYPE ${name} ${kind}\n`), name);
    if (ABSENT.includes(name)) continue;
    t.match(before, new RegExp(`^${name}(\\{[^}]*\\})? \\d+$`, "m"), `${name} has a value`);
  }
  t.match(before, /^pinyon_links 0$/m);
  t.match(before, /^process_resident_memory_bytes \d+$/m);
  await answerRequest(daemon, { verb: "peer-add", uri: uriOf(other) });
  await until("a link is up", () => daemon.links.size === 1);
  const after = await read();
  t.match(after, /^pinyon_links 1$/m);
  t.match(after, /^pinyon_node_established_total 1$/m);
  t.match(after, /^pinyon_dialer_links_total 1$/m);
  t.match(await read(), /^pinyon_dialer_links_total 1$/m, "reading does not count");
});

t.test("the metrics server answers what it has, and goes on after what it has not", async (t) => {
  const daemon = await runningDaemon(t);
  const base = `http://${formatHostPort(daemon.metrics!.address())}`;
  const answer = async (path: string, method = "GET") => {
    const response = await fetch(base + path, { method });
    return [response.status, await response.text()];
  };
  t.same(await answer("/healthz"), [200, "ok\n"]);
  t.same(await answer("/healthz", "HEAD"), [200, ""]);
  t.match(await answer("/"), [404, /\/metrics/]);
  t.match(await answer("/metrics", "POST"), [405, /\/metrics/]);
  t.match(await answer(`/${"x".repeat(20_000)}`), [431, ""]);
  t.same(await answer("/healthz?x=1"), [200, "ok\n"]);
});
