/** The pool against a naive one that sorts everything anew at each question. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { type Bytes, bigIntToBytes, equalBytes } from '../../src/common/bytes.ts';
import { Mempool } from '../../src/producers/mempool.ts';
import { PoolError } from '../../src/producers/poolErrors.ts';
import type { L2Transaction, SenderedTransaction } from '../../src/protocol/transaction.ts';

const SENDERS = 4;
const GAS = 21_000n;

interface ModelEntry {
  readonly transaction: L2Transaction;
  readonly sender: number;
  readonly arrival: number;
  taken: boolean;
}

interface Block {
  readonly included: SenderedTransaction[];
  readonly purged: SenderedTransaction[];
}

function address(sender: number): Bytes {
  return bigIntToBytes(0xa0000n + BigInt(sender), 20);
}

class NaivePool {
  readonly accounts = Array.from({ length: SENDERS }, () => ({ nonce: 0n, balance: 0n }));
  entries: ModelEntry[] = [];
  arrivals = 0;
  /** By sender: nonces below it were handed to the block being built; and who was skipped. */
  held = new Map<number, bigint>();
  skipped = new Set<number>();

  account(sender: number): { nonce: bigint; balance: bigint } {
    const account = this.accounts[sender];
    assert.ok(account);
    return account;
  }

  at(sender: number, nonce: bigint): ModelEntry | undefined {
    return this.entries.find((entry) => entry.sender === sender && entry.transaction.nonce === nonce);
  }

  heldEnd(sender: number): bigint {
    const taken = this.entries.filter((entry) => entry.sender === sender && entry.taken);
    const ends = [
      this.account(sender).nonce,
      this.held.get(sender) ?? 0n,
      ...taken.map((entry) => entry.transaction.nonce + 1n),
    ];
    return ends.reduce((a, b) => (a > b ? a : b));
  }

  run(sender: number): ModelEntry[] {
    const { nonce, balance } = this.account(sender);
    const run: ModelEntry[] = [];
    let sum = 0n;
    for (let next = nonce; ; next += 1n) {
      const entry = this.at(sender, next);
      if (entry === undefined) return run;
      sum += cost(entry.transaction);
      if (next >= this.heldEnd(sender) && sum > balance) return run;
      run.push(entry);
    }
  }

  free(): ModelEntry[] {
    return [...Array(SENDERS).keys()].flatMap((sender) => this.run(sender).filter((entry) => !entry.taken));
  }

  best(): ModelEntry | undefined {
    const candidates = [...Array(SENDERS).keys()].flatMap((sender) => {
      if (this.skipped.has(sender)) return [];
      const first = this.run(sender).find(({ transaction }) => transaction.nonce >= this.heldEnd(sender));
      return first === undefined ? [] : [first];
    });
    return candidates.sort((a, b) => {
      const [tipA, tipB] = [a.transaction.maxPriorityFeePerGas, b.transaction.maxPriorityFeePerGas];
      return tipA === tipB ? a.arrival - b.arrival : tipA > tipB ? -1 : 1;
    })[0];
  }

  /** Undefined when it must be refused. */
  add(transaction: L2Transaction, sender: number): boolean {
    const { balance } = this.account(sender);
    if (transaction.nonce < this.heldEnd(sender) || cost(transaction) > balance) return false;
    const existing = this.at(sender, transaction.nonce);
    if (existing !== undefined) {
      const fees = [
        [transaction.maxFeePerGas, existing.transaction.maxFeePerGas],
        [transaction.maxPriorityFeePerGas, existing.transaction.maxPriorityFeePerGas],
      ] as const;
      if (fees.some(([now, before]) => now * 10n < before * 11n)) return false;
      this.remove(existing);
    }
    this.entries.push({ transaction, sender, arrival: this.arrivals++, taken: false });
    return true;
  }

  remove(entry: ModelEntry): void {
    this.entries = this.entries.filter((other) => other !== entry);
  }
}

function cost(transaction: L2Transaction): bigint {
  return transaction.maxFeePerGas * transaction.gasLimit + transaction.value;
}

let salt = 0;

