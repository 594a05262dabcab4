/**
 * How many inputs a fuzzing property tries: `short` in the ordinary tests, or as many as `--runs=<n>` says
 * (`npm run fuzz -- --runs=<n>`).
 */
export function fuzzRuns(short: number): number {
  const option = process.argv.find((argument) => argument.startsWith("--runs="));
  return option === undefined ? short : Number(option.slice("--runs=".length));
}
