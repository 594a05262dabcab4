import { z } from "zod";
import { keyToName } from "../../wire/name.js";
import { WELL_KNOWN_MIN_MS } from "../classic/config.js";
import { parseClassicName } from "../classic/server-name.js";
import type { Said, WellKnown } from "../classic/well-known.js";
import { FederationError } from "../errors.js";
import { isJsonObject, memberOf } from "../json.js";
import type { FederationStats } from "../stats.js";
import { BINDINGS_MAX, CLAIM_AGE_MS, CLAIMS_MAX, PIN_FOR_MS, REFRESH_GAP_MS, REFRESH_MS } from "./config.js";
import { type Binding, isBindable, NODE_MEMBER, readBinding, statementOf } from "./statement.js";

const PinSchema = z.strictObject({
  /** As it was seen, and checked again when it is read. */
  statement: z.record(z.string(), z.union([z.string(), z.number()])),
  /** A person put it in, or it stood under its name. */
  source: z.enum(["file", "well-known"]),
  /** When it was put in, or last seen (Unix time in ms). */
  seenWallMs: z.int(),
  /** The node that the name says now, in place of this one; null where it says this one, or none. */
  changedTo: z.string().nullable(),
  /** The name no longer says anything. */
  isWithdrawn: z.boolean(),
});
/** What outlives the process. */
export const BindingsSchema = z.array(PinSchema).max(BINDINGS_MAX);
export type KeptPins = z.output<typeof BindingsSchema>;

export interface KeptBindings {
  load(): Promise<KeptPins>;
  /** Writes it soon. */
  save(pins: KeptPins): void;
  /** Settles when all that was saved is written. */
  written(): Promise<void>;
}

/** A name and the node that it was bound to when it was first seen, or that a person says. */
interface Pin {
  binding: Binding;
  source: "file" | "well-known";
  seenWallMs: number;
  changedTo: string | null;
  isWithdrawn: boolean;
  /** When it is looked at again, at the earliest. */
  refreshWallMs: number;
}

/** What happened to a binding: for the log. */
export interface BindingEvent {
  readonly name: string;
  /** The node's name. */
  readonly node: string;
  readonly what: "pinned" | "changed" | "restored" | "withdrawn";
  /** Where it changed: the node that the name says now. */
  readonly to?: string;
}

/** A binding as a person sees it. */
export interface BindingInfo {
  readonly name: string;
  readonly node: string;
  /** `bound`; `changed`: refused until a person decides; `withdrawn`, `expired`: a classic server as any other. */
  readonly state: "bound" | "changed" | "withdrawn" | "expired";
  readonly source: "file" | "well-known";
  /** Until when it is good, Unix time in ms. */
  readonly untilMs: number;
  /** Where it changed: the node that the name says now. */
  readonly changedTo: string | null;
}

export interface BindingsOptions {
  readonly stats: FederationStats;
  /** Unix time in ms. */
  readonly wallMs: () => number;
  readonly kept: KeptBindings;
  readonly onEvent: (event: BindingEvent) => void;
}

/**
 * Which node speaks for which classic server. What a name says under its own well-known address is believed the first time and remembered;
 * another node later is an alarm, and nothing passes until a person decides, or the name says the first one again.
 */
export class Bindings {
  readonly #options: BindingsOptions;
  /** By name, the one used last at the end. */
  readonly #pins = new Map<string, Pin>();
  /** Undefined where the node cannot ask names. */
  #wellKnown: WellKnown | undefined;
  #claims = 0;

  constructor(options: BindingsOptions) {
    this.#options = options;
  }

