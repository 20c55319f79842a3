import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type Bytes, bigIntToBytes } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { type AccountView, Mempool, type MempoolOptions } from '../../src/producers/mempool.ts';
import { intrinsicGas } from '../../src/producers/poolChecks.ts';
import { PoolError, type PoolRejectionCode } from '../../src/producers/poolErrors.ts';
import type { L2Transaction, SenderedTransaction } from '../../src/protocol/transaction.ts';

const ETHER = 10n ** 18n;
const RICH: AccountView = { nonce: 0n, balance: 1_000n * ETHER, hasCode: false };

function address(n: number): Bytes {
  return bigIntToBytes(0xa0000n + BigInt(n), 20);
}

let salt = 0;

/** A transfer that passes every check; its hash is unique. */
function aTransaction(fields: Partial<L2Transaction> = {}): L2Transaction {
  const raw = fields.raw ?? bigIntToBytes(BigInt(++salt), 110);
  return {
    type: 2,
    hash: keccak256(raw),
    raw,
    signingHash: new Uint8Array(32),
    signingLength: 50,
    chainId: 270n,
    nonce: 0n,
    maxPriorityFeePerGas: 10n,
    maxFeePerGas: 1_000n,
    gasLimit: 21_000n,
    to: address(999),
    value: 0n,
    input: new Uint8Array(0),
    accessList: [],
    yParity: 0,
    r: 1n,
    s: 1n,
    ...fields,
  };
}

function aPool(options: Partial<MempoolOptions> = {}): Mempool {
  return new Mempool({
    chainId: 270n,
    blockGasLimit: 100_000_000n,
    maxInputBytes: 1 << 20,
    maxPendingTransactions: 100_000,
    maxPendingSizeBytes: 256 << 20,
    ...options,
  });
}

function refused(code: PoolRejectionCode, action: () => unknown): PoolError {
  let thrown: unknown;
  assert.throws(action, (error) => {
    thrown = error;
    return error instanceof PoolError && error.code === code;
  });
  return thrown as PoolError; // checked above
}

/** Everything the pool offers one block. */
function drain(pool: Mempool): L2Transaction[] {
  const offered: L2Transaction[] = [];
  const best = pool.bestTransactions();
  for (let entry = best.next(); entry !== undefined; entry = best.next()) offered.push(l2(entry));
  best.end();
  return offered;
}

function l2(sendered: SenderedTransaction): L2Transaction {
  assert.ok(sendered.transaction.type === 0 || sendered.transaction.type === 1 || sendered.transaction.type === 2);
  return sendered.transaction;
}

function cost(transaction: L2Transaction): bigint {
  return transaction.maxFeePerGas * transaction.gasLimit + transaction.value;
}

