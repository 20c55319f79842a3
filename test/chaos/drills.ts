/** Every drill there is. */
import type { TestKafka } from '../support/kafka.ts';
import { ambiguousAppends } from './ambiguousAppends.ts';
import type { Drill } from './drill.ts';
import { diskFull, fileReplaced, killedWriter, secondWriter } from './embeddedDrills.ts';
import { powerCut } from './powerCut.ts';

export function embeddedDrills(): readonly Drill[] {
  return [killedWriter, powerCut, ...diskFull, fileReplaced, secondWriter];
}

export interface KafkaDrills {
  readonly drills: readonly Drill[];
  /** After the last one. */
  end(): Promise<void>;
}

/** @param started the broker; asked for when a drill runs */
export function kafkaDrills(started: () => TestKafka | undefined): KafkaDrills {
  const kafka = (): TestKafka => {
    const broker = started();
    if (broker === undefined) throw new Error('the broker was not started');
    return broker;
  };
  return { drills: [ambiguousAppends(kafka)], end: async () => undefined };
}
