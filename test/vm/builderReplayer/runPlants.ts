/** `npm run plant -- builder`: plants every known bug in a copy of the sources, one after the other, and says who found it. */
import { findPlant } from './findPlant.ts';
import { ROLLBACK_PLANTS } from './rollbackPlants.ts';

/** Whether all were found. */
export async function runRollbackPlants(): Promise<boolean> {
  let missed = 0;
  for (const plant of ROLLBACK_PLANTS) {
    const found = await findPlant(plant);
    if (found === undefined) missed += 1;
    console.log(
      `${found === undefined ? 'MISSED' : 'found '}  ${plant.name}${found === undefined ? '' : `\n        ${found}`}`,
    );
  }
  console.log(`${ROLLBACK_PLANTS.length - missed} found, ${missed} missed`);
  return missed === 0;
}
