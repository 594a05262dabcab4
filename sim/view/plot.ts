const BARS = " ▁▂▃▄▅▆▇█";

/** Values as one line of bars, between `min` and `max`; undefined leaves a gap. At most `width` bars, each the worst of what it stands for. */
export function sparkline(values: readonly (number | undefined)[], min: number, max: number, width = 72): string {
  const each = Math.max(1, Math.ceil(values.length / width));
  let line = "";
  for (let at = 0; at < values.length; at += each) {
    const group = values.slice(at, at + each).filter((value) => value !== undefined);
    if (group.length === 0) {
      line += " ";
      continue;
    }
    const share = max > min ? (Math.min(...group) - min) / (max - min) : 1;
    line += BARS[1 + Math.round(7 * Math.min(1, Math.max(0, share)))];
  }
  return line;
}
