import t from "tap";
import { CLONE, Container, whyNoContainer } from "./container.js";

t.setTimeout(240_000);

const skip = whyNoContainer();

/** Waits until a command in the container succeeds and says what is wanted. */
async function until(container: Container, wanted: RegExp, ...command: string[]): Promise<string> {
  for (;;) {
    const { output } = await container.run(...command);
    if (wanted.test(output)) return output;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const property = async (container: Container, name: string) =>
  (await container.run("systemctl", "show", "pinyon", `--property=${name}`, "--value")).output.trim();

t.test("the service is installed, runs closed in, outlives kill and hang, and is updated", { skip }, async (t) => {
  const container = await Container.boot(t);
  const run = (...command: string[]) => container.run(...command);
  const pinyon = (...args: string[]) => run("pinyon", "--state", "/var/lib/pinyon", ...args);

  t.match(await run("stat", "--file-system", "--format=%T", "/"), { output: "overlayfs\n" }, "nothing gets out");
  const installed = await run(`${CLONE}/deploy/install.sh`);
  t.match(installed, { code: 0, output: /Active: active \(running\)/ });
  t.match(installed.output, /Status: "[a-z2-7]{52}\.pinyon\.alt: 0 links, 0 sessions"/, "it told that it is ready");
  const status = await pinyon("status");
  t.match(status, { code: 0, output: /native crypto/ });
  const [name] = status.output.split("\n");

  const main = await property(container, "MainPID");
  const closed = (await run("cat", `/proc/${main}/status`)).output;
  t.match(closed, /^CapBnd:\t0+$/m);
  t.match(closed, /^NoNewPrivs:\t1$/m);
  t.match(closed, /^Seccomp:\t2$/m);
  t.notMatch(closed, /^Uid:\t0\b/m);
  t.match((await run("stat", "--format=%a %U", "/var/lib/pinyon/key")).output, "600 pinyon\n");

  // What the filter denies ends the daemon instead of failing: it needs nothing that it is denied.
  await run("mkdir", "-p", "/run/systemd/system/pinyon.service.d");
  const strict = "[Service]\\nSystemCallErrorNumber=kill\\nWatchdogSec=3s\\nRestartSec=100ms\\n";
  await run("sh", "-c", `printf '${strict}' > /run/systemd/system/pinyon.service.d/strict.conf`);
  t.match(await run("systemctl", "daemon-reload"), { code: 0 });
  t.match(await run("systemctl", "restart", "pinyon"), { code: 0 });
  t.match(await pinyon("peer", "add", `wss://127.0.0.1:9?key=${"ab".repeat(32)}`), { code: 0 });
  await run("systemd-run", "--setenv=HOME=/root", "pinyon", "--state", "/root/second", "run", "--init");
  const second = (await until(container, /pinyon\.alt/, "pinyon", "--state", "/root/second", "status")).split("\n")[0]!;
  await until(container, / 1 answer,/, "pinyon", "--state", "/var/lib/pinyon", "ping", "-c", "1", second);

  await run("systemctl", "kill", "--signal=KILL", "pinyon");
  await until(container, /^1$/m, "systemctl", "show", "pinyon", "--property=NRestarts", "--value");
  await until(container, /^active$/m, "systemctl", "is-active", "pinyon");
  await run("systemctl", "kill", "--signal=STOP", "--kill-who=main", "pinyon");
  await until(container, /^2$/m, "systemctl", "show", "pinyon", "--property=NRestarts", "--value");
  await until(container, /^active$/m, "systemctl", "is-active", "pinyon");
  t.match((await run("journalctl", "-u", "pinyon", "--no-pager")).output, /Watchdog timeout/, "the hang was noticed");

  t.match(await run(`${CLONE}/deploy/install.sh`), { code: 0, output: /Active: active \(running\)/ }, "an update");
  t.match((await pinyon("status")).output, name!, "the same node");
  t.match((await pinyon("peer", "ls")).output, /wss:\/\/127\.0\.0\.1:9\/\?key=(ab){32} +added/, "with its peer");
  t.match(await run("systemctl", "stop", "pinyon"), { code: 0 });
  t.equal(await property(container, "Result"), "success");
});
