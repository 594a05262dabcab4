/**
 * How many inputs a fuzzing property tries: `short` in the ordinary tests, in the long form as many as the last `--runs=<n>` says
 * (`npm run fuzz`, or `npm run fuzz -- --test-arg=--runs=<n>`).
 */
export function fuzzRuns(short: number): number {
  const option = process.argv.findLast((argument) => argument.startsWith("--runs="));
  return option === undefined ? short : Number(option.slice("--runs=".length));
}