describe('mempool: checks without state', () => {
  const cases: [string, PoolRejectionCode, Partial<L2Transaction>][] = [
    ['size above the limit', 'POOL_OVERSIZED_DATA', { raw: new Uint8Array((1 << 20) + 1) }],
    [
      'init code of 49153 bytes',
      'POOL_INIT_CODE_TOO_LARGE',
      { to: undefined, input: new Uint8Array(49_153), gasLimit: 10_000_000n },
    ],
    ['gas above the block', 'POOL_EXCEEDS_BLOCK_GAS_LIMIT', { gasLimit: 100_000_001n }],
    ['tip above fee', 'POOL_TIP_ABOVE_FEE_CAP', { maxFeePerGas: 10n, maxPriorityFeePerGas: 11n }],
    // A type that no signed transaction has: the rule is for whatever a decoder of later versions lets through.
    ['an L1 transaction', 'POOL_TYPE_NOT_SUPPORTED', { type: 0x7f as unknown as 2 }],
    ['another chain', 'POOL_INVALID_CHAIN_ID', { chainId: 271n }],
    ['nonce 2^64 - 1', 'POOL_NONCE_MAX', { nonce: (1n << 64n) - 1n }],
    ['gas below intrinsic', 'POOL_INTRINSIC_GAS_TOO_LOW', { gasLimit: 20_999n }],
    // 1,000,001 x 999,999,000,001 = 10^18 + 1
    ['fee above one ether', 'POOL_FEE_CAP_EXCEEDED', { gasLimit: 1_000_001n, maxFeePerGas: 999_999_000_001n }],
    ['6 wei', 'POOL_UNDERPRICED', { maxFeePerGas: 6n, maxPriorityFeePerGas: 0n }],
  ];
  for (const [name, code, fields] of cases) {
    it(`refuses ${name}`, () => {
      refused(code, () => aPool().checkStateless(aTransaction(fields)));
    });
  }

  it('accepts the limits themselves', () => {
    const pool = aPool();
    const limits: Partial<L2Transaction>[] = [
      { raw: new Uint8Array(1 << 20) },
      { to: undefined, input: new Uint8Array(49_152), gasLimit: 10_000_000n },
      { gasLimit: 100_000_000n },
      { maxFeePerGas: 10n, maxPriorityFeePerGas: 10n },
      { type: 0, chainId: undefined },
      { type: 1 },
      { nonce: (1n << 64n) - 2n },
      { maxFeePerGas: 7n, maxPriorityFeePerGas: 0n },
      { maxFeePerGas: 10n ** 13n, gasLimit: 100_000n },
    ];
    for (const fields of limits) pool.checkStateless(aTransaction(fields));
    assert.deepEqual(pool.counters.rejected, {});
  });

  it('counts intrinsic gas of calldata, creation and access list', () => {
    const input = Uint8Array.of(0, 0, 1, 2, 3);
    const accessList = [{ address: address(1), slots: [new Uint8Array(32), new Uint8Array(32)] }];
    const call = 21_000n + 2n * 4n + 3n * 16n + 2_400n + 2n * 1_900n;
    const creation = call + 32_000n + 2n;
    for (const [to, gas] of [
      [address(1), call],
      [undefined, creation],
    ] as const) {
      aPool().checkStateless(aTransaction({ to, input, accessList, gasLimit: gas }));
      const error = refused('POOL_INTRINSIC_GAS_TOO_LOW', () =>
        aPool().checkStateless(aTransaction({ to, input, accessList, gasLimit: gas - 1n })),
      );
      assert.equal(error.facts['intrinsicGas'], gas);
    }
  });

  it('counts a word of init code from each 32 bytes on', () => {
    const gas = (length: number): bigint =>
      intrinsicGas({ to: undefined, input: new Uint8Array(length), accessList: [] }) - 21_000n - 32_000n;
    assert.deepEqual([1, 32, 33, 64, 65].map(gas), [4n + 2n, 128n + 2n, 132n + 4n, 256n + 4n, 260n + 6n]);
  });

  it('leads with the phrases that clients look for', () => {
    const pool = aPool();
    const texts: [() => unknown, RegExp][] = [
      [() => pool.checkStateless(aTransaction({ gasLimit: 1n })), /^intrinsic gas too low/],
      [
        () => pool.checkStateless(aTransaction({ gasLimit: 1n << 40n })),
        /^exceeds block gas limit.*: gas limit reached$/,
      ],
      [
        () => pool.add(aTransaction(), address(1), { ...RICH, nonce: 3n }),
        /^nonce too low: .*next nonce 3, tx nonce 0$/,
      ],
      [
        () => pool.add(aTransaction(), address(1), { ...RICH, balance: 5n }),
        /^insufficient funds for gas \* price \+ value: sender does not have enough funds \(5\) to cover transaction fees: 21000000$/,
      ],
    ];
    for (const [action, message] of texts) assert.throws(action, { message });
  });
});

