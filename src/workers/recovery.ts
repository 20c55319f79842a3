/**
 * Client of the recovery workers: who sent a transaction. What is asked in one turn of the event loop travels together,
 * and each transaction is recovered once per process as far as the memory of results reaches.
 */
import { Worker } from 'node:worker_threads';
import { type Bytes, EMPTY_BYTES, bytesKey } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { keccak256 } from '../common/hash.ts';
import { ADDRESS_BYTES, HASH_BYTES, type RecoveryAnswer, type RecoveryRequest } from './recoveryMessages.ts';

export interface RecoveryOptions {
  readonly workerCount?: number;
  /** Transactions that may wait for a worker; more are refused with RECOVERY_QUEUE_FULL. */
  readonly maxQueuedTransactions?: number;
  /** Senders remembered. */
  readonly cachedSenders?: number;
  /** A worker has ended by itself: from then on every call rejects with this. */
  readonly onFailure?: (failure: NodeError) => void;
}

export interface RecoveredSender {
  readonly sender: Bytes;
}

export interface Recovery {
  /**
   * Sender of an EIP-2718 encoding; of an L1 transaction its initiator.
   * @throws (rejects) what decoding or recovery raised with its code, RECOVERY_QUEUE_FULL (retryable), RECOVERY_CLOSED
   *   (retryable), RECOVERY_WORKER_FAILED (invariant)
   */
  recover(raw: Bytes): Promise<RecoveredSender>;
  /** Resolves when every worker has begun to work, or will never. */
  whenStarted(): Promise<void>;
  /** Ends the workers; what still waits is rejected with RECOVERY_CLOSED. */
  close(): Promise<void>;
}

const BATCH_TRANSACTIONS = 128;
const BATCHES_PER_WORKER = 2;

interface Job {
  /** `bytesKey` of the hash. */
  readonly key: string;
  readonly hash: Bytes;
  readonly raw: Bytes;
  readonly resolve: (recovered: RecoveredSender) => void;
  readonly reject: (error: Error) => void;
}

/** Of a request without transactions: its answer says that the worker has begun. */
const GREETING_ID = 0;

interface WorkerSlot {
  readonly worker: Worker;
  readonly started: PromiseWithResolvers<void>;
  readonly batches: Map<number, readonly Job[]>;
}

export function createRecovery(options: RecoveryOptions = {}): Recovery {
  return new RecoveryClient(
    options.workerCount ?? 1,
    options.maxQueuedTransactions ?? 50_000,
    options.cachedSenders ?? 131_072,
    options.onFailure,
  );
}

class RecoveryClient implements Recovery {
  readonly #slots: readonly WorkerSlot[];
  readonly #maxQueued: number;
  readonly #maxCached: number;
  readonly #onFailure: RecoveryOptions['onFailure'];
  /** In order of last use, oldest first. */
  readonly #cache = new Map<string, RecoveredSender>();
  /** Asked and not answered yet. */
  readonly #running = new Map<string, Promise<RecoveredSender>>();
  /** Asked and with no worker yet, oldest first, from #queueStart on. */
  #queue: Job[] = [];
  #queueStart = 0;
  #dispatchScheduled = false;
  #nextBatchId = 1;
  #failure: NodeError | undefined;

  constructor(workerCount: number, maxQueued: number, maxCached: number, onFailure: RecoveryOptions['onFailure']) {
    this.#maxQueued = maxQueued;
    this.#maxCached = maxCached;
    this.#onFailure = onFailure;
    this.#slots = Array.from({ length: workerCount }, () => this.#startWorker());
  }

  recover(raw: Bytes): Promise<RecoveredSender> {
    const hash = keccak256(raw);
    const key = bytesKey(hash);
    const cached = this.#cache.get(key);
    if (cached !== undefined) {
      this.#cache.delete(key);
      this.#cache.set(key, cached);
      return Promise.resolve(cached);
    }
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#queue.length - this.#queueStart >= this.#maxQueued) {
      return Promise.reject(
        new NodeError(
          'retryable',
          `${this.#maxQueued} transactions already wait for their signature check; try again later`,
          {
            code: 'RECOVERY_QUEUE_FULL',
            limit: this.#maxQueued,
          },
        ),
      );
    }
    const promise = new Promise<RecoveredSender>((resolve, reject) => {
      this.#queue.push({ key, hash, raw, resolve, reject });
    });
    this.#running.set(key, promise);
    if (this.#queue.length - this.#queueStart >= BATCH_TRANSACTIONS) this.#dispatch();
    this.#scheduleDispatch();
    return promise;
  }

