import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import { ROOT } from "../tidy/repository.js";
import { whyMissing } from "./programs.js";

/** Where a container has the clone. */
export const CLONE = "/clone";

/** The hierarchies of cgroups that systemd keeps units in, of either version. */
const HIERARCHIES = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];

/**
 * A container of this machine's programs. Its root is this machine's, bound anew and read-only, below an overlay in memory; its
 * /tmp, /run, /dev and network are its own. So nothing in it, least of all what systemd clears away when it boots, reaches this
 * machine. Arguments: an empty folder, whose name the cgroup gets; the clone; what systemd-nspawn shall run.
 */
const ENTER = `
set -eu
root=$1 clone=$2
shift 2
for hierarchy in ${HIERARCHIES.join(" ")}; do
  [ -e "$hierarchy/cgroup.procs" ] || continue
  mkdir "$hierarchy/\${root##*/}"
  echo $$ > "$hierarchy/\${root##*/}/cgroup.procs"
done
mount --make-rprivate /
mount --bind / "$root"
mount -o remount,bind,ro "$root"
exec setpriv --pdeathsig TERM systemd-nspawn --quiet --directory="$root" --volatile=overlay --private-network \\
  --bind-ro="$clone:${CLONE}" --register=no --keep-unit --link-journal=no --kill-signal=SIGKILL "$@"
`;

/** Environment of what runs in a container: this machine's would lead to things that are not there. */
const BARE = ["env", "-i", "HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];

/** Runs what follows where the clone is bound, which is in a container and nowhere else. */
const INSIDE = ["sh", "-c", `[ -e ${CLONE}/package.json ] && exec "$@"`, "sh"];

/** Why no container can be had here; false where one can. */
export function whyNoContainer(): string | false {
  if (process.getuid?.() !== 0) return "a container needs root";
  const why = whyMissing("systemd-nspawn", "unshare", "setpriv", "nsenter");
  if (why) return why;
  const root = newRoot();
  try {
    const { status, stderr } = spawnSync("unshare", [...enter(root), "--pipe", "/bin/true"], { encoding: "utf8" });
    return status !== 0 && `no container here: ${stderr.trim().split("\n").at(-1)}`;
  } finally {
    removeRoot(root);
  }
}

/** What a command in a container gave. */
export interface Answer {
  readonly code: number;
  /** Both outputs together, as they came. */
  readonly output: string;
}

/** A container that systemd runs. It goes with the test. */
export class Container {
  private constructor(
    /** The container's first process, as this machine numbers it. */
    private readonly init: number,
  ) {}

  /** `options` are further ones of systemd-nspawn. */
  static async boot(t: Test, options: readonly string[] = []): Promise<Container> {
    const root = newRoot();
    const boot = ["--console=pipe", ...options, "--boot", "--", "--unit=basic.target"];
    const nspawn = spawn("unshare", [...enter(root), ...boot], { stdio: "ignore" });
    const gone = once(nspawn, "exit");
    t.teardown(async () => {
      nspawn.kill("SIGTERM");
      await gone;
      removeRoot(root);
    });
    for (;;) {
      // The first children of systemd-nspawn only prepare it.
      const container = new Container(firstChild(nspawn));
      if ((await container.run("systemctl", "is-active", "basic.target")).code === 0) return container;
      await pause();
    }
  }

  /** Runs a command in the container. */
  run(...command: string[]): Promise<Answer> {
    const into = ["-t", String(this.init), "-m", "-p", "-n", "-i", "-u", "-C", "--", ...BARE, ...INSIDE, ...command];
    return new Promise((resolve) => {
      const child = spawn("nsenter", into, { stdio: ["ignore", "pipe", "pipe"] });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (text: Buffer) => {
          output += text.toString();
        });
      }
      child.on("close", (code) => resolve({ code: code ?? -1, output }));
    });
  }
}

function newRoot(): string {
  return mkdtempSync(join(tmpdir(), "pinyon-container-"));
}

function enter(root: string): string[] {
  return ["--mount", "sh", "-c", ENTER, "sh", root, ROOT];
}

/** Removes the folder, to which nothing is bound any more, and the cgroups. */
function removeRoot(root: string): void {
  rmdirSync(root);
  for (const hierarchy of HIERARCHIES) removeCgroups(join(hierarchy, root.slice(root.lastIndexOf("/") + 1)));
}

/** A cgroup is removed as an empty folder is, though its files are still there. */
function removeCgroups(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroups(join(path, entry.name));
  }
  rmdirSync(path);
}

/** A process without children has none in its namespaces either: 0 is no process. */
function firstChild({ pid, exitCode }: ChildProcess): number {
  if (exitCode !== null) throw new Error(`systemd-nspawn ended with ${exitCode}`);
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ")[0]);
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
