/** Planted bugs: `npm run plant -- builder | sim`. Each kind of run must find the bugs that are planted for it. */
const KINDS: Readonly<Record<string, () => Promise<boolean>>> = {
  builder: async () => (await import('../vm/builderReplayer/runPlants.ts')).runRollbackPlants(),
  sim: async () => (await import('../sim/plants.ts')).runPlants(),
};

const kind = process.argv.length === 3 ? KINDS[process.argv[2] ?? ''] : undefined;
if (kind === undefined) console.error(`usage: npm run plant -- ${Object.keys(KINDS).join(' | ')}`);
process.exitCode = kind === undefined ? 2 : (await kind()) ? 0 : 1;
