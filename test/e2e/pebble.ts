import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Test } from "tap";
import { tempFolder } from "../daemon/temp-folder.js";
import { TestAuthority } from "../federation/authority.js";
import { installPebble } from "./pebble-install.js";
import { freePorts } from "./place.js";
import { endProcess, spawnGroup } from "./processes.js";

/** A domain for which Pebble refuses to certify anything. */
export const REFUSED_DOMAIN = "refused.example";

/** Pebble on loopback, and the DNS that it asks, in which every name has the address 127.0.0.1. */
export interface Pebble {
  /** The URL of its directory. */
  readonly directory: string;
  /** The authority of its own certificate, which whoever asks it must believe. */
  readonly authorityPem: string;
  /** The authority of the certificates that it issues. */
  readonly rootPem: string;
  /** Where the records of its DNS are changed: `POST /set-txt`, `/clear-txt`. */
  readonly dnsUrl: string;
}

/** Starts it; challenges in TLS are sent to port `tlsPort`. It ends with the test. */
export async function startPebble(t: Test, tlsPort: number): Promise<Pebble> {
  const programs = await installPebble((line) => t.comment(line));
  const [port = 0, managementPort = 0, dnsPort = 0, dnsManagementPort = 0, httpPort = 0] = await freePorts(5);
  const folder = tempFolder(t);
  const authority = await TestAuthority.make("Authority of Pebble");
  const { cert, key } = await authority.certify({ ip: ["127.0.0.1"] });
  const [certificate, privateKey] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  writeFileSync(certificate, cert);
  writeFileSync(privateKey, key);
  const pebble = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${managementPort}`,
    certificate,
    privateKey,
    httpPort,
    tlsPort,
    ocspResponderURL: "",
    externalAccountBindingRequired: false,
    domainBlocklist: [REFUSED_DOMAIN],
    retryAfter: { authz: 1, order: 1 },
    keyAlgorithm: "ecdsa",
    profiles: { default: { description: "As long as those of Let's Encrypt.", validityPeriod: 90 * 86_400 } },
  };
  const config = join(folder, "pebble.json");
  writeFileSync(config, JSON.stringify({ pebble }));
  const dns = ["-dnsserver", `127.0.0.1:${dnsPort}`, "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""];
  const others = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""];
  const management = ["-management", `127.0.0.1:${dnsManagementPort}`];
  start(t, join(programs, "pebble-challtestsrv"), [...dns, ...others, ...management], {});
  // It waits some seconds before it looks, and uses half of what it has seen again, unless it is told not to.
  const env = { PEBBLE_VA_NOSLEEP: "1", PEBBLE_AUTHZREUSE: "0" };
  start(t, join(programs, "pebble"), ["-config", config, "-dnsserver", `127.0.0.1:${dnsPort}`], env);
  return {
    directory: `https://127.0.0.1:${port}/dir`,
    authorityPem: authority.certificatePem,
    rootPem: await readyBody(`https://127.0.0.1:${managementPort}/roots/0`, authority.certificatePem),
    dnsUrl: `http://127.0.0.1:${dnsManagementPort}`,
  };
}

/** A command that changes Pebble's DNS and writes down what it was called with, with more of a script before. */
export function hookFor(t: Test, { dnsUrl }: Pebble, before = ""): { hook: string; calls: () => string[][] } {
  const folder = tempFolder(t);
  const [hook, log] = [join(folder, "hook"), join(folder, "calls")];
  writeFileSync(log, "");
  const script = `#!${process.execPath}
const [task, name, value] = process.argv.slice(2);
require("node:fs").appendFileSync(${JSON.stringify(log)}, JSON.stringify([task, name, value]) + "\\n");
${before}
fetch(${JSON.stringify(dnsUrl)} + (task === "present" ? "/set-txt" : "/clear-txt"), {
  method: "POST",
  body: JSON.stringify({ host: name + ".", value }),
}).then(({ ok }) => process.exit(ok ? 0 : 1));
`;
  writeFileSync(hook, script, { mode: 0o755 });
  const calls = () =>
    readFileSync(log, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  return { hook, calls };
}

function start(t: Test, program: string, args: readonly string[], env: Record<string, string>): void {
  const child = spawnGroup(program, args, { stdio: "ignore", env: { ...process.env, ...env } });
  t.teardown(() => endProcess(child, "SIGKILL"));
}

/** What is answered there, as soon as somebody does. */
async function readyBody(url: string, ca: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      return await new Promise((resolve, reject) => {
        request(url, { ca }, (answer) => resolve(text(answer)))
          .once("error", reject)
          .end();
      });
    } catch (error) {
      if (tries === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