describe('mempool: admission against state', () => {
  it('refuses a known hash, a low nonce, a poor sender and a sender with code', () => {
    const pool = aPool();
    const transaction = aTransaction();
    pool.add(transaction, address(1), RICH);
    refused('POOL_ALREADY_KNOWN', () => pool.add(transaction, address(1), RICH));
    refused('POOL_NONCE_TOO_LOW', () => pool.add(aTransaction({ nonce: 4n }), address(2), { ...RICH, nonce: 5n }));
    refused('POOL_SENDER_NOT_EOA', () => pool.add(aTransaction(), address(3), { ...RICH, hasCode: true }));
    const poor = aTransaction({ value: 1n });
    refused('POOL_INSUFFICIENT_FUNDS', () => pool.add(poor, address(4), { ...RICH, balance: cost(poor) - 1n }));
    pool.add(poor, address(4), { ...RICH, balance: cost(poor) });
    assert.deepEqual(pool.counters.added, { new: 2, replacement: 0 });
    assert.deepEqual(pool.counters.rejected, {
      POOL_ALREADY_KNOWN: 1,
      POOL_NONCE_TOO_LOW: 1,
      POOL_SENDER_NOT_EOA: 1,
      POOL_INSUFFICIENT_FUNDS: 1,
    });
  });

  it('replaces with 10 % more in both fees only', () => {
    const pool = aPool();
    const first = aTransaction({ maxFeePerGas: 1_000n, maxPriorityFeePerGas: 100n });
    pool.add(first, address(1), RICH);
    for (const fees of [
      { maxFeePerGas: 1_099n, maxPriorityFeePerGas: 200n },
      { maxFeePerGas: 2_000n, maxPriorityFeePerGas: 109n },
    ]) {
      refused('POOL_REPLACEMENT_UNDERPRICED', () => pool.add(aTransaction(fees), address(1), RICH));
    }
    const second = aTransaction({ maxFeePerGas: 1_100n, maxPriorityFeePerGas: 110n });
    assert.deepEqual(pool.add(second, address(1), RICH), { replaced: first.hash });
    assert.equal(pool.get(first.hash), undefined);
    assert.deepEqual(pool.counters.added, { new: 1, replacement: 1 });
    assert.equal(pool.counters.removed.replaced, 1);
    assert.deepEqual(drain(pool), [second]);
    assert.deepEqual(pool.status().pending, 1);
  });

  it('knows better than a view that was read before the last blocks', () => {
    const pool = aPool();
    pool.applyBlock([{ address: address(1), nonce: 6n, balance: ETHER, hasCode: false }], []);
    refused('POOL_NONCE_TOO_LOW', () => pool.add(aTransaction({ nonce: 5n }), address(1), { ...RICH, nonce: 5n }));
    pool.add(aTransaction({ nonce: 6n }), address(1), { ...RICH, nonce: 5n });
    assert.equal(pool.executableCount, 1);
  });

  it('answers the pending nonce by consecutive nonces, gaps not counted', () => {
    const pool = aPool();
    assert.equal(pool.pendingNonce(address(1), 4n), 4n);
    for (const nonce of [4n, 5n, 7n]) pool.add(aTransaction({ nonce }), address(1), { ...RICH, nonce: 4n });
    assert.equal(pool.pendingNonce(address(1), 4n), 6n);
    pool.add(aTransaction({ nonce: 6n }), address(1), { ...RICH, nonce: 4n });
    assert.equal(pool.pendingNonce(address(1), 4n), 8n);
  });
});

