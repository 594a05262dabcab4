import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestAuthority } from "../../federation/authority.js";
import type { Tell } from "../install.js";
import type { Owner } from "../mesh.js";
import { type DebianPrograms, installDebianPrograms } from "./debian-programs.js";
import { Dns } from "./dns.js";
import { Hosts } from "./hosts.js";
import { Window } from "./window.js";

/** Files of a certificate, with those of its authorities, and of its key, in PEM. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** A network of networks of its own, in network namespaces: machines, DNS, and an authority whose certificates all believe. */
export class SmallInternet {
  private constructor(
    readonly owner: Owner,
    readonly tell: Tell,
    readonly programs: DebianPrograms,
    readonly hosts: Hosts,
    readonly dns: Dns,
    readonly window: Window,
    private readonly authority: TestAuthority,
    private readonly base: string,
  ) {}

  /** It ends with its owner. */
  static async open(owner: Owner, tell: Tell): Promise<SmallInternet> {
    const programs = await installDebianPrograms(tell);
    tell("making a small Internet in network namespaces");
    const base = mkdtempSync(join(tmpdir(), "pinyon-internet-"));
    owner.teardown(() => rmSync(base, { recursive: true, force: true, maxRetries: 3 }));
    const hosts = new Hosts(owner);
    const authority = await TestAuthority.make("Authority of the small Internet");
    const window = Window.open(owner, hosts.add("window", "9.9", ["internet", "lan"]));
    const dns = new Dns(hosts.add("dns", "0.53", ["internet"]), programs, subfolder(base, "dns"));
    const internet = new SmallInternet(owner, tell, programs, hosts, dns, window, authority, base);
    writeFileSync(internet.authorityFile, authority.certificatePem);
    owner.teardown(() => dns.end());
    await dns.start();
    return internet;
  }

  /** The file of the authority's certificate, in PEM. */
  get authorityFile(): string {
    return join(this.base, "authority.pem");
  }

  /** An empty folder that goes with the owner. */
  folder(name: string): string {
    return subfolder(this.base, name);
  }

  /** Writes a certificate for these names into a folder. */
  async certify(folder: string, dns: readonly string[]): Promise<CertificateFiles> {
    const { cert, key } = await this.authority.certify({ dns });
    const files = { certificate: join(folder, "fullchain.pem"), key: join(folder, "privkey.pem") };
    writeFileSync(files.certificate, cert);
    writeFileSync(files.key, key, { mode: 0o600 });
    return files;
  }
}

function subfolder(base: string, name: string): string {
  const path = join(base, name);
  mkdirSync(path);
  return path;
}
