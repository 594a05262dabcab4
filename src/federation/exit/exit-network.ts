import type { ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import type { Duplex } from "node:stream";
import { backOffMs } from "../back-off.js";
import type { ClassicNetwork, Service } from "../classic/network.js";
import { FEDERATION_CODES, type FederationCode, FederationError, federationErrorOf } from "../errors.js";
import { CODE_HEADER } from "../http2.js";
import { isJsonObject, memberOf, parseJsonObject } from "../json.js";
import type { FederationOverlay, RemoteNode, Timers } from "../overlay.js";
import type { FederationStats } from "../stats.js";
import { readWhole } from "../whole.js";
import { within } from "../within.js";
import {
  EXIT_ANSWER_BYTES_MAX,
  EXIT_BACK_OFF,
  EXIT_PROBE_MS,
  EXIT_PROBED_FOR_MS,
  EXIT_SERVICES_MAX,
  EXIT_SILENCE_MS,
  EXIT_TIMEOUT_MS,
  EXIT_WATCH_MS,
} from "./config.js";
import { EXIT_PATH, SERVER_HEADER, SERVICES_PATH } from "./exit.js";

export interface ExitNetworkOptions {
  /** Keys of the exits, in the order of preference. */
  readonly exits: readonly Uint8Array[];
  readonly overlay: FederationOverlay;
  readonly stats: FederationStats;
  readonly timers: Timers;
  readonly random: () => number;
}

interface KnownExit {
  readonly key: Uint8Array;
  /** In a row: where there are any, it comes after the others. */
  failures: number;
  /** Before this it is not asked how it is, in ms on the clock of the timers. */
  probeMs: number;
}

/** Codes that tell of where the way was to lead, and not of the exit: another would say the same. */
const DESTINATION_CODES: readonly FederationCode[] = [
  "PINYON_CLASSIC_LOOKUP",
  "PINYON_CLASSIC_ADDRESS",
  "PINYON_CLASSIC_CONNECT",
  "PINYON_CONNECT_TARGET",
];

/**
 * The Internet by way of other nodes that let this one out. Where one cannot, the next is tried; a connection that stands stays where it is.
 * While they are used, the others are asked now and then how they are: so a dead one costs no request its time, and one that is back is used again.
 */
export class ExitNetwork implements ClassicNetwork {
  readonly #options: ExitNetworkOptions;
  readonly #exits: readonly KnownExit[];
  #usedMs = 0;
  /** Stops the wait for the next round of questions; undefined: there is none. */
  #cancelProbes: (() => void) | undefined;
  #isStopped = false;

  constructor(options: ExitNetworkOptions) {
    this.#options = options;
    this.#exits = options.exits.map((key) => ({ key, failures: 0, probeMs: 0 }));
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelProbes?.();
  }

  services(name: string): Promise<readonly Service[]> {
    return this.#any(async (exit) => {
      const stream = await this.#ask(
        exit,
        { ":method": "GET", ":authority": "exit", ":path": SERVICES_PATH + name },
        true,
      );
      const body = within(readWhole(stream, EXIT_ANSWER_BYTES_MAX), EXIT_TIMEOUT_MS, this.#options.timers);
      const answer = await body.finally(() => stream.destroy());
      const services = memberOf(parseJsonObject(answer) ?? {}, "services");
      if (!Array.isArray(services) || !services.every(isService)) throw new FederationError("PINYON_BODY_BROKEN");
      return services.slice(0, EXIT_SERVICES_MAX);
    });
  }

  open(host: string, port: number, server?: string): Promise<Duplex> {
    const authority = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    const named = server === undefined ? {} : { [SERVER_HEADER]: server };
    return this.#any((exit) => this.#ask(exit, { ":method": "CONNECT", ":authority": authority, ...named }, false));
  }

  async #any<T>(ask: (exit: KnownExit) => Promise<T>): Promise<T> {
    this.#usedMs = this.#options.timers.nowMs();
    this.#planProbes();
    const ordered = [...this.#exits].sort((one, other) => Number(one.failures > 0) - Number(other.failures > 0));
    let failure = new FederationError("PINYON_UNREACHABLE", "no exit is named in `exits`");
    for (const exit of ordered) {
      try {
        const given = await ask(exit);
        this.#noteSuccess(exit);
        return given;
      } catch (thrown) {
        const error = federationErrorOf(thrown);
        if (DESTINATION_CODES.includes(error.code)) {
          this.#noteSuccess(exit);
          throw error;
        }
        this.#options.stats.exitFailures++;
        this.#noteFailure(exit);
        failure = error;
      }
    }
    throw failure;
  }

  /** An exit that is gone would hold its streams, also those that a new request is sent on, until its session ends. */
  #watch(exit: KnownExit, remote: RemoteNode, stream: ClientHttp2Stream): void {
    const { stats, timers } = this.#options;
    const look = () =>
      timers.after(EXIT_WATCH_MS, () => {
        if (remote.silenceMs() < EXIT_SILENCE_MS) {
          cancel = look();
          return;
        }
        if (exit.failures === 0) {
          stats.exitFailures++;
          this.#noteFailure(exit);
        }
        remote.giveUp();
      });
    let cancel = look();
    stream.once("close", () => cancel());
  }

  #noteSuccess(exit: KnownExit): void {
    exit.failures = 0;
    exit.probeMs = this.#options.timers.nowMs() + EXIT_PROBE_MS;
  }

  #noteFailure(exit: KnownExit): void {
    const { timers, random } = this.#options;
    exit.failures++;
    exit.probeMs = timers.nowMs() + backOffMs(EXIT_BACK_OFF, exit.failures, random);
  }

  /** A round of questions, in a while; there is nothing to choose where there is one exit. */
  #planProbes(): void {
    if (this.#cancelProbes !== undefined || this.#isStopped || this.#exits.length < 2) return;
    this.#cancelProbes = this.#options.timers.after(EXIT_PROBE_MS, () => void this.#probe());
  }

  async #probe(): Promise<void> {
    const nowMs = this.#options.timers.nowMs();
    const due = this.#exits.filter(({ probeMs }) => probeMs <= nowMs);
    await Promise.all(due.map((exit) => this.#probeOne(exit)));
    this.#cancelProbes = undefined;
    if (nowMs - this.#usedMs < EXIT_PROBED_FOR_MS) this.#planProbes();
  }

  async #probeOne(exit: KnownExit): Promise<void> {
    const { stats } = this.#options;
    stats.exitProbes++;
    try {
      const stream = await this.#ask(exit, { ":method": "GET", ":authority": "exit", ":path": EXIT_PATH }, true);
      stream.destroy();
      this.#noteSuccess(exit);
    } catch {
      stats.exitProbeFailures++;
      this.#noteFailure(exit);
    }
  }

  /** Asks an exit; what it gives has an answer that is a success. */
  async #ask(exit: KnownExit, headers: Record<string, string>, endStream: boolean): Promise<ClientHttp2Stream> {
    const remote = await this.#options.overlay.connect(exit.key);
    const stream = remote.request(headers, { endStream });
    if (this.#exits.length > 1) this.#watch(exit, remote, stream);
    return new Promise((resolve, reject) => {
      const cancel = this.#options.timers.after(EXIT_TIMEOUT_MS, () => stream.destroy());
      stream.on("error", (error) => reject(error));
      stream.once("close", () => {
        cancel();
        reject(new FederationError("PINYON_BODY_BROKEN"));
      });
      stream.once("response", (answer: IncomingHttpHeaders & { ":status"?: number }) => {
        cancel();
        if (answer[":status"] === 200) return resolve(stream);
        reject(toldError(answer));
        stream.destroy();
      });
    });
  }
}

function toldError(answer: IncomingHttpHeaders): FederationError {
  const code = FEDERATION_CODES.find((each) => each === answer[CODE_HEADER]);
  return new FederationError(code ?? "PINYON_EXIT_FORBIDDEN", "told by the exit");
}

function isService(value: unknown): value is Service {
  if (!isJsonObject(value)) return false;
  const { host, port, priority, weight } = value;
  const isSmall = (each: unknown) => Number.isInteger(each) && Number(each) >= 0 && Number(each) <= 65_535;
  return typeof host === "string" && host.length <= 253 && [port, priority, weight].every(isSmall);
}
