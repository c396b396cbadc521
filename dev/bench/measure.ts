/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new Error('Nothing was measured');
  return (lower + upper) / 2;
}

/**
 * One client that does one thing after the other.
 *
 * @param once measures itself, since what comes after is not always a part of what is measured
 * @returns the median, in milliseconds
 */
export async function medianLatencyMs(times: number, once: () => Promise<number>): Promise<number> {
  const latenciesMs: number[] = [];
  for (let time = 0; time < times; time += 1) latenciesMs.push(await once());
  return median(latenciesMs);
}

/**
 * Clients side by side, each of which begins the next thing when its last one is done.
 *
 * @returns things done in a second
 */
export async function throughput(clients: number, total: number, once: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  let begun = 0;
  const client = async (): Promise<void> => {
    while (begun < total) {
      begun += 1;
      await once();
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return total / ((performance.now() - startedAt) / 1000);
}

/** The value that so many in a hundred do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  const value = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (value === undefined) throw new Error('Nothing was measured');
  return value;
}
