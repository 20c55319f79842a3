/**
 * npm run chaos [-- --short] [--minutes N] [--only TEXT] [--seed S] [--log kafka|embedded]
 *
 * Harms the log under running nodes in every way of `drills.ts` and checks that nothing acknowledged is lost, doubled or
 * changed, and that nobody stops who need not. With `--minutes` the drills are repeated until the time is over.
 */
import { parseArgs } from 'node:util';
import { KafkaUnavailable, type TestKafka, startKafka } from '../support/kafka.ts';
import { killAllNodes } from '../support/nodeProcess.ts';
import { runDrills } from './drill.ts';
import { embeddedDrills, kafkaDrills } from './drills.ts';

const USAGE = 'usage: npm run chaos [-- --short] [--minutes N] [--only TEXT] [--seed S] [--log kafka|embedded]';

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      minutes: { type: 'string', default: '0' },
      only: { type: 'string', default: '' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      log: { type: 'string', default: 'kafka,embedded' },
    },
  });
  const [minutes, firstSeed] = [Number(values.minutes), Number(values.seed)];
  if (!(minutes >= 0) || !Number.isSafeInteger(firstSeed)) throw new Error(USAGE);
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const wants = (name: string): boolean => name.includes(values.only);

  let kafka: TestKafka | undefined;
  const onEmbedded = values.log.includes('embedded') ? embeddedDrills() : [];
  const onKafka = values.log.includes('kafka') ? kafkaDrills(() => kafka) : undefined;
  const chosen = [...onEmbedded, ...(onKafka?.drills ?? [])].filter(({ name }) => wants(name));
  if (chosen.length === 0) throw new Error(`no drill has ${values.only} in its name\n${USAGE}`);
  if (onKafka?.drills.some(({ name }) => wants(name)) === true) kafka = await startKafka();
  let [passed, failed] = [0, 0];
  const endAt = performance.now() + minutes * 60_000;
  try {
    for (let seed = firstSeed; ; seed++) {
      print(`seed ${seed}`);
      const counts = await runDrills(chosen, { isShort: values.short, seed }, print);
      passed += counts.passed;
      failed += counts.failed;
      if (performance.now() >= endAt) break;
    }
  } finally {
    await onKafka?.end();
    await killAllNodes();
    await kafka?.stop();
  }
  print(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(
    `${error instanceof KafkaUnavailable || error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exitCode = 1;
}