  async whenStarted(): Promise<void> {
    await Promise.all(this.#slots.map(({ started }) => started.promise));
  }

  async close(): Promise<void> {
    this.#fail(
      new NodeError('retryable', 'the node is stopping; signatures are no longer checked', { code: 'RECOVERY_CLOSED' }),
    );
    // Ended while its modules are evaluated, a thread takes the process with it.
    await this.whenStarted();
    await Promise.all(this.#slots.map(({ worker }) => worker.terminate()));
  }

  #startWorker(): WorkerSlot {
    const worker = new Worker(new URL('./recoveryWorker.ts', import.meta.url), { name: 'recovery' });
    const slot: WorkerSlot = { worker, started: Promise.withResolvers(), batches: new Map() };
    const failed = (cause: unknown): void => {
      slot.started.resolve();
      if (this.#failure !== undefined) return;
      const facts = { code: 'RECOVERY_WORKER_FAILED' };
      const failure = new NodeError('invariant', 'a signature recovery worker ended; restart the node', facts, {
        cause,
      });
      this.#fail(failure);
      this.#onFailure?.(failure);
    };
    worker.on('message', (answer: RecoveryAnswer) => this.#receive(slot, answer));
    worker.on('error', failed);
    worker.on('messageerror', failed);
    worker.on('exit', (exitCode) => failed(new Error(`exit code ${exitCode}`)));
    const greeting: RecoveryRequest = { id: GREETING_ID, bytes: EMPTY_BYTES, lengths: [], hashes: EMPTY_BYTES };
    worker.postMessage(greeting);
    return slot;
  }

  /** After the current turn, so that its requests travel together. */
  #scheduleDispatch(): void {
    if (this.#dispatchScheduled) return;
    this.#dispatchScheduled = true;
    setImmediate(() => {
      this.#dispatchScheduled = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    while (this.#failure === undefined && this.#queueStart < this.#queue.length) {
      const slot = this.#slots.reduce((least, other) => (other.batches.size < least.batches.size ? other : least));
      if (slot.batches.size >= BATCHES_PER_WORKER) return;
      this.#send(slot, this.#nextJobs());
    }
  }

  #nextJobs(): Job[] {
    const jobs = this.#queue.slice(this.#queueStart, this.#queueStart + BATCH_TRANSACTIONS);
    this.#queueStart += jobs.length;
    if (this.#queueStart === this.#queue.length || this.#queueStart > 10_000) {
      this.#queue = this.#queue.slice(this.#queueStart);
      this.#queueStart = 0;
    }
    return jobs;
  }

  #send(slot: WorkerSlot, jobs: readonly Job[]): void {
    const lengths = jobs.map(({ raw }) => raw.length);
    const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
    const hashes = new Uint8Array(jobs.length * HASH_BYTES);
    let offset = 0;
    jobs.forEach(({ raw, hash }, index) => {
      bytes.set(raw, offset);
      offset += raw.length;
      hashes.set(hash, index * HASH_BYTES);
    });
    const id = this.#nextBatchId++;
    slot.batches.set(id, jobs);
    const request: RecoveryRequest = { id, bytes, lengths, hashes };
    slot.worker.postMessage(request, [bytes.buffer, hashes.buffer]);
  }

  #receive(slot: WorkerSlot, { id, senders, failures }: RecoveryAnswer): void {
    if (id === GREETING_ID) return slot.started.resolve();
    const jobs = slot.batches.get(id) ?? [];
    slot.batches.delete(id);
    const failureAt = new Map(failures.map((failure) => [failure.index, failure]));
    jobs.forEach((job, index) => {
      this.#running.delete(job.key);
      const failure = failureAt.get(index);
      if (failure !== undefined) {
        job.reject(new NodeError(failure.kind, failure.message, failure.facts));
        return;
      }
      const recovered = { sender: senders.slice(index * ADDRESS_BYTES, (index + 1) * ADDRESS_BYTES) };
      this.#remember(job.key, recovered);
      job.resolve(recovered);
    });
    this.#dispatch();
  }

  #remember(key: string, recovered: RecoveredSender): void {
    this.#cache.set(key, recovered);
    if (this.#cache.size <= this.#maxCached) return;
    const oldest = this.#cache.keys().next();
    if (oldest.done !== true) this.#cache.delete(oldest.value);
  }

  #fail(failure: NodeError): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    const waiting = [
      ...this.#slots.flatMap(({ batches }) => [...batches.values()].flat()),
      ...this.#queue.slice(this.#queueStart),
    ];
    for (const { batches } of this.#slots) batches.clear();
    this.#queue = [];
    this.#queueStart = 0;
    this.#running.clear();
    for (const { reject } of waiting) reject(failure);
  }
}