describe('mempool: order', () => {
  it('offers by tip, equal tips by arrival, a sender by nonce', () => {
    const pool = aPool();
    const a0 = aTransaction({ nonce: 0n, maxPriorityFeePerGas: 1n });
    const a1 = aTransaction({ nonce: 1n, maxPriorityFeePerGas: 900n });
    const b0 = aTransaction({ maxPriorityFeePerGas: 5n });
    const c0 = aTransaction({ maxPriorityFeePerGas: 5n });
    const legacy = aTransaction({ type: 0, maxFeePerGas: 50n, maxPriorityFeePerGas: 50n });
    pool.add(a1, address(1), RICH);
    pool.add(c0, address(3), RICH);
    pool.add(b0, address(2), RICH);
    pool.add(a0, address(1), RICH);
    pool.add(legacy, address(4), RICH);
    assert.deepEqual(drain(pool), [legacy, c0, b0, a0, a1]);
  });

  it('lets arrivals join the block being built', () => {
    const pool = aPool();
    const low = aTransaction({ maxPriorityFeePerGas: 1n });
    pool.add(low, address(1), RICH);
    const best = pool.bestTransactions();
    const high = aTransaction({ maxPriorityFeePerGas: 9n });
    pool.add(high, address(2), RICH);
    assert.equal(best.next()?.transaction, high);
    assert.equal(best.next()?.transaction, low);
    assert.equal(best.next(), undefined);
    const late = aTransaction({ nonce: 1n });
    pool.add(late, address(2), RICH);
    assert.equal(best.next()?.transaction, late);
  });

  it('hides a skipped sender from this block only', () => {
    const pool = aPool();
    const [a0, a1, a2] = [0n, 1n, 2n].map((nonce) => aTransaction({ nonce, maxPriorityFeePerGas: 50n })) as [
      L2Transaction,
      L2Transaction,
      L2Transaction,
    ];
    const b0 = aTransaction({ maxPriorityFeePerGas: 1n });
    for (const transaction of [a0, a1, a2]) pool.add(transaction, address(1), RICH);
    pool.add(b0, address(2), RICH);
    const best = pool.bestTransactions();
    assert.equal(best.next()?.transaction, a0);
    pool.take([a0.hash]);
    assert.equal(best.next()?.transaction, a1);
    best.skipSender(address(1));
    pool.add(aTransaction({ nonce: 3n }), address(1), RICH);
    assert.equal(best.next()?.transaction, b0);
    assert.equal(best.next(), undefined);
    assert.equal(drain(pool)[0], a1);
  });

  it('tells once of each transaction that becomes executable, from when somebody listens', () => {
    const pool = aPool();
    const sender = address(1);
    const [first, second, third, replacement] = [
      aTransaction({ nonce: 0n }),
      aTransaction({ nonce: 1n }),
      aTransaction({ nonce: 2n }),
      aTransaction({ nonce: 1n, maxFeePerGas: 2_000n, maxPriorityFeePerGas: 20n }),
    ];
    const told: L2Transaction[] = [];
    pool.add(aTransaction(), address(2), RICH);
    pool.onPending = (sendered) => told.push(l2(sendered));
    pool.add(third, sender, RICH);
    pool.add(second, sender, RICH);
    assert.deepEqual(told, []);
    pool.add(first, sender, RICH);
    assert.deepEqual(told, [first, second, third]);
    pool.add(replacement, sender, RICH);
    assert.deepEqual(told.slice(3), [replacement]);
    pool.applyBlock([{ ...RICH, address: sender, balance: 0n }], []);
    pool.applyBlock([{ ...RICH, address: sender }], []);
    assert.equal(told.length, 4);
    pool.onPending = undefined;
    pool.add(aTransaction({ nonce: 3n }), sender, RICH);
    assert.equal(told.length, 4);
  });

  it('tells nothing of a transaction that the full pool refuses', () => {
    const pool = aPool({ maxPendingTransactions: 1 });
    const told: L2Transaction[] = [];
    const good = aTransaction();
    pool.onPending = (sendered) => told.push(l2(sendered));
    pool.add(good, address(1), RICH);
    refused('POOL_FULL', () => pool.add(aTransaction({ maxPriorityFeePerGas: 1n }), address(2), RICH));
    assert.deepEqual(told, [good]);
  });

  it('calls back when something becomes executable, not otherwise', () => {
    const pool = aPool();
    let calls = 0;
    pool.onExecutable = () => calls++;
    pool.add(aTransaction({ nonce: 1n }), address(1), RICH);
    assert.equal(calls, 0);
    pool.add(aTransaction({ nonce: 0n }), address(1), RICH);
    assert.equal(calls, 1);
    assert.equal(pool.executableCount, 2);
  });
});

describe('mempool: sum of costs', () => {
  it('keeps later transactions waiting until the sender is funded again', () => {
    const pool = aPool();
    const bob = address(7);
    const price = { maxFeePerGas: 1_500n, maxPriorityFeePerGas: 1_500n, gasLimit: 100_000n };
    const second = aTransaction({ ...price, nonce: 1n, value: 100n });
    refused('POOL_INSUFFICIENT_FUNDS', () => pool.add(second, bob, { nonce: 0n, balance: 0n, hasCode: false }));
    const funds = cost(second);
    pool.applyBlock([{ address: bob, nonce: 0n, balance: funds, hasCode: false }], []);
    pool.add(second, bob, { nonce: 0n, balance: funds, hasCode: false });
    assert.deepEqual(pool.status().queued, 1);
    const first = aTransaction({ ...price, gasLimit: 21_000n, value: 50n });
    pool.add(first, bob, { nonce: 0n, balance: funds, hasCode: false });
    assert.deepEqual(drain(pool), [first]);
    const left = funds - 21_000n * 1_500n - 50n;
    pool.applyBlock([{ address: bob, nonce: 1n, balance: left, hasCode: false }], [first.hash]);
    assert.deepEqual(drain(pool), []);
    assert.equal(pool.pendingNonce(bob, 1n), 2n);
    let woken = false;
    pool.onExecutable = () => (woken = true);
    pool.applyBlock([{ address: bob, nonce: 1n, balance: funds, hasCode: false }], []);
    assert.ok(woken);
    assert.deepEqual(drain(pool), [second]);
    assert.equal(pool.counters.removed.mined, 1);
  });

  it('parks the tail when the balance falls', () => {
    const pool = aPool();
    const transactions = [0n, 1n, 2n].map((nonce) => aTransaction({ nonce }));
    for (const transaction of transactions) pool.add(transaction, address(1), RICH);
    pool.applyBlock([{ ...RICH, address: address(1), balance: 2n * 21_000_000n }], []);
    assert.deepEqual(drain(pool), transactions.slice(0, 2));
    assert.equal(pool.status().queued, 1);
  });
});

