/** The drills of `npm run chaos` with small numbers. */
import type { TestKafka } from '../support/kafka.ts';
import { killAllNodes } from '../support/nodeProcess.ts';
import { requireKafka } from '../support/sharedKafka.ts';
import type { Drill } from './drill.ts';
import { embeddedDrills, kafkaDrills } from './drills.ts';

const OPTIONS = { isShort: true, seed: 1 };
/** Far above what a drill takes: a loaded machine is no failure. */
const LIMIT_MS = 240_000;

function drillTest(drill: Drill): void {
  it(drill.name, async function () {
    const what = await drill.run(OPTIONS);
    this.runnable().title += `: ${what}`;
  }).timeout(LIMIT_MS);
}

describe('chaos on the embedded log', () => {
  embeddedDrills().forEach(drillTest);
});

describe('chaos on Kafka', () => {
  let kafka: TestKafka | undefined;
  const onKafka = kafkaDrills(() => kafka);

  before(async function () {
    kafka = await requireKafka(this);
    if (kafka.proxied !== undefined) return;
    process.stderr.write(
      '\n  !! LEFT OUT, although it matters: no proxy gets between nodes and brokers given by KAFKA_BROKERS\n\n',
    );
    return this.skip(); // .ci/run counts it as failed
  });
  after(async function () {
    this.timeout(LIMIT_MS);
    await onKafka.end();
    await killAllNodes();
  });

  onKafka.drills.forEach(drillTest);
});
