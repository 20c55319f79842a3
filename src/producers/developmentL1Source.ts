/**
 * Stands in for L1 on a development chain: priority requests are asked for here instead of on the Bridgehub, and kept in
 * a small database in the data folder, so that a restart finds the same ones, and other processes may add to it as they
 * would to L1. A request counts once its commit is on disk. Request 0 makes the development account rich.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type Bytes, EMPTY_BYTES, fromHex } from '../common/bytes.ts';
import { NodeError, errorText } from '../common/errors.ts';
import { L1_PRIORITY_TYPE, type L1Transaction, isL1Transaction } from '../protocol/transaction.ts';
import { decodeTransaction, encodeL1Transaction } from '../protocol/transactionCodec.ts';
import type { L1Source } from './l1Source.ts';

export interface DevelopmentL1Options {
  /** A folder; made when it is not there. */
  readonly path: string;
  /** Why a request must never reach a block, or undefined (spec: execution 2). */
  readonly refusal?: (transaction: L1Transaction) => string | undefined;
}

/** What a user of the Bridgehub would give. Amounts in wei. */
export interface L1Request {
  /** The L1 sender, already aliased when it is a contract. */
  readonly initiator: Bytes;
  readonly to: Bytes;
  readonly gasLimit: bigint;
  readonly maxFeePerGas: bigint;
  readonly value: bigint;
  /** At least value + maxFeePerGas x gasLimit. */
  readonly toMint: bigint;
  readonly refundRecipient: Bytes;
  readonly input?: Bytes;
  readonly gasPerPubdata?: bigint;
}

/** What every L1 transaction must offer per byte of pubdata (spec: replay-record 3.2). */
export const REQUIRED_GAS_PER_PUBDATA = 800n;
/** Above it the VM refuses the encoding. */
const GAS_PER_PUBDATA_MAX = (1n << 32n) - 1n;

/** The account that tests and tools use; its key is public (spec: acceptance 1). */
export const RICH_ACCOUNT: Bytes = fromHex('0x36615cf349d7f6344891b1e7ca7c72883f5dc049');
/**
 * Who asked for its deposit: the first account of a development L1. Not the rich account itself, as clients look for
 * replaced transactions by sender and nonce, and would take this one, of nonce 0, for the account's first own.
 */
const DEPOSITOR: Bytes = fromHex('0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266');
/** wei */
export const RICH_ACCOUNT_DEPOSIT = 1_000_000n * 10n ** 18n;

/** How late a request of another process is seen. */
const POLL_MS = 50;
const BUSY_TIMEOUT_MS = 5_000;
const FILE = 'requests.sqlite';
const FORMAT = 1;
const DEPOSIT_GAS_LIMIT = 1_000_000n;
const DEPOSIT_GAS_PRICE = 250_000_000n;
const MAX_CACHED_REQUESTS = 64;

/**
 * Opens the folder and, when it is new, makes the rich account's request.
 * @throws NodeError DEVELOPMENT_L1_FORMAT, DEVELOPMENT_L1_CORRUPT, DEVELOPMENT_L1_IO
 */
export function openDevelopmentL1Source(options: DevelopmentL1Options): DevelopmentL1Source {
  return new DevelopmentL1Source(options);
}

export class DevelopmentL1Source implements L1Source {
  onArrival: (() => void) | undefined;

  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #select: StatementSync;
  readonly #refusal: (transaction: L1Transaction) => string | undefined;
  readonly #cache = new Map<bigint, L1Transaction>();
  readonly #waiting = new Set<{ readonly id: bigint; readonly resolve: () => void }>();
  readonly #count: StatementSync;
  readonly #poll: NodeJS.Timeout;
  #nextId: bigint;

