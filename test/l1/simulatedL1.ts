/** An L1 in memory that reorganises on demand, with priority requests that are numbered as the chain contract does. */
import { NodeError } from '../../src/common/errors.ts';
import { concatBytes, u64be } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import type { L1Block, L1Reader, PriorityRequest } from '../../src/l1/l1Client.ts';
import type { L1Transaction } from '../../src/protocol/transaction.ts';
import type { L1TransactionFields } from '../../src/protocol/transactionCodec.ts';
import { anAddress, anL1Transaction } from '../support/factories.ts';

interface SimulatedBlock extends L1Block {
  readonly requests: readonly L1Transaction[];
  /** Requests up to and including this block. */
  readonly count: bigint;
}

export class SimulatedL1 implements L1Reader {
  /** Fails every call while set. */
  failure: NodeError | undefined;
  /** History before this block is not answered. */
  oldestState = 0;
  /** The next answer leaves out the first request. */
  leavesOneOut = false;
  /** Called inside a query, for reorganisations in the middle of it. */
  duringQuery: (() => void) | undefined;
  queries = 0;
  #blocks: SimulatedBlock[] = [];
  #salt = 0;

  constructor() {
    this.mine();
  }

  get height(): number {
    return this.#blocks.length - 1;
  }

  get requests(): L1Transaction[] {
    return this.#blocks.flatMap(({ requests }) => requests);
  }

  /** Those in blocks up to this one. */
  requestsUpTo(height: number): L1Transaction[] {
    return this.#blocks.slice(0, height + 1).flatMap(({ requests }) => requests);
  }

  /** A block with so many new requests; the same `content` makes the same ones. */
  mine(requestCount = 0, content = ++this.#salt): void {
    this.mineThese(Array.from({ length: requestCount }, () => ({ to: anAddress(content), value: BigInt(content) })));
  }

  /** A block with these new requests; the chain contract numbers them. */
  mineThese(contents: readonly Partial<L1TransactionFields>[]): void {
    const parent = this.#blocks.at(-1);
    const first = parent?.count ?? 0n;
    const requests = contents.map((content, i) => anL1Transaction({ ...content, nonce: first + BigInt(i) }));
    const hash = keccak256(concatBytes(parent?.hash ?? new Uint8Array(32), u64be(++this.#salt)));
    this.#blocks.push({ number: this.#blocks.length, hash, requests, count: first + BigInt(requests.length) });
  }

  /** Drops so many blocks. */
  rollBack(depth: number): void {
    this.#blocks = this.#blocks.slice(0, this.#blocks.length - depth);
  }

  async head(): Promise<L1Block> {
    await this.#answer();
    return this.#at(this.height);
  }

  async block(number: number): Promise<L1Block | undefined> {
    await this.#answer();
    return this.#blocks[number];
  }

  async priorityRequests({ from, to }: { from: number; to: number }): Promise<readonly PriorityRequest[]> {
    await this.#answer();
    this.queries += 1;
    const found = this.#blocks
      .slice(from, to + 1)
      .flatMap(({ requests, ...l1Block }) => requests.map((transaction) => ({ transaction, l1Block })));
    const during = this.duringQuery;
    this.duringQuery = undefined;
    during?.();
    if (!this.leavesOneOut || found.length === 0) return found;
    this.leavesOneOut = false;
    return found.slice(1);
  }

  async priorityRequestCount(atBlock: number): Promise<bigint | undefined> {
    await this.#answer();
    if (atBlock < this.oldestState)
      throw new NodeError('retryable', `no state of block ${atBlock}`, { code: 'L1_UNREACHABLE' });
    return this.#at(atBlock).count;
  }

  #at(number: number): SimulatedBlock {
    const block = this.#blocks[number];
    if (block === undefined) throw new Error(`no block ${number}`);
    return block;
  }

  #answer(): Promise<void> {
    return this.failure === undefined ? Promise.resolve() : Promise.reject(this.failure);
  }
}