  /** Takes up what was kept; to be called once, before anything else. `wellKnown` tells its answers to `handleSaid`. */
  async start(wellKnown: WellKnown | undefined): Promise<void> {
    this.#wellKnown = wellKnown;
    for (const { statement, ...rest } of await this.#options.kept.load()) {
      try {
        // Whether it is still good is looked at when it is used: of one that is not, too, the node is remembered.
        const binding = readBinding(JSON.stringify(statement), Number(statement["issued_ts"]));
        // A clock that was ahead must not keep one for longer than that is.
        const seenWallMs = Math.min(rest.seenWallMs, this.#options.wallMs());
        this.#pins.set(binding.name, { ...rest, seenWallMs, binding, refreshWallMs: seenWallMs + REFRESH_MS });
      } catch {
        this.#options.stats.bindingsRefused++;
      }
    }
  }

  async stop(): Promise<void> {
    await this.#options.kept.written();
  }

  /** The key of the node that is known to speak for a server, without asking; undefined where there is none. */
  pinned(name: string): Uint8Array | undefined {
    const pin = this.#pins.get(name);
    return pin !== undefined && this.#stateOf(pin) === "bound" ? pin.binding.key : undefined;
  }

  /**
   * The same, and where nothing is known the name is asked. Throws `PINYON_BINDING_CHANGED` where it was bound to one node, and now says
   * another.
   */
  async keyOf(name: string): Promise<Uint8Array | undefined> {
    if (this.pinned(name) !== undefined) this.#use(name);
    else await this.#ask(name, this.#isChanged(name) ? WELL_KNOWN_MIN_MS : undefined);
    return this.known(name);
  }

  /** The same, without asking. */
  known(name: string): Uint8Array | undefined {
    const pin = this.#pins.get(name);
    if (pin !== undefined && pin.changedTo !== null) {
      const detail = `${name} was ${nodeName(pin.binding.key)}, and says ${pin.changedTo}`;
      throw new FederationError("PINYON_BINDING_CHANGED", detail);
    }
    return this.pinned(name);
  }

  /** True where the node with this key speaks for the server `name`, as it claims. Throws `PINYON_BUSY` where too many are being checked. */
  async isBound(name: string, key: Uint8Array): Promise<boolean> {
    if (this.#isPinned(name, key)) {
      this.#use(name);
      return true;
    }
    if (this.#claims >= CLAIMS_MAX) throw new FederationError("PINYON_BUSY");
    this.#claims++;
    try {
      await this.#ask(name, CLAIM_AGE_MS);
    } finally {
      this.#claims--;
    }
    const isBound = this.#isPinned(name, key);
    if (!isBound) this.#options.stats.bindingClaimsRefused++;
    return isBound;
  }

  /** A name answered under its well-known address, or did not. */
  handleSaid(host: string, { node, isSaid }: Said): void {
    const pin = this.#pins.get(host);
    if (node !== undefined) this.#handleStatement(host, node, pin);
    else if (isSaid && pin?.source === "well-known" && !pin.isWithdrawn && pin.changedTo === null) {
      pin.isWithdrawn = true;
      this.#tell(host, pin, "withdrawn");
    }
  }

  /**
   * A person says what a name is bound to, by a statement or the document that holds one, and means it: whatever was known of it before
   * goes. Throws `PINYON_BINDING`.
   */
  import(text: string): BindingInfo {
    const { wallMs } = this.#options;
    const binding = readBinding(statementIn(text), wallMs());
    this.#pins.delete(binding.name);
    this.#add(binding, "file");
    return this.#infoOf(this.#pins.get(binding.name)!);
  }

  /** Forgets a name, which is asked anew when it is next needed; false where it is not known. */
  forget(name: string): boolean {
    const isKnown = this.#pins.delete(name);
    const host = hostOf(name);
    if (host !== undefined) this.#wellKnown?.forget(host);
    this.#save();
    return isKnown;
  }

  /** All that is known, in the order of names. */
  list(): BindingInfo[] {
    return [...this.#pins.values()]
      .map((pin) => this.#infoOf(pin))
      .sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  #isChanged(name: string): boolean {
    return (this.#pins.get(name)?.changedTo ?? null) !== null;
  }

  #isPinned(name: string, key: Uint8Array): boolean {
    const pinned = this.pinned(name);
    return pinned !== undefined && Buffer.compare(pinned, key) === 0;
  }

  async #ask(name: string, ageMs?: number): Promise<void> {
    const host = hostOf(name);
    if (host !== undefined) await this.#wellKnown?.ask(host, ageMs);
  }

  /** It is in use: looked at again, beside that, where it is time. */
  #use(name: string): void {
    const pin = this.#pins.get(name)!;
    this.#pins.delete(name);
    this.#pins.set(name, pin);
    const wallMs = this.#options.wallMs();
    if (wallMs < pin.refreshWallMs) return;
    pin.refreshWallMs = wallMs + REFRESH_GAP_MS;
    void this.#ask(name, REFRESH_GAP_MS);
  }

  #handleStatement(host: string, text: string, pin: Pin | undefined): void {
    const { stats, wallMs } = this.#options;
    let binding: Binding;
    try {
      binding = readBinding(text, wallMs());
      if (binding.name !== host) throw new FederationError("PINYON_BINDING", `it is for ${binding.name}`);
    } catch {
      stats.bindingsRefused++;
      return;
    }
    if (pin === undefined) this.#add(binding, "well-known");
    else if (Buffer.compare(pin.binding.key, binding.key) === 0) this.#renew(pin, binding);
    else this.#change(pin, binding);
  }

  #renew(pin: Pin, binding: Binding): void {
    const { stats, wallMs } = this.#options;
    const wasRefused = pin.changedTo !== null;
    if (binding.expiresMs > pin.binding.expiresMs) pin.binding = binding;
    pin.seenWallMs = wallMs();
    pin.refreshWallMs = pin.seenWallMs + REFRESH_MS;
    pin.changedTo = null;
    pin.isWithdrawn = false;
    stats.bindingsRenewed++;
    if (wasRefused) this.#tell(binding.name, pin, "restored");
    else this.#save();
  }