describe('mempool: blocks that are not accepted yet', () => {
  it('hides what was taken, still knows it, and protects it from replacement', () => {
    const pool = aPool();
    const [a0, a1] = [0n, 1n].map((nonce) => aTransaction({ nonce })) as [L2Transaction, L2Transaction];
    pool.add(a0, address(1), RICH);
    pool.add(a1, address(1), RICH);
    const best = pool.bestTransactions();
    assert.equal(best.next()?.transaction, a0);
    refused('POOL_NONCE_TOO_LOW', () =>
      pool.add(aTransaction({ maxFeePerGas: 9_000n, maxPriorityFeePerGas: 9_000n }), address(1), RICH),
    );
    pool.take([a0.hash]);
    best.end();
    assert.deepEqual(drain(pool), [a1]);
    assert.equal(pool.executableCount, 1);
    assert.equal(pool.get(a0.hash)?.transaction, a0);
    assert.equal(pool.pendingNonce(address(1), 0n), 2n);
    refused('POOL_NONCE_TOO_LOW', () =>
      pool.add(aTransaction({ maxFeePerGas: 9_000n, maxPriorityFeePerGas: 9_000n }), address(1), RICH),
    );
  });

  it('gives back blocks in the order they had, ties with others included', () => {
    const pool = aPool();
    const transactions = Array.from({ length: 6 }, () => aTransaction());
    transactions.forEach((transaction, i) => pool.add(transaction, address(i), RICH));
    const best = pool.bestTransactions();
    const taken = [best.next(), best.next(), best.next()] as SenderedTransaction[];
    pool.take(taken.map(({ transaction }) => transaction.hash));
    assert.deepEqual(drain(pool), transactions.slice(3));
    assert.deepEqual(pool.restore(taken), []);
    assert.deepEqual(drain(pool), transactions);
  });

  it('gives back a later block while an earlier one stays taken', () => {
    const pool = aPool();
    const transactions = [0n, 1n, 2n].map((nonce) => aTransaction({ nonce }));
    for (const transaction of transactions) pool.add(transaction, address(1), RICH);
    pool.take(transactions.map(({ hash }) => hash));
    assert.deepEqual(drain(pool), []);
    pool.restore(transactions.slice(1).map((transaction) => ({ transaction, sender: address(1) })));
    assert.deepEqual(drain(pool), transactions.slice(1));
  });

  it('brings back what an unaccepted block purged, at its old place', () => {
    const pool = aPool();
    const [a0, a1, b0] = [aTransaction(), aTransaction({ nonce: 1n }), aTransaction()] as const;
    pool.add(a0, address(1), RICH);
    pool.add(b0, address(2), RICH);
    pool.add(a1, address(1), RICH);
    const best = pool.bestTransactions();
    const rejected = best.next();
    assert.equal(rejected?.transaction, a0);
    best.skipSender(address(1));
    pool.purge(a0.hash, 'OutOfNativeResourcesDuringValidation');
    assert.deepEqual(drain(pool), [b0]);
    assert.deepEqual(pool.restore([rejected]), []);
    assert.deepEqual(drain(pool), [a0, b0, a1]);
    assert.deepEqual(pool.counters.purged, { OutOfNativeResourcesDuringValidation: 1 });
  });

  it('brings back the only transaction of a sender after a purge, unless it was replaced or mined', () => {
    const pool = aPool();
    const [a0, b0, c0] = [aTransaction(), aTransaction(), aTransaction()] as const;
    [a0, b0, c0].forEach((transaction, i) => pool.add(transaction, address(i), RICH));
    const entries = [a0, b0, c0].map((transaction) => pool.get(transaction.hash) as SenderedTransaction);
    for (const { transaction } of entries) pool.purge(transaction.hash, 'NonceTooLow');
    const b0Again = aTransaction();
    pool.add(b0Again, address(1), RICH);
    pool.applyBlock([{ ...RICH, address: address(2), nonce: 1n }], []);
    pool.restore(entries);
    assert.deepEqual(drain(pool), [a0, b0Again]);
    const stranger = { transaction: aTransaction(), sender: address(50) };
    assert.deepEqual(pool.restore([stranger]), [stranger]);
  });

  it('ends what is in a block that was accepted after all', () => {
    const pool = aPool();
    const transactions = [0n, 1n, 2n, 3n].map((nonce) => aTransaction({ nonce }));
    for (const transaction of transactions) pool.add(transaction, address(1), RICH);
    pool.take(transactions.slice(0, 3).map(({ hash }) => hash));
    pool.restore(transactions.slice(1, 3).map((transaction) => ({ transaction, sender: address(1) })));
    pool.applyBlock(
      [{ ...RICH, address: address(1), nonce: 2n }],
      transactions.slice(0, 2).map(({ hash }) => hash),
    );
    assert.deepEqual(drain(pool), transactions.slice(2));
    assert.deepEqual(pool.counters.removed, { mined: 2, outdated: 0, replaced: 0, purged: 0, dropped: 0 });
  });

  it('refuses to take nonces out of order', () => {
    const pool = aPool();
    const transactions = [0n, 1n].map((nonce) => aTransaction({ nonce }));
    for (const transaction of transactions) pool.add(transaction, address(1), RICH);
    assert.throws(() => pool.take([(transactions[1] as L2Transaction).hash]), {
      code: 'POOL_TAKE_OUT_OF_ORDER',
      kind: 'invariant',
    });
  });

  it('drops what another leader made impossible', () => {
    const pool = aPool();
    for (const nonce of [0n, 1n, 5n]) pool.add(aTransaction({ nonce }), address(1), RICH);
    pool.add(aTransaction(), address(2), RICH);
    pool.applyBlock(
      [
        { ...RICH, address: address(1), nonce: 1_000_000n },
        { ...RICH, address: address(2), hasCode: true },
      ],
      [],
    );
    assert.deepEqual(pool.status(), { pending: 0, queued: 0, pendingSizeBytes: 0, queuedSizeBytes: 0 });
    assert.equal(pool.executableCount, 0);
    assert.equal(pool.counters.removed.outdated, 4);
  });
});

