import type { RunReport, Sample } from "../run.js";
import { sparkline } from "./plot.js";

/** What a run showed, for a person. */
export function summary({
  scenario,
  seed,
  nodes,
  links,
  hash,
  messages,
  samples,
  violations,
  failed,
}: RunReport): string {
  const share = ({ contacts, answered }: Sample) => (contacts === 0 ? undefined : answered / contacts);
  const contacts = samples.reduce((sum, sample) => sum + sample.contacts, 0);
  const answered = samples.reduce((sum, sample) => sum + sample.answered, 0);
  const whole = wholeSince(samples);
  const control = samples.map(({ controlBytes }) => controlBytes);
  const lines = [
    `${scenario}, seed ${seed}: ${nodes} nodes, ${links} links, ${samples.length} s, ${messages} messages, hash ${hash}`,
    "",
    `pairs that the trees join     ${sparkline(
      samples.map(({ walk }) => walk),
      0,
      1,
    )}`,
    `first contacts that succeed   ${sparkline(samples.map(share), 0, 1)}`,
    `control bytes a node, ${String(Math.round(Math.max(0, ...control))).padStart(7)} ${sparkline(control, 0, Math.max(1, ...control))}`,
    "",
    contacts === 0
      ? "No first contact was tried."
      : `Of ${contacts} first contacts ${answered} succeeded within two seconds and the least round trip, ${((100 * answered) / contacts).toFixed(2)} %.`,
    whole === undefined
      ? "At the end the trees do not join every pair that links join."
      : `From second ${whole} to the end the trees joined every pair that was looked at.`,
    failed.length === 0 ? "Every checker was content." : `Checkers that complained: ${failed.join(", ")}.`,
    ...violations.map(({ checker, timeMs, text }) => `  ${checker} at ${(timeMs / 1_000).toFixed(3)} s: ${text}`),
  ];
  return lines.join("\n");
}

/** The second from which on every walk arrived. */
function wholeSince(samples: readonly Sample[]): number | undefined {
  let since: number | undefined;
  for (const { atS, walk } of samples) {
    if (walk < 1) since = undefined;
    else since ??= atS;
  }
  return since;
}

/** The samples as comma-separated values, with a header. */
export function csv(samples: readonly Sample[]): string {
  const columns = ["atS", "nodesUp", "parts", "walk", "contacts", "answered", "controlBytes"] as const;
  return `${[columns.join(), ...samples.map((sample) => columns.map((column) => sample[column]).join())].join("\n")}\n`;
}
