import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Owner } from "../mesh.js";

/** Nothing leaves the namespaces, so the addresses may be anybody's: the judgment of addresses must take them for the Internet's. */
export const INTERNET = "5.5";
/** A network without a way to the Internet. */
export const LAN = "10.77";
export const DNS_SERVER = `${INTERNET}.0.53`;

const NETWORKS = { internet: { prefix: INTERNET, card: "inet0" }, lan: { prefix: LAN, card: "lan0" } } as const;

/** One of the two networks. */
export type Network = keyof typeof NETWORKS;

/** A machine: a network namespace with a card in one network or in both. */
export class Host {
  constructor(
    readonly name: string,
    private readonly namespace: string,
    private readonly switches: string,
    private readonly resolvers: string,
    /** The last two parts of its address in either network. */
    private readonly number: string,
    private readonly cards: readonly Network[],
  ) {}

  /** What a command begins with that runs there: it asks the small Internet's own DNS for names. */
  get prefix(): readonly string[] {
    const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
    return ["ip", "netns", "exec", this.namespace, "sh", "-c", script, this.resolvers];
  }

  address(network: Network): string {
    if (!this.cards.includes(network)) throw new Error(`${this.name} has no card in the ${network}`);
    return `${NETWORKS[network].prefix}.${this.number}`;
  }

  /** True where something listens on a port of it, of TCP and IPv4. */
  listensOn(port: number): boolean {
    const [program = "", ...args] = [...this.prefix, "cat", "/proc/net/tcp"];
    const local = new RegExp(
      `^ *\\d+: [0-9A-F]{8}:${port.toString(16).toUpperCase().padStart(4, "0")} 00000000:0000 0A`,
      "m",
    );
    return local.test(execFileSync(program, args, { encoding: "utf8" }));
  }

  /** Pulls its cable out of a network. */
  cut(network: Network): void {
    ip("-n", this.switches, "link", "set", portOf(network, this.name), "down");
  }

  heal(network: Network): void {
    ip("-n", this.switches, "link", "set", portOf(network, this.name), "up");
  }

  /** Lets through so much of what it sends to a network; undefined: all. */
  slow(network: Network, bitsPerS: number | undefined): void {
    const card = ["dev", NETWORKS[network].card, "root"];
    const tc = (...args: string[]) => execFileSync("ip", ["netns", "exec", this.namespace, "tc", "qdisc", ...args]);
    if (bitsPerS === undefined) tc("del", ...card);
    else tc("add", ...card, "tbf", "rate", `${bitsPerS}bit`, "burst", "16kb", "latency", "1s");
  }

  /** Bytes that it sent to a network. */
  sentBytes(network: Network): number {
    const said = ip("-n", this.namespace, "-s", "-j", "link", "show", NETWORKS[network].card);
    const [{ stats64 }] = JSON.parse(said) as [{ stats64: { tx: { bytes: number } } }];
    return stats64.tx.bytes;
  }
}

let count = 0;

/** Two networks and the machines in them, all of one kernel. They go with their owner. */
export class Hosts {
  readonly #switches: string;
  readonly #base: string;
  readonly #resolvers: string;

  constructor(private readonly owner: Owner) {
    this.#base = `pinyon-${process.pid}-inet${count++}`;
    const folder = mkdtempSync(join(tmpdir(), "pinyon-hosts-"));
    owner.teardown(() => rmSync(folder, { recursive: true, force: true }));
    this.#resolvers = join(folder, "resolv.conf");
    writeFileSync(this.#resolvers, `nameserver ${DNS_SERVER}\noptions timeout:2 attempts:2\n`);
    this.#switches = this.#namespace("switches");
    for (const network of Object.keys(NETWORKS)) {
      ip("-n", this.#switches, "link", "add", network, "type", "bridge");
      ip("-n", this.#switches, "link", "set", network, "up");
    }
  }

  /** A new machine; `number` is the last two parts of its addresses. */
  add(name: string, number: string, cards: readonly Network[]): Host {
    const namespace = this.#namespace(name);
    for (const network of cards) {
      const { prefix, card } = NETWORKS[network];
      const port = portOf(network, name);
      ip("-n", this.#switches, "link", "add", port, "type", "veth", "peer", "name", card, "netns", namespace);
      ip("-n", this.#switches, "link", "set", port, "master", network, "up");
      ip("-n", namespace, "addr", "add", `${prefix}.${number}/16`, "dev", card);
      ip("-n", namespace, "link", "set", card, "up");
    }
    return new Host(name, namespace, this.#switches, this.#resolvers, number, cards);
  }

  #namespace(name: string): string {
    const namespace = `${this.#base}-${name}`;
    ip("netns", "add", namespace);
    this.owner.teardown(() => ip("netns", "del", namespace));
    ip("-n", namespace, "link", "set", "lo", "up");
    return namespace;
  }
}

/** A network card has a name of 15 letters at most. */
function portOf(network: Network, name: string): string {
  return `${network.slice(0, 1)}-${name}`.slice(0, 15);
}

function ip(...args: string[]): string {
  return execFileSync("ip", args, { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
}
