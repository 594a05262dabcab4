import { spawn } from "node:child_process";
import { NOTICE_TIMEOUT_MS } from "./limits.js";

/** Node has no datagram sockets of the Unix family; this program has, and is wherever systemd is. */
const PROGRAM = "systemd-notify";

export interface ServiceNoticesOptions {
  readonly environment: NodeJS.ProcessEnv;
  /** How the node is, in one line. */
  readonly status: () => string;
  /** Told in one sentence why a notice was not given. */
  readonly warn: (text: string) => void;
}

/**
 * Tells the service manager how the node is (sd_notify(3)): that it is ready, that it stops, and, where the manager keeps a
 * watchdog, that its event loop turns. Where `NOTIFY_SOCKET` is not set there is nobody to tell.
 */
export class ServiceNotices {
  #watchdog: NodeJS.Timeout | undefined;

  constructor(private readonly options: ServiceNoticesOptions) {}

  /** The node has started. From here on the watchdog is told, with the status as it is then. */
  ready(): void {
    this.#tell("READY=1", this.#status());
    const timeoutMs = watchdogMs(this.options.environment);
    if (timeoutMs === undefined) return;
    // Three times in its time, so that a notice that is lost ends no node that is well.
    this.#watchdog = setInterval(() => this.#tell("WATCHDOG=1", this.#status()), timeoutMs / 3);
  }

  /** The node begins to stop. */
  stopping(): void {
    clearInterval(this.#watchdog);
    this.#tell("STOPPING=1");
  }

  #status(): string {
    return `STATUS=${this.options.status()}`;
  }

  #tell(...assignments: string[]): void {
    const { environment, warn } = this.options;
    if (!environment["NOTIFY_SOCKET"]) return;
    // It ends when the manager has read the notice: of a process that is gone the manager could not tell the service.
    const child = spawn(PROGRAM, assignments, { env: environment, stdio: "ignore", timeout: NOTICE_TIMEOUT_MS });
    child.on("error", (error) => warn(`the service manager cannot be told ${assignments[0]}: ${error.message}`));
    child.on("exit", (code) => {
      if (code !== 0) warn(`the service manager was not told ${assignments[0]}: ${PROGRAM} failed`);
    });
  }
}

/** The time within which the manager expects a sign of life, in ms; undefined where it expects none (sd_watchdog_enabled(3)). */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number | undefined {
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(process.pid)) return undefined;
  const timeoutMs = Number(WATCHDOG_USEC) / 1_000;
  return timeoutMs > 0 ? timeoutMs : undefined;
}
