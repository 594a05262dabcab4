import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { installOnce, run, type Tell } from "../install.js";

const PACKAGES = ["knot", "nginx", "libnginx-mod-stream", "haproxy"] as const;
const APT_GET = "/usr/bin/apt-get";

/** Programs of Debian, and what they are to be started with. */
export interface DebianPrograms {
  readonly knotd: string;
  readonly nginx: string;
  /** The module of nginx that passes connections on. */
  readonly nginxStream: string;
  readonly haproxy: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Why Debian's programs cannot be had here, in a sentence; undefined where they can. */
export function whyNoDebianPrograms(): string | undefined {
  return existsSync(APT_GET) ? undefined : "knot, nginx and HAProxy are those of Debian, and there is no apt-get here";
}

/**
 * Debian's knot, nginx and HAProxy: got at the first call on a machine, which takes seconds and 13 MB, and unpacked beside what is
 * installed there, which stays as it is.
 */
export async function installDebianPrograms(tell: Tell): Promise<DebianPrograms> {
  const folder = await installOnce("debian-knot-nginx-haproxy", tell, async (folder) => {
    const archives = join(folder, "archives");
    mkdirSync(join(archives, "partial"), { recursive: true });
    // Another apt-get may hold the lock of what is installed, which is not touched.
    const options = [`Dir::Cache::archives=${archives}`, "Debug::NoLocking=1"].flatMap((option) => ["-o", option]);
    const flags = ["--yes", "--download-only", "--reinstall", "--no-install-recommends"];
    const download = () => run(APT_GET, [...options, "install", ...flags, ...PACKAGES]);
    await download().catch(async () => {
      tell("  the list of Debian's packages is old");
      await run(APT_GET, ["update"]);
      await download();
    });
    for (const file of readdirSync(archives)) {
      if (file.endsWith(".deb")) await run("dpkg-deb", ["--extract", join(archives, file), folder]);
    }
    rmSync(archives, { recursive: true });
  });
  const platform = readdirSync(join(folder, "usr/lib")).find((name) => name.endsWith("-linux-gnu")) ?? "";
  return {
    knotd: join(folder, "usr/sbin/knotd"),
    nginx: join(folder, "usr/sbin/nginx"),
    nginxStream: join(folder, "usr/lib/nginx/modules/ngx_stream_module.so"),
    haproxy: join(folder, "usr/sbin/haproxy"),
    env: { LD_LIBRARY_PATH: join(folder, "usr/lib", platform) },
  };
}
