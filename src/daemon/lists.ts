import { z } from "zod";
import { parseClassicName } from "../federation/classic/server-name.js";
import type { ExitRules } from "../federation/exit/exit.js";
import { keyToName } from "../wire/name.js";
import type { GatewayConfig } from "./classic-config.js";
import type { Config } from "./config.js";
import { ErrorCode, PinyonError } from "./errors.js";
import type { KeptFile } from "./kept-file.js";
import { LISTED_MAX } from "./limits.js";
import { keyHex, parseTarget } from "./target.js";

/** What a node can be to others. */
export type Way = "exit" | "gateway";

/** Keys in hex, and at `exit.deny` domains too. */
const ListSchema = z.array(z.string().max(300)).max(LISTED_MAX);
const WaySchema = z.strictObject({ allow: ListSchema, deny: ListSchema });
export const KeptListsSchema = z.strictObject({ exit: WaySchema, gateway: WaySchema });
export type KeptLists = z.output<typeof KeptListsSchema>;

export const NO_LISTS: KeptLists = { exit: { allow: [], deny: [] }, gateway: { allow: [], deny: [] } };

type ListsConfig = Pick<Config, "exit" | "gateway">;

/** A node or a domain that an operator named. */
interface Named {
  readonly id: string;
  readonly isNode: boolean;
  readonly text: string;
}

/**
 * Who may use this node as exit or gateway: what the config file says, and what `pinyon exit` and `pinyon gateway` were told since, which is
 * kept on disk. What is denied in either place is denied. Neither takes back what the file says: that is changed there.
 */
export class Lists {
  #config: ListsConfig;

  private constructor(
    config: ListsConfig,
    private readonly kept: KeptFile<KeptLists>,
    private readonly lists: KeptLists,
  ) {
    this.#config = config;
  }

  static async open(config: ListsConfig, kept: KeptFile<KeptLists>): Promise<Lists> {
    return new Lists(config, kept, structuredClone(await kept.load()));
  }

  /** The config file says something else. Whether there is a gateway, where, and with which files, stays as it was at the start. */
  setConfig({ exit, gateway: changed }: ListsConfig): void {
    const { gateway } = this.#config;
    if (gateway === undefined) {
      this.#config = { exit, gateway };
      return;
    }
    const { domain, listen, terminate, files } = gateway;
    this.#config = { exit, gateway: { ...gateway, ...changed, domain, listen, terminate, files } };
  }

  get exit(): ExitRules {
    const { exit } = this.#config;
    const { allow, deny } = this.lists.exit;
    const denied = new Set(deny);
    const allowed = [...exit.allow, ...allow].filter((key) => !denied.has(key));
    return { ...exit, allow: new Set(allowed), deny: [...exit.deny, ...deny.filter((each) => !isKey(each))] };
  }

  get gateway(): GatewayConfig | undefined {
    const { gateway } = this.#config;
    const { allow, deny } = this.lists.gateway;
    return (
      gateway && { ...gateway, allow: new Set([...gateway.allow, ...allow]), deny: new Set([...gateway.deny, ...deny]) }
    );
  }

  /** Allows a node, or lets others out to a domain again. Throws `PINYON_LIST`, `PINYON_TARGET`. */
  allow(way: Way, text: string): void {
    const named = this.#named(way, text);
    const where = this.#denyingConfig(way, named);
    if (where !== undefined)
      throw listError(`${named.text} is denied by \`${where}\` of the config file: change it there`);
    const { allow, deny } = this.lists[way];
    remove(deny, named.id);
    if (named.isNode && !this.#config[way]?.allow.has(named.id)) add(allow, named.id);
    this.kept.save(this.lists);
  }

  /** Denies a node, or to let anybody out to a domain. Throws `PINYON_LIST`, `PINYON_TARGET`. */
  deny(way: Way, text: string): void {
    const { id } = this.#named(way, text);
    const { allow, deny } = this.lists[way];
    add(deny, id);
    remove(allow, id);
    this.kept.save(this.lists);
  }

  async written(): Promise<void> {
    await this.kept.written();
  }

  #named(way: Way, text: string): Named {
    if (way === "gateway" && this.#config.gateway === undefined) {
      throw listError("this node is no gateway: set `gateway` in its config file and start it again");
    }
    const key = parseTarget(text);
    if (key !== undefined) return { id: keyHex(key), isNode: true, text: keyToName(key) };
    const place = way === "exit" ? parseClassicName(text.toLowerCase()) : undefined;
    if (place !== undefined && place.port === undefined) return { id: place.host, isNode: false, text: place.host };
    const expected = way === "exit" ? "a node's name or key, or a domain" : "a node's name or key";
    throw new PinyonError(ErrorCode.TARGET, `${JSON.stringify(text)}: expected ${expected}`);
  }

  #denyingConfig(way: Way, { id, isNode }: Named): string | undefined {
    const { exit, gateway } = this.#config;
    if (way === "gateway") return gateway?.deny.has(id) ? "gateway.deny" : undefined;
    const isDenied = !isNode && exit.deny.some((domain) => id === domain || id.endsWith(`.${domain}`));
    return isDenied ? "exit.deny" : undefined;
  }
}

const isKey = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

function add(list: string[], id: string): void {
  if (list.includes(id)) return;
  if (list.length >= LISTED_MAX) {
    throw listError(`${LISTED_MAX} are listed already: name more in the config file`);
  }
  list.push(id);
}

function remove(list: string[], id: string): void {
  const at = list.indexOf(id);
  if (at >= 0) list.splice(at, 1);
}

function listError(message: string): PinyonError {
  return new PinyonError(ErrorCode.LIST, message);
}