function aTransaction(fields: Pick<L2Transaction, 'nonce' | 'maxFeePerGas' | 'maxPriorityFeePerGas'>): L2Transaction {
  const hash = bigIntToBytes(BigInt(++salt), 32);
  return {
    type: 2,
    hash,
    raw: hash,
    signingHash: hash,
    signingLength: 50,
    chainId: 270n,
    gasLimit: GAS,
    to: address(99),
    value: 0n,
    input: new Uint8Array(0),
    accessList: [],
    yParity: 0,
    r: 1n,
    s: 1n,
    ...fields,
  };
}

const transactionFields = fc.record({
  sender: fc.nat(SENDERS - 1),
  ahead: fc.integer({ min: -1, max: 4 }),
  fee: fc.integer({ min: 20, max: 26 }),
  tip: fc.integer({ min: 10, max: 15 }),
});
type TransactionFields = typeof transactionFields extends fc.Arbitrary<infer T> ? T : never;

const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), fields: transactionFields }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('build' as const),
      steps: fc.array(
        fc.oneof(
          fc.record({ kind: fc.constantFrom('include', 'include', 'include', 'skip', 'purge', 'full') }),
          fc.record({ kind: fc.constant('arrive' as const), fields: transactionFields }),
        ),
        { maxLength: 8 },
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('accept' as const), spend: fc.nat(60) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('fund' as const), sender: fc.nat(SENDERS - 1), units: fc.nat(150) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('giveUp' as const), keep: fc.nat(2) }) },
);

class Comparison {
  readonly pool: Mempool;
  readonly model = new NaivePool();
  blocks: Block[] = [];
  /** Purged entries of unaccepted blocks with what the model knew of them. */
  readonly purgedEntries = new Map<SenderedTransaction, ModelEntry>();

  constructor() {
    this.pool = new Mempool({
      chainId: 270n,
      blockGasLimit: 100_000_000n,
      maxInputBytes: 1_000,
      maxPendingTransactions: 1_000,
      maxPendingSizeBytes: 1_000_000,
    });
  }

  add({ sender, ahead, fee, tip }: TransactionFields): void {
    const base = this.model.account(sender).nonce + BigInt(ahead);
    const nonce = base < 0n ? 0n : base;
    const transaction = aTransaction({ nonce, maxFeePerGas: BigInt(fee), maxPriorityFeePerGas: BigInt(tip) });
    const expected = this.model.add(transaction, sender);
    let added = true;
    try {
      this.pool.add(transaction, address(sender), { ...this.model.account(sender), hasCode: false });
    } catch (error) {
      assert.ok(error instanceof PoolError);
      added = false;
    }
    assert.equal(added, expected, `admission of nonce ${nonce} of sender ${sender}`);
  }

  build(steps: readonly { kind: string; fields?: TransactionFields }[]): void {
    const block: Block = { included: [], purged: [] };
    const best = this.pool.bestTransactions();
    for (const step of steps) {
      if (step.fields !== undefined) {
        this.add(step.fields);
        continue;
      }
      const expected = this.model.best();
      const offered = best.next();
      assert.equal(offered?.transaction, expected?.transaction, 'the offered transaction');
      if (offered === undefined || expected === undefined) continue;
      const { sender, transaction } = expected;
      this.model.held.set(sender, transaction.nonce + 1n);
      if (step.kind === 'include') {
        this.pool.take([transaction.hash]);
        expected.taken = true;
        block.included.push(offered);
      } else if (step.kind === 'full') {
        break;
      } else {
        best.skipSender(address(sender));
        this.model.skipped.add(sender);
        this.model.held.set(sender, transaction.nonce);
        if (step.kind === 'purge') {
          this.pool.purge(transaction.hash, 'test');
          this.model.remove(expected);
          this.purgedEntries.set(offered, expected);
          block.purged.push(offered);
        }
      }
    }
    best.end();
    assert.equal(best.next(), undefined);
    this.model.held.clear();
    this.model.skipped.clear();
    this.blocks.push(block);
  }