  constructor(options: DevelopmentL1Options) {
    this.#file = join(options.path, FILE);
    this.#refusal = options.refusal ?? (() => undefined);
    let database: DatabaseSync | undefined;
    try {
      mkdirSync(options.path, { recursive: true });
      database = new DatabaseSync(this.#file);
      prepareFile(database, this.#file);
      this.#database = database;
      this.#insert = database.prepare('INSERT INTO request (id, envelope) VALUES (?, ?)');
      this.#select = database.prepare('SELECT envelope FROM request WHERE id = ?');
      this.#count = database.prepare('SELECT coalesce(max(id) + 1, 0) AS next FROM request');
      this.#nextId = countRequests(database, this.#file);
    } catch (error) {
      database?.close();
      throw error instanceof NodeError ? error : ioError(`${this.#file} could not be opened`, error);
    }
    if (this.#nextId === 0n) this.request(richAccountRequest());
    this.#poll = setInterval(() => this.#refresh(), POLL_MS);
    this.#poll.unref();
  }

  get nextId(): bigint {
    return this.#nextId;
  }

  has(id: bigint): boolean {
    return id >= 0n && id < this.#nextId;
  }

  get(id: bigint): L1Transaction | undefined {
    if (!this.has(id)) return undefined;
    return this.#cache.get(id) ?? this.#read(id);
  }

  whenAvailable(id: bigint, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(abortReason(signal));
    if (this.has(id)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => (): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', onAbort);
        end();
      };
      const waiter = { id, resolve: settle(resolve) };
      const onAbort = settle(() => reject(abortReason(signal)));
      signal.addEventListener('abort', onAbort);
      this.#waiting.add(waiter);
    });
  }

  /**
   * Appends a priority request; when this returns it is on disk and available.
   * @throws NodeError L1_REQUEST_UNDERFUNDED, L1_REQUEST_REFUSED, DEVELOPMENT_L1_IO; ProtocolError for fields that do not fit
   */
  request(request: L1Request): { readonly id: bigint; readonly hash: Bytes } {
    // The write lock from the start on: another process may be asking for the same id.
    this.#sql('BEGIN IMMEDIATE');
    let transaction: L1Transaction;
    try {
      transaction = this.#transactionOf(request, this.#countNow());
      this.#insert.run(transaction.nonce, transaction.raw);
      this.#sql('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#sql('ROLLBACK');
      throw error instanceof NodeError ? error : ioError(`a request could not be written to ${this.#file}`, error);
    }
    this.#remember(transaction.nonce, transaction);
    this.#arrived(transaction.nonce + 1n);
    return { id: transaction.nonce, hash: transaction.hash };
  }

  close(): void {
    clearInterval(this.#poll);
    this.#database.close();
  }

  #transactionOf(request: L1Request, id: bigint): L1Transaction {
    const { initiator, to, gasLimit, maxFeePerGas, value, toMint, refundRecipient } = request;
    const needed = value + maxFeePerGas * gasLimit;
    if (toMint < needed) {
      throw new NodeError(
        'fatal',
        `the request mints ${toMint} wei and needs ${needed} (value + maxFeePerGas x gasLimit): raise toMint`,
        {
          code: 'L1_REQUEST_UNDERFUNDED',
          toMint,
          needed,
        },
      );
    }
    const transaction = encodeL1Transaction({
      type: L1_PRIORITY_TYPE,
      initiator: new Uint8Array(initiator),
      to: new Uint8Array(to),
      gasLimit,
      gasPerPubdataByteLimit: request.gasPerPubdata ?? REQUIRED_GAS_PER_PUBDATA,
      maxFeePerGas,
      maxPriorityFeePerGas: 0n,
      nonce: id,
      value,
      toMint,
      refundRecipient: new Uint8Array(refundRecipient),
      input: new Uint8Array(request.input ?? EMPTY_BYTES),
      factoryDeps: [],
    });
    const refusal =
      transaction.gasPerPubdataByteLimit > GAS_PER_PUBDATA_MAX
        ? `gas per pubdata byte ${transaction.gasPerPubdataByteLimit} exceeds ${GAS_PER_PUBDATA_MAX}`
        : this.#refusal(transaction);
    if (refusal !== undefined) {
      throw new NodeError('fatal', `the request can never be included: ${refusal}`, {
        code: 'L1_REQUEST_REFUSED',
        reason: refusal,
      });
    }
    return transaction;
  }

  /** What other processes asked for meanwhile. */
  #refresh(): void {
    const nextId = this.#countNow();
    if (nextId > this.#nextId) this.#arrived(nextId);
  }

  #countNow(): bigint {
    return BigInt(Number(this.#count.get()?.['next'] ?? 0));
  }

  #arrived(nextId: bigint): void {
    this.#nextId = nextId;
    for (const waiter of [...this.#waiting]) if (this.has(waiter.id)) waiter.resolve();
    this.onArrival?.();
  }

  #sql(statement: string): void {
    try {
      this.#database.exec(statement);
    } catch (error) {
      throw ioError(`${statement} failed on ${this.#file}`, error);
    }
  }

  #read(id: bigint): L1Transaction {
    const envelope = this.#select.get(id)?.['envelope'];
    const transaction = envelope instanceof Uint8Array ? decodeTransaction(new Uint8Array(envelope)) : undefined;
    if (transaction === undefined || !isL1Transaction(transaction) || transaction.nonce !== id) {
      throw corruptError(this.#file, `it does not hold request ${id}`);
    }
    this.#remember(id, transaction);
    return transaction;
  }

  #remember(id: bigint, transaction: L1Transaction): void {
    this.#cache.set(id, transaction);
    if (this.#cache.size <= MAX_CACHED_REQUESTS) return;
    const oldest = this.#cache.keys().next();
    if (oldest.done !== true) this.#cache.delete(oldest.value);
  }
}

/** A plain deposit of RICH_ACCOUNT_DEPOSIT to RICH_ACCOUNT. */
export function richAccountRequest(): L1Request {
  return {
    initiator: DEPOSITOR,
    to: RICH_ACCOUNT,
    gasLimit: DEPOSIT_GAS_LIMIT,
    maxFeePerGas: DEPOSIT_GAS_PRICE,
    value: RICH_ACCOUNT_DEPOSIT,
    toMint: RICH_ACCOUNT_DEPOSIT + DEPOSIT_GAS_PRICE * DEPOSIT_GAS_LIMIT,
    refundRecipient: RICH_ACCOUNT,
  };
}

function prepareFile(database: DatabaseSync, file: string): void {
  database.exec(`PRAGMA busy_timeout=${BUSY_TIMEOUT_MS}; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL`);
  database.exec('BEGIN IMMEDIATE');
  const format = database.prepare('PRAGMA user_version').get()?.['user_version'];
  if (format === 0) {
    database.exec(
      `CREATE TABLE request (id INTEGER PRIMARY KEY, envelope BLOB NOT NULL); PRAGMA user_version=${FORMAT}`,
    );
  } else if (format !== FORMAT) {
    throw new NodeError(
      'fatal',
      `${file} has format ${String(format)} and this software reads ${FORMAT}: use the version that wrote it, or another data folder`,
      {
        code: 'DEVELOPMENT_L1_FORMAT',
        format,
      },
    );
  }
  database.exec('COMMIT');
}

function countRequests(database: DatabaseSync, file: string): bigint {
  const row = database.prepare('SELECT count(*) AS count, coalesce(max(id) + 1, 0) AS next FROM request').get();
  const [count, next] = [row?.['count'], row?.['next']];
  if (typeof next !== 'number' || count !== next)
    throw corruptError(file, `it holds ${String(count)} requests below id ${String(next)}`);
  return BigInt(next);
}

function corruptError(file: string, what: string): NodeError {
  return new NodeError(
    'fatal',
    `${file} is damaged: ${what}; restore it, or start a new chain with an empty data folder`,
    {
      code: 'DEVELOPMENT_L1_CORRUPT',
      file,
    },
  );
}

function ioError(what: string, cause: unknown): NodeError {
  return new NodeError('fatal', `${what}: ${errorText(cause)}`, { code: 'DEVELOPMENT_L1_IO' }, { cause });
}

function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted', { cause: signal.reason });
}