  #change(pin: Pin, { name, key }: Binding): void {
    const to = nodeName(key);
    if (pin.changedTo === to) return;
    pin.changedTo = to;
    this.#options.stats.bindingChanges++;
    this.#tell(name, pin, "changed", to);
  }

  #add(binding: Binding, source: Pin["source"]): void {
    const { stats, wallMs } = this.#options;
    if (!this.#makeRoom(source)) return;
    const seenWallMs = wallMs();
    const refreshWallMs = seenWallMs + REFRESH_MS;
    const pin = { binding, source, seenWallMs, changedTo: null, isWithdrawn: false, refreshWallMs };
    this.#pins.set(binding.name, pin);
    stats.bindingsPinned++;
    this.#tell(binding.name, pin, "pinned");
  }

  /** What a person put in stays, and so does an alarm. */
  #makeRoom(source: Pin["source"]): boolean {
    if (this.#pins.size < BINDINGS_MAX) return true;
    this.#options.stats.bindingEvictions++;
    for (const [name, pin] of this.#pins) {
      if (pin.source === "file" || pin.changedTo !== null) continue;
      this.#pins.delete(name);
      return true;
    }
    if (source === "file") throw new FederationError("PINYON_BINDING", `${BINDINGS_MAX} are kept: forget one`);
    return false;
  }

  #stateOf(pin: Pin): BindingInfo["state"] {
    if (pin.changedTo !== null) return "changed";
    if (pin.isWithdrawn) return "withdrawn";
    return this.#options.wallMs() < untilMs(pin) ? "bound" : "expired";
  }

  #infoOf(pin: Pin): BindingInfo {
    const { binding, source, changedTo } = pin;
    const node = nodeName(binding.key);
    return { name: binding.name, node, state: this.#stateOf(pin), source, untilMs: untilMs(pin), changedTo };
  }

  #tell(name: string, pin: Pin, what: BindingEvent["what"], to?: string): void {
    this.#options.onEvent({ name, node: nodeName(pin.binding.key), what, ...(to === undefined ? {} : { to }) });
    this.#save();
  }

  #save(): void {
    const pins = [...this.#pins.values()].map(({ binding, refreshWallMs: _, ...rest }) => ({
      ...rest,
      statement: statementOf(binding) as Record<string, string | number>,
    }));
    this.#options.kept.save(pins);
  }
}

/** One that stood under its name is good for a time after that; one that a person put in, for as long as it says. */
function untilMs({ binding, source, seenWallMs }: Pin): number {
  return source === "file" ? binding.expiresMs : Math.min(binding.expiresMs, seenWallMs + PIN_FOR_MS);
}

/** The host whose well-known address speaks for a name; undefined for a name with a port or an address, which has none. */
export function hostOf(name: string): string | undefined {
  const parsed = isBindable(name) ? parseClassicName(name) : undefined;
  return parsed === undefined || parsed.isAddress || parsed.port !== undefined ? undefined : parsed.host;
}

/** Nodes are named as they name themselves where no other domain is known. */
function nodeName(key: Uint8Array): string {
  return keyToName(key);
}

/** The statement in a text: all of it, or the member of a document. */
function statementIn(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    const node = isJsonObject(value) ? memberOf(value, NODE_MEMBER) : undefined;
    return node === undefined ? text : JSON.stringify(node);
  } catch {
    return text;
  }
}
