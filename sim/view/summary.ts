import type { RunReport, Sample } from "../run.js";
import { sparkline } from "./plot.js";

/** What a run showed, for a person. */
export function summary(report: RunReport): string {
  const { scenario, seed, nodes, links, hash, messages, samples, violations, failed, flows } = report;
  const whole = wholeSince(samples);
  const control = samples.map(({ controlBytes }) => controlBytes);
  const walks = samples.map(({ walk }) => walk);
  const shares = samples.map((sample) => shareOf([sample]));
  const lines = [
    `${scenario}, seed ${seed}: ${nodes} nodes, ${links} links, ${samples.length} s, ${messages} messages, hash ${hash}`,
    "",
    `pairs that the trees join     ${sparkline(walks, 0, 1)}`,
    `first contacts that succeed   ${sparkline(shares, 0, 1)}`,
    `control bytes a node, ${String(Math.round(Math.max(0, ...control))).padStart(7)} ${sparkline(control, 0, Math.max(1, ...control))}`,
    "",
    contactsText(samples),
    whole === undefined
      ? "At the end the trees do not join every pair that links join."
      : `From second ${whole} to the end the trees joined every pair that was looked at.`,
  ];
  if (flows.count > 0)
    lines.push(
      `Of ${flows.count} sessions that sent ${flows.done} brought every byte, ${flows.bytes} in all; the longest pause was ${(flows.pauseMsMax / 1_000).toFixed(2)} s.`,
    );
  if (report.attack !== undefined) lines.push("", ...attackText(report), "");
  lines.push(
    failed.length === 0 ? "Every checker was content." : `Checkers that complained: ${failed.join(", ")}.`,
    ...violations.map(({ checker, timeMs, text }) => `  ${checker} at ${(timeMs / 1_000).toFixed(3)} s: ${text}`),
  );
  return lines.join("\n");
}

function attackText({ attack, eventAtS = 0, deeds, refusals, tableKeysMax, samples }: RunReport): string[] {
  const after = shareOf(samples.filter(({ atS }) => atS > eventAtS));
  return [
    `The attack: ${attack}.`,
    ...listOf(`From second ${eventAtS} on the adversaries`, deeds),
    ...listOf("Honest nodes refused, from the start on", refusals),
    `Meanwhile ${percent(after)} of the first contacts between honest nodes succeeded; their largest table had ${tableKeysMax} keys.`,
  ];
}

function listOf(title: string, counts: Readonly<Record<string, number>>): string[] {
  const rows = Object.entries(counts).map(([what, count]) => `${String(count).padStart(9)} × ${what}`);
  return rows.length === 0 ? [] : [title, ...rows];
}

function contactsText(samples: readonly Sample[]): string {
  const contacts = samples.reduce((sum, sample) => sum + sample.contacts, 0);
  const answered = samples.reduce((sum, sample) => sum + sample.answered, 0);
  if (contacts === 0) return "No first contact was tried.";
  return `Of ${contacts} first contacts ${answered} succeeded within two seconds and the least round trip, ${percent(answered / contacts)}.`;
}

/** The share of the first contacts of some seconds that succeeded; undefined where there was none. */
export function shareOf(samples: readonly Sample[]): number | undefined {
  const contacts = samples.reduce((sum, sample) => sum + sample.contacts, 0);
  return contacts === 0 ? undefined : samples.reduce((sum, { answered }) => sum + answered, 0) / contacts;
}

const percent = (share: number | undefined): string => (share === undefined ? "none" : `${(100 * share).toFixed(2)} %`);

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
