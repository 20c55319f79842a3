/** Runs the comparison of builder and replayer in a copy of the project with a bug in it. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { patchedProject } from '../../support/sourcePatch.ts';
import type { Plant } from './rollbackPlants.ts';

/** Seeds within which every planted bug must be found. */
export const PLANT_SEEDS = 120;
const LIMIT_MS = 120_000;
const FOUND_EXIT_CODE = 3;

/** How the bug showed; undefined: nobody saw it. */
export async function findPlant(plant: Plant): Promise<string | undefined> {
  const project = patchedProject([plant]);
  try {
    const script = join(project.folder, 'test/vm/builderReplayer/findDifference.ts');
    const child = spawn(process.execPath, [script, '0', String(PLANT_SEEDS)], { timeout: LIMIT_MS });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
    if (code === FOUND_EXIT_CODE) return output.trim();
    if (code !== 0) throw new Error(`the run with the planted bug "${plant.name}" broke: ${output}`);
    return undefined;
  } finally {
    project.remove();
  }
}
