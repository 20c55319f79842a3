/** `reprise topics create | verify`: the topic of the log with the settings of the configuration, and its Genesis. */
import { randomBytes } from 'node:crypto';
import { toHex } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { EMPTY_FOLD, foldChain } from '../log/chainFold.ts';
import { decodeEntry, encodeEntry } from '../log/entryCodec.ts';
import { isCaughtUp } from '../log/eventLog.ts';
import { configuredTopic, openLog } from '../log/openLog.ts';
import { createTopic as createKafkaTopic, verifyTopic as verifyKafkaTopic } from '../log/topic.ts';
import { SOFTWARE } from '../workers/chain.ts';
import { silentLogger } from '../common/logger.ts';
import type { Config } from '../common/config.ts';
import { L1Service } from '../workers/l1Service.ts';
import { newGenesisEntry } from '../workers/newGenesis.ts';
import { type GlobalOptions, configure, loggerOf } from './configuration.ts';
import { print } from './offline.ts';

type Options = GlobalOptions & { readonly json: boolean };

/** Whose Genesis won is known only by reading it back (log-protocol 10). */
export async function createTopic(options: Options): Promise<number> {
  const { config } = configure(options);
  const topic = configuredTopic(config, loggerOf(config));
  const isCreated = await createKafkaTopic(topic);
  const log = await openLog(config);
  const abort = new AbortController();
  try {
    let fold = EMPTY_FOLD;
    let isAppended = false;
    for await (const item of log.follow(0, abort.signal)) {
      if (!isCaughtUp(item)) {
        fold = foldChain(fold, decodeEntry(item.schema, item.bytes), SOFTWARE).state;
        if (fold.logId !== undefined) break;
      } else if (!isAppended) {
        isAppended = true;
        const id = (): Uint8Array => new Uint8Array(randomBytes(16));
        await log.append([
          encodeEntry(
            await newGenesisEntry(
              config,
              { logId: id(), nodeId: id(), bootId: id() },
              await genesisReader(config, abort.signal),
            ),
          ),
        ]);
      }
    }
    const { logId, chain } = fold;
    if (logId === undefined)
      throw new NodeError('retryable', `topic ${topic.topic} holds no Genesis: try again`, { code: 'GENESIS_MISSING' });
    const what = `${isCreated ? 'created' : 'was there'}; Genesis of chain ${chain}, log ${toHex(logId)}${isAppended ? '' : ' (was there)'}`;
    print(
      options.json,
      { topic: topic.topic, created: isCreated, chain, logId: toHex(logId) },
      `topic ${topic.topic} ${what}`,
    );
    return 0;
  } finally {
    abort.abort();
    await log.close();
  }
}

async function genesisReader(config: Config, signal: AbortSignal) {
  const url = config.generalL1RpcUrl;
  if (url === undefined) return undefined;
  const metrics = {
    scanned: () => undefined,
    head: () => undefined,
    error: () => undefined,
    reorganised: () => undefined,
  };
  const l1 = await L1Service.open({ config, url, logger: silentLogger, signal, metrics });
  return (genesisRoot: Uint8Array) => l1.readGenesis(genesisRoot);
}

export async function verifyTopic(options: Options): Promise<number> {
  const { config } = configure(options);
  const topic = configuredTopic(config, loggerOf(config));
  const differences = await verifyKafkaTopic(topic);
  print(
    options.json,
    { topic: topic.topic, differences },
    differences.length === 0
      ? `topic ${topic.topic} is as configured, or stronger`
      : `topic ${topic.topic} is weaker than configured:\n${differences.map((line) => `  - ${line}`).join('\n')}`,
  );
  return differences.length === 0 ? 0 : 1;
}
