import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";

/** The values of a labelled metric. */
export type Labelled = Iterable<readonly [label: string, value: number]>;

/** A metric: how it is called, what it says, and where its value is read when somebody asks. */
export interface Metric {
  /** Unit last; a counter's ends in `_total`. */
  readonly name: string;
  readonly kind: "counter" | "gauge";
  readonly help: string;
  /** The label's name, where there is one. */
  readonly label?: string;
  readonly read: () => number | Labelled;
}

/** The registry behind `/metrics`: Node's own figures and `metrics`, each read at the time of the request. */
export function metricsRegistry(metrics: readonly Metric[]): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const metric of metrics) register(registry, metric);
  return registry;
}

function register(registry: Registry, { name, kind, help, label, read }: Metric): void {
  const options = { name, help, registers: [registry], labelNames: label === undefined ? [] : [label] };
  // prom-client asks each metric to bring itself up to date. Our counters only grow, so starting anew from zero is right.
  const fill = (add: (value: number, labels?: Record<string, string>) => void) => {
    const value = read();
    if (typeof value === "number") return add(value);
    for (const [text, amount] of value) add(amount, { [label ?? "label"]: text });
  };
  if (kind === "counter") {
    new Counter({
      ...options,
      collect() {
        this.reset();
        fill((value, labels) => (labels === undefined ? this.inc(value) : this.inc(labels, value)));
      },
    });
  } else {
    new Gauge({
      ...options,
      collect() {
        this.reset();
        fill((value, labels) => (labels === undefined ? this.set(value) : this.set(labels, value)));
      },
    });
  }
}

/** A figure that goes up and down. */
export function gauge(name: string, help: string, read: Metric["read"]): Metric {
  return { name: `pinyon_${name}`, kind: "gauge", help, read };
}

/** The counters of a stats object, a metric each: `pinyon_<part>_<counter>_total`. `help` has a sentence for every one. */
export function counters<T extends object>(
  part: string,
  read: () => T,
  help: { readonly [K in keyof T as T[K] extends number ? K : never]: string },
): Metric[] {
  return Object.entries<string>(help).map(([field, text]) => ({
    name: `pinyon_${part}_${snakeCase(field)}_total`,
    kind: "counter",
    help: text,
    read: () => (read() as Record<string, number>)[field] ?? 0,
  }));
}

function snakeCase(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The sum of several parts' counters. */
export function sum<T extends object>(parts: readonly T[]): T {
  const total: Record<string, number> = {};
  for (const part of parts) {
    for (const [field, value] of Object.entries<number>(part as Record<string, number>)) {
      total[field] = (total[field] ?? 0) + value;
    }
  }
  return total as T;
}
