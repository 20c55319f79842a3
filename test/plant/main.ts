/** Planted bugs: `npm run plant -- sim`. Each kind of run must find the bugs that are planted for it. */
const KINDS: Readonly<Record<string, () => Promise<boolean>>> = {
  sim: async () => (await import('../sim/plants.ts')).runPlants(),
};

const kind = KINDS[process.argv[2] ?? ''];
if (kind === undefined) console.error(`usage: npm run plant -- ${Object.keys(KINDS).join(' | ')}`);
process.exitCode = kind !== undefined && (await kind()) ? 0 : 1;
