/**
 * One that takes part in a log with the production leadership and folds and no chain behind: blocks hold a number each,
 * the numbers count up. Whatever happens to appends, accepted are 0, 1, 2, …
 */
import { systemClock, systemRandom } from '../../src/common/clock.ts';
import { AcceptedHashes, type ChainFold, EMPTY_FOLD, foldChain } from '../../src/log/chainFold.ts';
import { decodeEntry, encodeEntry, entryHash } from '../../src/log/entryCodec.ts';
import { type EventLog, isCaughtUp } from '../../src/log/eventLog.ts';
import type { Leadership } from '../../src/log/leadership.ts';
import { type DoubtReason, LeadershipManager } from '../../src/log/leadershipManager.ts';
import { SOFTWARE } from '../../src/workers/chain.ts';
import { aBlockRecord, aGenesis, filled } from '../support/logEntries.ts';

export interface LogMemberOptions {
  readonly log: EventLog;
  readonly maxAheadBlocks: number;
  /** Bytes of a block's transaction. */
  readonly blockBytes: (number: number) => number;
}

export class LogMember {
  /** Of accepted blocks, in the log's order. */
  readonly accepted: number[] = [];
  readonly heights: number[] = [];
  readonly doubts: Partial<Record<DoubtReason, number>> = {};
  readonly rejects: Record<string, number> = {};
  readonly #options: LogMemberOptions;
  readonly #stop = new AbortController();
  readonly #manager: LeadershipManager<number>;
  readonly #running: Promise<void>;
  readonly #hashes = new AcceptedHashes();
  #fold: ChainFold = EMPTY_FOLD;
  #leadership: Leadership<number> | undefined;
  /** So many numbers may be built. */
  #wanted = 0;
  /** What the present leadership builds next. */
  #next = 0;
  #failure: unknown;

  constructor(options: LogMemberOptions) {
    const { log, maxAheadBlocks } = options;
    this.#options = options;
    this.#manager = new LeadershipManager<number>({
      openProducer: () => log.openProducer(),
      software: SOFTWARE,
      nodeId: systemRandom(16),
      bootId: systemRandom(16),
      maxAheadBlocks,
      clock: systemClock,
      random: systemRandom,
      mayLead: true,
      hasWork: () => this.accepted.length < this.#wanted,
      logEnd: () => log.end(),
      checkLog: async () => undefined,
      onLead: (leadership) => {
        this.#leadership = leadership;
        this.#next = this.accepted.length;
        this.#build();
      },
      onDoubt: (reason) => {
        this.#leadership = undefined;
        this.doubts[reason] = (this.doubts[reason] ?? 0) + 1;
      },
      onFatal: (error) => (this.#failure ??= error),
    });
    this.#running = this.#follow().catch((error: unknown) => {
      this.#failure ??= error;
    });
  }

  get epoch(): bigint {
    return this.#fold.epoch;
  }

  /** Numbers below are built, sent and accepted, sooner or later. */
  want(count: number): void {
    this.#wanted = count;
    this.#build();
    this.#manager.workArrived();
  }

  /** Throws what stopped it. */
  throwFailure(): void {
    if (this.#failure !== undefined) throw new Error('the member of the log has stopped', { cause: this.#failure });
  }

  async close(): Promise<void> {
    await this.#manager.close();
    this.#stop.abort();
    await this.#running;
  }

  #build(): void {
    const leadership = this.#leadership;
    while (leadership !== undefined && leadership.room > 0 && this.#next < this.#wanted) {
      const number = this.#next++;
      const record = aBlockRecord(leadership.head.height + 1, {
        nodeVersion: String(number),
        transactions: [filled(number % 256, this.#options.blockBytes(number))],
        // Two blocks with one number differ as well: whoever built them had another claim.
        blockOutputHash: entryHash(number, leadership.claim),
      });
      leadership.append({ record, payload: number });
    }
  }

  async #follow(): Promise<void> {
    const { log } = this.#options;
    let isGenesisSent = false;
    for await (const item of log.follow(0, this.#stop.signal)) {
      if (isCaughtUp(item)) {
        if (this.#fold.logId !== undefined) this.#manager.onCaughtUp(this.#fold, item.end);
        else if (!isGenesisSent) {
          isGenesisSent = true;
          await log.append([encodeEntry(aGenesis())]);
        }
        continue;
      }
      const entry = decodeEntry(item.schema, item.bytes);
      const hash = entryHash(item.schema, item.bytes);
      const result = foldChain(this.#fold, entry, SOFTWARE, undefined, this.#hashes.has(hash));
      this.#fold = result.state;
      if (result.verdict === 'accepted') this.#hashes.add(hash);
      else {
        const why = result.rejectedClass ?? result.verdict;
        this.rejects[why] = (this.rejects[why] ?? 0) + 1;
      }
      if (result.verdict === 'accepted' && entry?.kind === 'Block') {
        this.accepted.push(Number(entry.record.nodeVersion));
        this.heights.push(Number(entry.height));
      }
      this.#manager.onEntry(item, hash, entry, result, this.#fold);
      this.#build();
    }
  }
}
