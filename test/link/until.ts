/** Waits, at most 20 s, until `condition` holds; rejects with `what` otherwise. */
export async function until(what: string, condition: () => boolean, turn = pause): Promise<void> {
  for (let turns = 0; turns < 10_000; turns++) {
    if (condition()) return;
    await turn();
  }
  throw new Error(`did not happen: ${what}`);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}