describe('mempool: limits', () => {
  it('evicts the lowest tip, the later of equals, and refuses what is worse itself', () => {
    const pool = aPool({ maxPendingTransactions: 2 });
    const low = aTransaction({ maxPriorityFeePerGas: 1n });
    const middle = aTransaction({ maxPriorityFeePerGas: 2n });
    const high = aTransaction({ maxPriorityFeePerGas: 3n });
    pool.add(middle, address(1), RICH);
    pool.add(low, address(2), RICH);
    refused('POOL_FULL', () => pool.add(aTransaction({ maxPriorityFeePerGas: 1n }), address(3), RICH));
    pool.add(high, address(4), RICH);
    assert.deepEqual(drain(pool), [high, middle]);
    assert.equal(pool.get(low.hash), undefined);
  });

  it('evicts the last nonce of a sender, never from its middle', () => {
    const pool = aPool({ maxPendingTransactions: 3 });
    const a = [1n, 50n, 20n].map((maxPriorityFeePerGas, i) => aTransaction({ nonce: BigInt(i), maxPriorityFeePerGas }));
    for (const transaction of a) pool.add(transaction, address(1), RICH);
    const b0 = aTransaction({ maxPriorityFeePerGas: 30n });
    pool.add(b0, address(2), RICH);
    assert.deepEqual(drain(pool), [b0, ...a.slice(0, 2)]);
  });

  it('does not evict what a block holds', () => {
    const pool = aPool({ maxPendingTransactions: 1 });
    const first = aTransaction({ maxPriorityFeePerGas: 1n });
    pool.add(first, address(1), RICH);
    const best = pool.bestTransactions();
    best.next();
    refused('POOL_FULL', () => pool.add(aTransaction({ maxPriorityFeePerGas: 9n }), address(2), RICH));
    pool.take([first.hash]);
    best.end();
    refused('POOL_FULL', () => pool.add(aTransaction({ maxPriorityFeePerGas: 9n }), address(2), RICH));
    assert.equal(pool.get(first.hash)?.transaction, first);
  });

  it('limits the bytes of both parts', () => {
    const pool = aPool({ maxPendingSizeBytes: 2_000, maxQueuedSizeBytes: 2_000 });
    const size = (bytes: number): Partial<L2Transaction> => ({ raw: bigIntToBytes(BigInt(++salt), bytes) });
    pool.add(aTransaction({ ...size(1_400) }), address(1), RICH);
    refused('POOL_FULL', () => pool.add(aTransaction(size(110)), address(2), RICH));
    refused('POOL_FULL', () =>
      pool.add(aTransaction({ ...size(1_600), maxFeePerGas: 5_000n, maxPriorityFeePerGas: 500n }), address(1), RICH),
    );
    pool.add(aTransaction({ nonce: 9n, ...size(1_400) }), address(3), RICH);
    refused('POOL_FULL', () => pool.add(aTransaction({ nonce: 9n, ...size(110) }), address(4), RICH));
    assert.equal(pool.status().pendingSizeBytes, 1_900);
    assert.equal(pool.status().queuedSizeBytes, 1_900);
  });

  it('keeps a transaction whose replacement finds no room', () => {
    const pool = aPool({ maxQueuedTransactions: 1 });
    const waiting = aTransaction({ nonce: 5n, maxPriorityFeePerGas: 500n });
    pool.add(waiting, address(2), RICH);
    const fees = { maxFeePerGas: 1_000n, maxPriorityFeePerGas: 10n };
    // Enough for both as they are.
    const view = { ...RICH, balance: 2n * 21_000n * 1_000n };
    const own = [0n, 1n].map((nonce) => aTransaction({ nonce, ...fees }));
    for (const transaction of own) pool.add(transaction, address(1), view);
    const dearer = aTransaction({ nonce: 1n, maxFeePerGas: 1_100n, maxPriorityFeePerGas: 11n });
    refused('POOL_FULL', () => pool.add(dearer, address(1), view));
    assert.deepEqual(drain(pool), own);
    assert.equal(pool.get(waiting.hash)?.transaction, waiting);
    assert.equal(pool.counters.removed.replaced, 0);
  });

  it('lets a replacement grow as far as its own part has room, and shrink when there is none', () => {
    for (const nonce of [0n, 1n]) {
      const pool = aPool({ maxPendingSizeBytes: 2_000, maxQueuedSizeBytes: 2_000 });
      let fee = 1_000n;
      const replace = (bytes: number): void => {
        fee *= 2n;
        const raw = bigIntToBytes(BigInt(++salt), bytes);
        pool.add(aTransaction({ nonce, raw, maxFeePerGas: fee, maxPriorityFeePerGas: fee / 2n }), address(1), RICH);
      };
      // The other part is full, and none of its business.
      pool.add(aTransaction({ nonce: 1n - nonce, raw: bigIntToBytes(BigInt(++salt), 1_500) }), address(2), RICH);
      replace(1_000);
      replace(1_500);
      refused('POOL_FULL', () => replace(1_501));
      replace(110);
      const { pendingSizeBytes, queuedSizeBytes } = pool.status();
      assert.deepEqual([pendingSizeBytes, queuedSizeBytes], nonce === 0n ? [610, 2_000] : [2_000, 610]);
    }
  });

  it('holds 10000 queued transactions by default', () => {
    const pool = aPool();
    for (let i = 0; i < 10_000; i++) pool.add(aTransaction({ nonce: 1n }), address(i), RICH);
    refused('POOL_FULL', () => pool.add(aTransaction({ nonce: 1n }), address(20_000), RICH));
    pool.add(aTransaction({ nonce: 1n, maxPriorityFeePerGas: 11n }), address(20_001), RICH);
    assert.equal(pool.status().queued, 10_000);
    assert.equal(pool.counters.removed.dropped, 2);
  });

  it('holds 20,000,000 bytes of queued transactions by default', () => {
    const pool = aPool();
    // An entry counts 500 bytes more than its transaction.
    const queue = (sender: number, bytes: number): void => {
      pool.add(aTransaction({ nonce: 1n, raw: bigIntToBytes(BigInt(++salt), bytes) }), address(sender), RICH);
    };
    for (let i = 0; i < 19; i += 1) queue(i, 999_500);
    refused('POOL_FULL', () => queue(20, 999_501));
    queue(21, 999_500);
    assert.equal(pool.status().queuedSizeBytes, 20_000_000);
  });
});
