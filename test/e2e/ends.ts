import type { Owner } from "./mesh.js";

/** What must be ended where no test does it; the last first. */
export class Ends implements Owner {
  readonly #ends: (() => unknown)[] = [];
  #ended: Promise<void> | undefined;

  teardown(end: () => unknown): void {
    this.#ends.unshift(end);
  }

  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    for (const end of this.#ends) await end();
  }
}
