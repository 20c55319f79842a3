/**
 * The Genesis of an empty log, offered by a main node until the log has one, whoever's (log-protocol 3): an answer to the
 * append proves nothing, and none at all holds nothing up.
 */
import type { Clock } from '../common/clock.ts';
import type { Logger } from '../common/logger.ts';
import { isRetryableError, sleep } from '../common/retry.ts';
import type { GenesisEntry } from '../log/entry.ts';
import { encodeEntry } from '../log/entryCodec.ts';
import type { EventLog } from '../log/eventLog.ts';

const FIRST_WAIT_MS = 2_000;
const WAIT_MAX_MS = 32_000;

export interface GenesisOfferOptions {
  readonly log: Pick<EventLog, 'openProducer'>;
  readonly genesis: (signal: AbortSignal) => GenesisEntry | Promise<GenesisEntry>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Fires when the log has a Genesis, or the node stops. */
  readonly signal: AbortSignal;
}

/** Until the signal. Throws what makes the Genesis, and errors of the append that no retry cures. */
export async function offerGenesis({ log, genesis, clock, logger, signal }: GenesisOfferOptions): Promise<void> {
  const encoded = encodeEntry(await genesis(signal));
  for (let waitMs = FIRST_WAIT_MS; !signal.aborted; waitMs = Math.min(WAIT_MAX_MS, 2 * waitMs)) {
    const producer = log.openProducer();
    // An acknowledgement ends no wait; an error that no retry cures does.
    const failed = Promise.withResolvers<never>();
    producer.send([encoded]).catch((error: unknown) => {
      if (!isRetryableError(error)) failed.reject(error);
      else logger.warn({ err: error }, 'the Genesis may not be in the log');
    });
    try {
      await Promise.race([failed.promise, sleep(waitMs, signal, clock).catch(() => undefined)]);
    } finally {
      await producer.close();
    }
  }
}
