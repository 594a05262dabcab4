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
  EXIT_SERVICES_MAX,
  EXIT_SILENCE_MS,
  EXIT_TIMEOUT_MS,
  EXIT_WATCH_MS,
} from "./config.js";
import { SERVER_HEADER, SERVICES_PATH } from "./exit.js";

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
  failures: number;
  /** Before this it comes after the others, in ms on the clock of the timers. */
  retryMs: number;
}

/** Codes that tell of where the way was to lead, and not of the exit: another would say the same. */
const DESTINATION_CODES: readonly FederationCode[] = [
  "PINYON_CLASSIC_LOOKUP",
  "PINYON_CLASSIC_ADDRESS",
  "PINYON_CLASSIC_CONNECT",
  "PINYON_CONNECT_TARGET",
];

/** The Internet by way of other nodes that let this one out. Where one cannot, the next is tried; a connection that stands stays where it is. */
export class ExitNetwork implements ClassicNetwork {
  readonly #options: ExitNetworkOptions;
  readonly #exits: readonly KnownExit[];

  constructor(options: ExitNetworkOptions) {
    this.#options = options;
    this.#exits = options.exits.map((key) => ({ key, failures: 0, retryMs: 0 }));
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
    const { timers } = this.#options;
    const isLast = ({ retryMs }: KnownExit) => Number(timers.nowMs() < retryMs);
    const ordered = [...this.#exits].sort((one, other) => isLast(one) - isLast(other));
    let failure = new FederationError("PINYON_UNREACHABLE", "no exit is named in `exits`");
    for (const exit of ordered) {
      try {
        const given = await ask(exit);
        exit.failures = 0;
        exit.retryMs = 0;
        return given;
      } catch (thrown) {
        const error = federationErrorOf(thrown);
        if (DESTINATION_CODES.includes(error.code)) throw error;
        this.#putLast(exit);
        failure = error;
      }
    }
    throw failure;
  }

  #putLast(exit: KnownExit): void {
    const { stats, timers, random } = this.#options;
    stats.exitFailures++;
    exit.failures++;
    exit.retryMs = timers.nowMs() + backOffMs(EXIT_BACK_OFF, exit.failures, random);
  }

  /** An exit that is gone would hold its streams, also those that a new request is sent on, until its session ends. */
  #watch(exit: KnownExit, remote: RemoteNode, stream: ClientHttp2Stream): void {
    const { timers } = this.#options;
    const look = () =>
      timers.after(EXIT_WATCH_MS, () => {
        if (remote.silenceMs() < EXIT_SILENCE_MS) {
          cancel = look();
          return;
        }
        if (timers.nowMs() >= exit.retryMs) this.#putLast(exit);
        remote.giveUp();
      });
    let cancel = look();
    stream.once("close", () => cancel());
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
