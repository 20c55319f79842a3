/** One broker for the whole run of mocha, started with its first use. Import it at the top of a spec file. */
import { KafkaUnavailable, type TestKafka, startKafka } from './kafka.ts';

let started: Promise<TestKafka> | undefined;

/** The shared broker; tests use topics of their own in it. */
export function sharedKafka(): Promise<TestKafka> {
  started ??= startKafka();
  return started;
}

/**
 * For a `before` hook: the shared broker, or the suite is left out, loudly. With CI=true there is no leaving out.
 * The first start may download and unpack jars.
 */
export async function requireKafka(context: Mocha.Context): Promise<TestKafka> {
  context.timeout(300_000);
  try {
    return await sharedKafka();
  } catch (error) {
    if (!(error instanceof KafkaUnavailable) || process.env['CI'] === 'true') throw error;
    process.stderr.write(`\n  !! LEFT OUT, although it matters: ${error.message}\n\n`);
    return context.skip();
  }
}

// Registered while spec files are loaded, so it belongs to the root suite: it runs once, after everything.
after('stop the shared Kafka', async function () {
  this.timeout(30_000);
  await started?.then(
    (kafka) => kafka.stop(),
    () => undefined,
  );
});
