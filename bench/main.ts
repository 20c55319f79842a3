/** `npm run bench -- <name>`: measures one thing against what it is bound by, in the same run. */
import { readdirSync } from 'node:fs';

/** What a file of this folder exports. Prints its own report. */
interface Bench {
  run(args: readonly string[]): Promise<void>;
}

const folder = new URL('./', import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
  .map((file) => file.slice(0, -3));
const [name = '', ...args] = process.argv.slice(2);

if (!names.includes(name)) {
  process.stderr.write(`usage: npm run bench -- <name> [--json], with a name of: ${names.join(', ')}\n`);
  process.exitCode = 2;
} else {
  const bench = (await import(new URL(`${name}.ts`, folder).href)) as Bench;
  await bench.run(args);
}
