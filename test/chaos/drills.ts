/** Every drill there is. */
import type { TestKafka } from '../support/kafka.ts';
import { ambiguousAppends } from './ambiguousAppends.ts';
import type { Drill } from './drill.ts';
import { diskFull, fileReplaced, killedWriter, secondWriter } from './embeddedDrills.ts';
import { KafkaArena } from './kafkaArena.ts';
import { KAFKA_DRILLS } from './kafkaDrills.ts';
import { powerCut } from './powerCut.ts';
import { takeOver } from './takeOver.ts';

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
  // Drills that leave the nodes running share them: starting two nodes takes longer than most drills.
  let arena: KafkaArena | undefined;
  const end = async (): Promise<void> => {
    await arena?.close();
    arena = undefined;
  };
  const onNodes = KAFKA_DRILLS.map((drill): Drill => ({
    name: `kafka: ${drill.name}`,
    run: async (options) => {
      let isUsable = false;
      try {
        arena ??= await KafkaArena.open(kafka());
        const what = await drill.act(arena, options);
        if (drill.leaves === 'running') await arena.check();
        isUsable = drill.leaves === 'running';
        return what;
      } finally {
        if (!isUsable) await end();
      }
    },
  }));
  // The one proxy is free for these once no nodes are behind it.
  return { drills: [...onNodes, takeOver(kafka), ambiguousAppends(kafka)], end };
}
