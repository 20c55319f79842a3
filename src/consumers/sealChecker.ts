/**
 * Recomputes what every accepted seal commits to, on every node (log-protocol 4): a wrong one raises the settlement alarm
 * and stops no block. Seals are read one after the other from the chain store; nothing is queued.
 */
import { equalBytes, toHex } from '../common/bytes.ts';
import { NodeError, errorText } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import { commitInfoDifferences, storedBatchInfo } from '../protocol/batch.ts';
import { storedBatchHash } from '../protocol/storedBatch.ts';
import type { BatchAssembly } from '../store/batchAssembly.ts';
import type { BatchSealed } from '../store/journal.ts';

/** Until its cause is gone. */
export interface SettlementAlarm {
  readonly code: 'SEAL_WRONG' | 'SEAL_NOT_CHECKED' | 'BATCH_NOT_SEALED';
  readonly batch: number;
  readonly text: string;
}

export interface SealCheckerOptions {
  readonly assembly: Pick<BatchAssembly, 'commitment'>;
  readonly seal: (batch: number) => Promise<BatchSealed | undefined>;
  readonly logger: Logger;
  /** The alarm, or undefined: it is over. */
  readonly onAlarm: (alarm: SettlementAlarm | undefined) => void;
  readonly signal: AbortSignal;
}

/** Kept at once; of more than these the log tells. */
const ALARMS_MAX = 100;

interface Problem {
  readonly alarm: SettlementAlarm;
  /** It is worth another try. */
  readonly mayPass: boolean;
}

export class SealChecker {
  readonly #options: SealCheckerOptions;
  /** Newest batch that was compared. */
  #checked = 0;
  #sealed = 0;
  #executed = 0;
  #running: Promise<void> | undefined;
  #isRunning = false;
  /** Of batches that are not executed, in their order; the first one is shown. */
  #alarms: SettlementAlarm[] = [];

  constructor(options: SealCheckerOptions) {
    this.#options = options;
  }

  get checked(): number {
    return this.#checked;
  }

  get alarm(): SettlementAlarm | undefined {
    return this.#alarms[0];
  }

  /** At start: what L1 has executed is behind every doubt; later seals are compared again. */
  restore(counters: { readonly sealed: number; readonly executed: number }): void {
    this.#checked = counters.executed;
    this.moved(counters);
  }

  /** Batches up to `sealed` are sealed now. */
  moved({ sealed, executed }: { readonly sealed: number; readonly executed: number }): void {
    this.#sealed = sealed;
    this.#executed = executed;
    this.#end((batch) => batch <= executed);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** After the signal fired. */
  async closed(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#options;
    try {
      while (this.#checked < this.#sealed && !signal.aborted) {
        const batch = this.#checked + 1;
        const problem = await this.#check(batch);
        if (signal.aborted) return;
        if (problem !== undefined && batch > this.#executed) this.#raise(problem.alarm);
        // Asked again with the next accepted entry.
        if (problem?.mayPass === true) return;
        this.#checked = batch;
        if (problem === undefined) this.#end((each) => each === batch);
      }
    } finally {
      this.#isRunning = false;
    }
  }

  async #check(batch: number): Promise<Problem | undefined> {
    const { assembly, signal } = this.#options;
    try {
      const seal = await this.#options.seal(batch);
      if (seal === undefined)
        throw new NodeError('invariant', `the seal of batch ${batch} is not in the chain store`, {
          code: 'SEAL_MISSING',
        });
      const { commitInfo, storedBatchHash: expected } = await assembly.commitment(
        seal,
        seal.commitInfo.chainAddress,
        signal,
      );
      const differences: string[] = commitInfoDifferences(commitInfo, seal.commitInfo);
      if (!equalBytes(expected, seal.storedBatchHash)) differences.push('storedBatchHash');
      else if (!equalBytes(storedBatchHash(storedBatchInfo(seal.commitInfo)), expected))
        differences.push('hash of the commit info');
      if (differences.length === 0) return undefined;
      const { firstBlock, lastBlock } = seal;
      const text =
        `the accepted seal of batch ${batch} (blocks ${firstBlock} to ${lastBlock}) has stored batch hash ${toHex(seal.storedBatchHash)}, ` +
        `this node computes ${toHex(expected)} (different: ${differences.join(', ')}). Blocks go on; the batch cannot be settled as it is.`;
      return { alarm: { code: 'SEAL_WRONG', batch, text }, mayPass: false };
    } catch (error) {
      const text = `the accepted seal of batch ${batch} cannot be compared with this node's own blocks: ${errorText(error)}`;
      const mayPass = error instanceof NodeError && error.kind === 'retryable';
      return { alarm: { code: 'SEAL_NOT_CHECKED', batch, text }, mayPass };
    }
  }

  #end(isOver: (batch: number) => boolean): void {
    this.#show(this.#alarms.filter(({ batch }) => !isOver(batch)));
  }

  #raise(alarm: SettlementAlarm): void {
    const before = this.#alarms.find(({ batch }) => batch === alarm.batch);
    if (before?.code === alarm.code) return;
    this.#options.logger.error({ code: alarm.code, batch: alarm.batch, alarm: alarm.text }, 'settlement alarm');
    if (before === undefined && this.#alarms.length >= ALARMS_MAX) return;
    this.#show([...this.#alarms.filter((each) => each !== before), alarm]);
  }

  #show(alarms: SettlementAlarm[]): void {
    const [shown] = this.#alarms;
    this.#alarms = alarms;
    if (alarms[0] !== shown) this.#options.onAlarm(alarms[0]);
  }
}
