/** `npm run plant -- builder`: plants every known bug in a copy of the sources, one after the other, and says who found it. */
import { findPlant } from '../vm/builderReplayer/findPlant.ts';
import { ROLLBACK_PLANTS } from '../vm/builderReplayer/rollbackPlants.ts';

const [name, ...rest] = process.argv.slice(2);
if (name !== 'builder' || rest.length > 0) {
  console.error('usage: npm run plant -- builder');
  process.exitCode = 2;
} else {
  let missed = 0;
  for (const plant of ROLLBACK_PLANTS) {
    const found = await findPlant(plant);
    if (found === undefined) missed += 1;
    console.log(
      `${found === undefined ? 'MISSED' : 'found '}  ${plant.name}${found === undefined ? '' : `\n        ${found}`}`,
    );
  }
  console.log(`${ROLLBACK_PLANTS.length - missed} found, ${missed} missed`);
  process.exitCode = missed === 0 ? 0 : 1;
}
