/** Rounds in which every contestant runs once, beginning with another one each time. */

/** Milliseconds of processor time of this thread: what other processes take meanwhile does not count. */
export function threadTimeMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

const WARM_UP_MS = 1_500;
const WARM_UP_RUNS_MIN = 8;

/** Results by contestant, one of each round. Every contestant runs before the first round until it is as fast as it gets. */
export async function interleaved<Name extends string, Result>(
  contestants: Readonly<Record<Name, () => Promise<Result>>>,
  rounds: number,
): Promise<Record<Name, Result[]>> {
  const names = Object.keys(contestants) as Name[]; // what Object.keys forgets
  for (const name of names) {
    const end = performance.now() + WARM_UP_MS;
    for (let runs = 0; runs < WARM_UP_RUNS_MIN || performance.now() < end; runs += 1) await contestants[name]();
  }
  const results = Object.fromEntries(names.map((name) => [name, [] as Result[]])) as Record<Name, Result[]>;
  for (let round = 0; round < rounds; round += 1) {
    for (let i = 0; i < names.length; i += 1) {
      const name = names[(round + i) % names.length];
      if (name !== undefined) results[name].push(await contestants[name]());
    }
  }
  return results;
}

/** Median over the rounds of a / b. */
export function medianRatio(a: readonly number[], b: readonly number[]): number {
  return median(a.map((value, i) => value / (b[i] ?? NaN)));
}
