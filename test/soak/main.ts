/** `npm run soak -- settlement [--blocks N] [--seed S]`: long runs with the code of the tests and larger numbers. */
import { parseArgs } from 'node:util';
import { settlementSoak } from './settlementSoak.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { blocks: { type: 'string', default: '10000' }, seed: { type: 'string', default: '1' } },
});
const [name] = positionals;
const [blocks, seed] = [Number(values.blocks), Number(values.seed)];
if (name !== 'settlement' || !Number.isSafeInteger(blocks) || blocks < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write('usage: npm run soak -- settlement [--blocks N] [--seed S]\n');
  process.exitCode = 2;
} else {
  const startedAt = Date.now();
  const report = (line: string): void => {
    process.stderr.write(`${((Date.now() - startedAt) / 1_000).toFixed(0).padStart(5)} s  ${line}\n`);
  };
  const result = await settlementSoak({ blocks, seed, troubleEvery: Math.max(50, Math.ceil(blocks / 40)), report });
  process.stdout.write(`${JSON.stringify(result)}\nequal to the naive fold on both nodes: 1 passed, 0 failed\n`);
}
