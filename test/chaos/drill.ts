/** Drills: each does harm to the log of a running program and checks what the log protocol promises. */
export interface DrillOptions {
  /** Part of `npm test`: the same drills with small numbers. */
  readonly isShort: boolean;
  readonly seed: number;
}

export interface Drill {
  readonly name: string;
  /** Throws when a promise is broken; returns what was done, in numbers. */
  run(options: DrillOptions): Promise<string>;
}

export interface DrillCounts {
  readonly passed: number;
  readonly failed: number;
}

/** Runs them one after the other and prints a line for each. */
export async function runDrills(
  drills: readonly Drill[],
  options: DrillOptions,
  print: (line: string) => void,
): Promise<DrillCounts> {
  let [passed, failed] = [0, 0];
  for (const drill of drills) {
    const startedAt = performance.now();
    try {
      const what = await drill.run(options);
      passed += 1;
      print(`ok      ${drill.name}: ${what} (${seconds(startedAt)} s)`);
    } catch (error) {
      failed += 1;
      print(`FAILED  ${drill.name}, seed ${options.seed} (${seconds(startedAt)} s)`);
      print(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }
  return { passed, failed };
}

function seconds(startedAt: number): string {
  return ((performance.now() - startedAt) / 1000).toFixed(1);
}