  accept(spend: number): void {
    const block = this.blocks.shift();
    if (block === undefined) return;
    const changed = new Map<number, bigint>();
    for (const { transaction, sender } of block.included) {
      const index = [...Array(SENDERS).keys()].find((i) => equalBytes(address(i), sender));
      assert.ok(index !== undefined);
      changed.set(index, transaction.nonce + 1n);
    }
    for (const [sender, nonce] of changed) {
      const account = this.model.account(sender);
      account.nonce = nonce;
      account.balance = account.balance > BigInt(spend) * GAS ? account.balance - BigInt(spend) * GAS : 0n;
      for (const entry of [...this.model.entries]) {
        if (entry.sender === sender && entry.transaction.nonce < nonce) this.model.remove(entry);
      }
    }
    this.pool.applyBlock(
      [...changed.keys()].map((sender) => ({
        address: address(sender),
        ...this.model.account(sender),
        hasCode: false,
      })),
      block.included.map(({ transaction }) => transaction.hash),
    );
  }

  fund(sender: number, units: number): void {
    const account = this.model.account(sender);
    account.balance = BigInt(units) * GAS;
    this.pool.applyBlock([{ address: address(sender), ...account, hasCode: false }], []);
  }

  giveUp(keep: number): void {
    const given = this.blocks.slice(keep);
    this.blocks = this.blocks.slice(0, keep);
    const back = given.flatMap((block) => [...block.included, ...block.purged]);
    for (const { transaction } of back) {
      const entry = this.model.entries.find((other) => other.transaction === transaction);
      if (entry !== undefined) entry.taken = false;
    }
    for (const sendered of given.flatMap((block) => block.purged)) {
      const entry = this.purgedEntries.get(sendered);
      assert.ok(entry);
      const { sender, transaction } = entry;
      if (
        transaction.nonce < this.model.account(sender).nonce ||
        this.model.at(sender, transaction.nonce) !== undefined
      )
        continue;
      this.model.entries.push(entry);
    }
    assert.deepEqual(this.pool.restore(back), []);
  }

  check(): void {
    const free = this.model.free();
    const runs = [...Array(SENDERS).keys()].reduce((sum, sender) => sum + this.model.run(sender).length, 0);
    assert.equal(this.pool.executableCount, free.length, 'executable');
    const status = this.pool.status();
    assert.deepEqual([status.pending, status.queued], [runs, this.model.entries.length - runs], 'pending and queued');
    assert.equal(status.pendingSizeBytes + status.queuedSizeBytes, this.model.entries.length * (32 + 500), 'bytes');
    for (let sender = 0; sender < SENDERS; sender++) {
      let nonce = this.model.account(sender).nonce;
      while (this.model.at(sender, nonce) !== undefined) nonce += 1n;
      assert.equal(this.pool.pendingNonce(address(sender), this.model.account(sender).nonce), nonce, 'pending nonce');
    }
  }
}

describe('mempool: model', () => {
  it('does what the naive pool does, over random histories', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const comparison = new Comparison();
        for (let sender = 0; sender < SENDERS; sender++) comparison.fund(sender, 80);
        for (const op of operations) {
          if (op.kind === 'add') comparison.add(op.fields);
          else if (op.kind === 'build') comparison.build(op.steps);
          else if (op.kind === 'accept') comparison.accept(op.spend);
          else if (op.kind === 'fund') comparison.fund(op.sender, op.units);
          else comparison.giveUp(op.keep);
          comparison.check();
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('never exceeds its limits, whatever arrives', () => {
    fc.assert(
      fc.property(fc.array(transactionFields, { maxLength: 80 }), (arrivals) => {
        const pool = new Mempool({
          chainId: 270n,
          blockGasLimit: 100_000_000n,
          maxInputBytes: 1_000,
          maxPendingTransactions: 6,
          maxPendingSizeBytes: 5 * 532,
          maxQueuedTransactions: 3,
        });
        for (const { sender, ahead, fee, tip } of arrivals) {
          const nonce = BigInt(Math.max(0, ahead));
          const transaction = aTransaction({ nonce, maxFeePerGas: BigInt(fee), maxPriorityFeePerGas: BigInt(tip) });
          try {
            pool.add(transaction, address(sender), { nonce: 0n, balance: 100n * GAS, hasCode: false });
            assert.ok(pool.get(transaction.hash));
          } catch (error) {
            assert.ok(error instanceof PoolError);
            assert.equal(pool.get(transaction.hash), undefined);
          }
          const { pending, queued } = pool.status();
          assert.ok(pending <= 5 && queued <= 3, `${pending} pending, ${queued} queued`);
        }
      }),
      { numRuns: 300 },
    );
  });
});
