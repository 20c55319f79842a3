import assert from 'node:assert/strict';
import { compareBytes, equalBytes, toHex, ZERO_32 } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { blake2s256, keccak256 } from '../../src/common/hash.ts';
import { headerHash } from '../../src/protocol/blockHeader.ts';
import { mayContain } from '../../src/protocol/bloom.ts';
import type { BlockOutput } from '../../src/protocol/blockOutput.ts';
import { blockOutputHash } from '../../src/protocol/blockOutputHash.ts';
import { decodePubdata } from '../../src/protocol/pubdata.ts';
import { compareStorageOrder, flatKey } from '../../src/protocol/stateKey.ts';
import type { SenderedTransaction } from '../../src/protocol/transaction.ts';
import { vmTransactionHash } from '../../src/protocol/transactionCodec.ts';
import { BlockExecution, keysToPrefetch } from '../../src/vm/blockExecution.ts';
import {
  aBlockContext,
  anAddress,
  anL2Transaction,
  aWord,
  code,
  concat,
  ETHER,
  from,
  fromL1,
  initCodeOf,
  push,
} from '../support/factories.ts';
import { seededRandom, TestState } from '../support/testState.ts';
import { aState, CONTRACT, drive, included, runOne, SENDER } from './harness.ts';
import type { End } from './harness.ts';

const TO = anAddress(0xb0b);
const OTHER = anAddress(0x07e4);

/** SSTORE(calldata word 0, calldata word 1) */
const WRITER = code(push(32), 0x35, push(0), 0x35, 0x55);

describe('BlockExecution', () => {
  describe('the block it makes', () => {
    const blockHashes = Array.from({ length: 256 }, (_, i) => aWord(i + 1));
    const context = aBlockContext({ blockNumber: 300n, blockHashes });

    function aBlock(): { block: BlockOutput; transactions: SenderedTransaction[] } {
      const state = aState(code(push(0xdead), push(0), push(0), 0xa1, push(3), push(9), 0x55)).put(OTHER, {
        balance: ETHER,
      });
      const execution = new BlockExecution({ context, state });
      const transactions = [
        fromL1({ to: CONTRACT, value: 5n }),
        from(SENDER, { to: CONTRACT, gasLimit: 200_000n }),
        from(OTHER, { to: null, input: initCodeOf(code(0x5b)), gasLimit: 200_000n }),
      ];
      for (const transaction of transactions) included(drive(execution, state, transaction));
      assert.equal(execution.includedCount, 3);
      const block = execution.finish();
      assert.equal(execution.gasUsed, block.header.gasUsed);
      return { block, transactions };
    }

    it('has a header with the fields of the specification', () => {
      const { block, transactions } = aBlock();
      const { header } = block;
      let root: Bytes = ZERO_32;
      for (const { transaction } of transactions) {
        root = keccak256(concat(root, vmTransactionHash(transaction, context.chainId)));
      }
      assert.deepEqual(
        { ...header, logsBloom: undefined },
        {
          parentHash: aWord(256),
          ommersHash: header.ommersHash,
          beneficiary: context.coinbase,
          stateRoot: ZERO_32,
          transactionsRoot: root,
          receiptsRoot: ZERO_32,
          logsBloom: undefined,
          difficulty: 0n,
          number: 300n,
          gasLimit: context.gasLimit,
          gasUsed: block.transactions.reduce((sum, transaction) => sum + transaction.gasUsed, 0n),
          timestamp: context.timestamp,
          extraData: new Uint8Array(0),
          mixHash: aWord(1),
          nonce: new Uint8Array(8),
          baseFeePerGas: 1_000n,
        },
      );
      assert.equal(toHex(header.ommersHash), '0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347');
      assert.ok(mayContain(header.logsBloom, CONTRACT));
      assert.ok(mayContain(header.logsBloom, aWord(0xdead)));
      assert.deepEqual(block.blockHash, headerHash(header));
      assert.deepEqual(block.blockOutputHash, blockOutputHash(block.blockHash, block.transactions, block.writes));
    });

    it('has ordered writes with their keys, and preimages for all of them', () => {
      const { block } = aBlock();
      const { writes, preimages } = block;
      for (let i = 1; i < writes.length; i += 1) assert.ok(compareStorageOrder(writes[i - 1]!, writes[i]!) < 0);
      for (let i = 1; i < preimages.length; i += 1)
        assert.ok(compareBytes(preimages[i - 1]!.hash, preimages[i]!.hash) < 0);
      for (const { hash, bytes } of preimages) assert.deepEqual(hash, blake2s256(bytes));
      for (const write of writes) {
        assert.deepEqual(write.flatKey, flatKey(write.address, write.slot));
        if (write.accountRecord === undefined) continue;
        assert.deepEqual(write.value, blake2s256(write.accountRecord));
        assert.ok(preimages.some((preimage) => equalBytes(preimage.hash, write.value)));
      }
      // Coinbase, sender, other, contract, its initiator, the new contract; the slot.
      assert.equal(writes.filter((write) => write.accountRecord !== undefined).length, 6);
      assert.equal(writes.length, 7);
      assert.equal(preimages.length, 7, 'six records and a code');
    });

    it('has pubdata with the same diffs, logs and messages', () => {
      const { block } = aBlock();
      const pubdata = decodePubdata(block.pubdata);
      assert.deepEqual(pubdata.blockHash, block.blockHash);
      assert.deepEqual(
        pubdata.diffs.map((diff) => toHex(diff.flatKey)),
        block.writes.map((write) => toHex(write.flatKey)),
      );
      assert.deepEqual(
        pubdata.l2ToL1Logs,
        block.transactions.flatMap((transaction) => transaction.l2ToL1Logs),
      );
      assert.equal(
        pubdata.diffs.filter((diff) => diff.kind === 'account' && diff.code?.kind === 'published').length,
        1,
      );
      assert.equal(
        block.computationalNativeUsed,
        block.transactions.reduce((sum, transaction) => sum + transaction.computationalNativeUsed, 0n),
      );
    });

    it('a slot that ends as it began is no write', () => {
      const state = aState(WRITER, { slots: [[aWord(1), aWord(5)]] });
      const execution = new BlockExecution({ context, state });
      const write = (value: number, nonce: bigint): SenderedTransaction =>
        from(SENDER, { to: CONTRACT, input: concat(aWord(1), aWord(value)), gasLimit: 100_000n, nonce });
      included(drive(execution, state, write(6, 0n)));
      included(drive(execution, state, write(5, 1n)));
      assert.equal(
        execution.finish().writes.some((entry) => entry.accountRecord === undefined),
        false,
      );
    });
  });

  describe('seal reasons', () => {
    it('GasLimit: the limit of the next transaction does not fit, it is not tried', () => {
      const state = aState();
      const execution = new BlockExecution({ context: aBlockContext({ gasLimit: 60_000n }), state });
      included(drive(execution, state, from(SENDER, { to: TO, gasLimit: 21_000n })));
      assert.deepEqual(drive(execution, state, from(SENDER, { to: TO, nonce: 1n, gasLimit: 39_001n })), {
        kind: 'full',
        reason: 'GasLimit',
      });
      included(drive(execution, state, from(SENDER, { to: TO, nonce: 1n, gasLimit: 39_000n })));
    });

    it('Pubdata: strictly more than the limit', () => {
      const one = runOne(aState(), { to: TO, value: 1n, gasLimit: 21_000n }).output.pubdataUsed;
      for (const [pubdataLimit, kind] of [
        [one, 'included'],
        [one - 1n, 'full'],
      ] as const) {
        const state = aState();
        const execution = new BlockExecution({ context: aBlockContext({ pubdataLimit }), state });
        const result = drive(execution, state, from(SENDER, { to: TO, value: 1n, gasLimit: 21_000n }));
        assert.equal(result.kind, kind);
        if (result.kind === 'full') assert.equal(result.reason, 'Pubdata');
      }
    });

    it('NativeCycles: the sum over the block exceeds 2^35', () => {
      const hog = code(push(120_000), 0x5b, push(1), push(0), 0x55, push(1), 0x90, 0x03, 0x80, push(4), 0x57);
      const state = aState(hog);
      const execution = new BlockExecution({ context: aBlockContext(), state });
      let native = 0n;
      let nonce = 0n;
      for (;;) {
        const result = drive(execution, state, from(SENDER, { to: CONTRACT, gasLimit: 20_000_000n, nonce }));
        if (result.kind === 'full') {
          assert.equal(result.reason, 'NativeCycles');
          break;
        }
        const output = included(result);
        assert.equal(output.success, true);
        native += output.computationalNativeUsed;
        nonce += 1n;
      }
      assert.ok(native <= BigInt(2 ** 35) && native > BigInt(2 ** 34));
      // A small one still fits.
      assert.equal(drive(execution, state, from(SENDER, { to: TO, gasLimit: 21_000n, nonce })).kind, 'included');
    });

    it('L2ToL1Logs: more than 16,384', () => {
      // Sends one empty message per loop.
      const words = code(push(0x62f84b24), push(224), 0x1b, push(0), 0x52, push(32), push(4), 0x52);
      const callOut = code(push(0), push(0), push(68), push(0), push(0), push(0x8008), 0x5a, 0xf1, 0x50);
      const head = concat(words, push(4_096), code(0x5b));
      const start = head.length - 1;
      const sender = concat(head, callOut, code(push(1), 0x90, 0x03, 0x80, push(start), 0x57));
      const state = aState(sender);
      const context = aBlockContext({ gasLimit: 1_000_000_000n, pubdataLimit: 1n << 40n });
      const execution = new BlockExecution({ context, state });
      for (let nonce = 0n; nonce < 4n; nonce += 1n) {
        assert.equal(
          included(drive(execution, state, from(SENDER, { to: CONTRACT, gasLimit: 30_000_000n, nonce }))).l2ToL1Logs
            .length,
          4_096,
        );
      }
      assert.deepEqual(drive(execution, state, fromL1()), { kind: 'full', reason: 'L2ToL1Logs' });
    });

    it('Other: an L1 transaction that cannot pay for the diffs of earlier ones, but can as the first of a block', () => {
      const poor = { gasLimit: 110_000n, value: 0n, gasPerPubdataByteLimit: 1_000n };
      const state = aState();
      const execution = new BlockExecution({ context: aBlockContext(), state });
      included(drive(execution, state, fromL1()));
      assert.deepEqual(drive(execution, state, fromL1(poor)), { kind: 'full', reason: 'Other' });
      const fresh = new BlockExecution({ context: aBlockContext(), state });
      included(drive(fresh, state, fromL1(poor)));
    });
  });

  describe('a transaction that is taken back leaves nothing', () => {
    const touching = concat(
      push(7),
      code(0x54, 0x50),
      push(anAddress(0x7777)),
      code(0x31, 0x50),
      push(1),
      push(8),
      code(0x55),
    );

    /** A block of the two transactions around `disturb`, and of the same two alone. */
    function bothWays(disturb: (execution: BlockExecution, state: TestState) => void, context = aBlockContext()): void {
      const outputs = [true, false].map((isDisturbed) => {
        const state = aState(touching).put(OTHER, { balance: ETHER });
        const execution = new BlockExecution({ context, state });
        included(drive(execution, state, from(OTHER, { to: TO, value: 1n, gasLimit: 200_000n })));
        if (isDisturbed) disturb(execution, state);
        const output = included(drive(execution, state, from(SENDER, { to: CONTRACT, gasLimit: 200_000n })));
        return { output, block: execution.finish() };
      });
      assert.deepEqual(outputs[0]?.output, outputs[1]?.output);
      assert.deepEqual(outputs[0]?.block, outputs[1]?.block);
    }

    it('rejected in validation', () => {
      bothWays((execution, state) => {
        const accessList = [
          { address: CONTRACT, slots: [aWord(7), aWord(8)] },
          { address: anAddress(0x7777), slots: [] },
        ];
        const late = from(SENDER, { to: CONTRACT, gasLimit: 100_000n, nonce: 3n, accessList });
        assert.deepEqual(drive(execution, state, late), { kind: 'rejected', error: 'NonceTooHigh', reaction: 'skip' });
        assert.equal(drive(execution, state, from(SENDER, { to: CONTRACT, gasLimit: 29n })).kind, 'rejected');
      });
    });

    it('rejected for native after nonce and prepayment', () => {
      // 1,000 native per gas: 21,000 gas do not pay for the diffs of sender and 0x8001, 200,000 do.
      bothWays(
        (execution, state) => {
          assert.deepEqual(drive(execution, state, from(SENDER, { to: CONTRACT, gasLimit: 21_000n })), {
            kind: 'rejected',
            error: 'OutOfNativeResourcesDuringValidation',
            reaction: 'purge',
          });
        },
        aBlockContext({ pubdataPrice: 400_000n }),
      );
    });

    it('too large for the block', () => {
      // 30 contracts of 24 kB each would break the pubdata limit.
      const big = initCodeOf(new Uint8Array(24_000).fill(0x5b));
      bothWays(
        (execution, state) => {
          const create = from(SENDER, { to: null, input: big, gasLimit: 10_000_000n });
          assert.deepEqual(drive(execution, state, create), { kind: 'full', reason: 'Pubdata' });
          const touch = from(SENDER, { to: CONTRACT, gasLimit: 200_000n, input: new Uint8Array(10) });
          const limited = new BlockExecution({ context: aBlockContext({ pubdataLimit: 10n }), state });
          assert.equal(drive(limited, state, touch).kind, 'full');
        },
        aBlockContext({ pubdataLimit: 20_000n }),
      );
    });
  });

  it('abandon() in the middle of a transaction restores everything', () => {
    const program = concat(
      push(1),
      push(8),
      code(0x55),
      push(anAddress(0x7777)),
      code(0x31, 0x50),
      push(7),
      code(0x54),
    );
    const state = aState(program);
    const forgetting = state.copy({ missProbability: 1, seed: 3 });
    const execution = new BlockExecution({ context: aBlockContext(), state: forgetting });
    const transaction = from(SENDER, { to: CONTRACT, gasLimit: 200_000n });
    let step = execution.start(transaction);
    let steps = 0;
    // Up to the last key, the slot 7: everything before it has happened.
    while (step.kind === 'missing' && !step.keys.some((key) => key.kind === 'slot' && key.slot[31] === 7)) {
      forgetting.load(step.keys);
      step = execution.resume();
      steps += 1;
    }
    assert.equal(step.kind, 'missing');
    assert.ok(steps > 3);
    execution.abandon();
    execution.abandon();
    const again = included(drive(execution, forgetting, transaction));
    const plain = runOne(state, { gasLimit: 200_000n });
    assert.deepEqual(again, plain.output);
    assert.deepEqual(execution.finish(), plain.block);
  });

  it('puts many logs into the bloom over several turns, and takes those of an abandoned transaction back', () => {
    // A LOG1 for each byte of input, with its number as topic.
    const loop = code(0x36, 0x5b, 0x80, 0x5f, 0x5f, 0xa1, push(1), 0x90, 0x03, 0x80, push(1), 0x57);
    const state = aState(loop);
    const few = from(SENDER, { to: CONTRACT, gasLimit: 100_000n, input: new Uint8Array(3) });
    const many = from(SENDER, { to: CONTRACT, gasLimit: 10_000_000n, input: new Uint8Array(5_000) });
    const started = (turnBudget = 20_000): BlockExecution =>
      new BlockExecution({ context: aBlockContext(), state, turnBudget });
    const whole = started(Number.MAX_SAFE_INTEGER);
    const output = included(drive(whole, state, many));
    const sliced = started();
    let step = sliced.start(many);
    let turns = 1;
    for (; step.kind === 'paused'; turns += 1) step = sliced.resume();
    assert.deepEqual(included(step as End), output); // nothing is missing
    assert.equal(output.logs.length, 5_000);
    const { header } = whole.finish();
    assert.deepEqual(sliced.finish().header, header);
    for (const value of [CONTRACT, aWord(1), aWord(2_500), aWord(5_000)])
      assert.ok(mayContain(header.logsBloom, value));
    assert.ok(turns > (5_000 * 2 * 30) / 20_000, `${turns} turns`);

    const abandoned = started();
    assert.equal(abandoned.start(many).kind, 'paused');
    for (let turn = 2; turn < turns; turn += 1) assert.equal(abandoned.resume().kind, 'paused');
    abandoned.abandon();
    const other = started();
    assert.deepEqual(drive(abandoned, state, few), drive(other, state, few));
    assert.deepEqual(abandoned.finish(), other.finish());
  });

  it('refuses to be used out of order', () => {
    const state = aState().copy({ missProbability: 1 });
    const execution = new BlockExecution({ context: aBlockContext(), state });
    const isAssertion = (error: unknown): boolean => error instanceof NodeError && error.code === 'ASSERTION';
    assert.throws(() => execution.resume(), isAssertion);
    assert.equal(execution.start(from(SENDER)).kind, 'missing');
    assert.throws(() => execution.start(from(SENDER)), isAssertion);
    assert.throws(() => execution.finish(), isAssertion);
    execution.abandon();
    execution.finish();
    assert.throws(() => execution.start(from(SENDER)), isAssertion);
  });

  it('keysToPrefetch names what every run looks at', () => {
    const accessList = [{ address: anAddress(1_000), slots: [aWord(4)] }];
    const kinds = keysToPrefetch(
      { transaction: anL2Transaction({ accessList, to: TO }), sender: SENDER },
      aBlockContext(),
    ).map((key) =>
      key.kind === 'slot' ? `slot ${toHex(key.slot)}` : key.kind === 'account' ? toHex(key.address) : 'preimage',
    );
    assert.deepEqual(kinds, [
      toHex(SENDER),
      toHex(aBlockContext().coinbase),
      toHex(anAddress(0x8001)),
      toHex(TO),
      toHex(anAddress(1_000)),
      `slot ${toHex(aWord(4))}`,
    ]);
    assert.equal(keysToPrefetch(fromL1(), aBlockContext()).length, 5);
  });

  it('builder and replayer agree on random blocks, with keys missing at random and short turns', () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const random = seededRandom(seed);
      const pick = (n: number): number => Math.floor(random() * n);
      const state = aState(WRITER);
      const users = Array.from({ length: 6 }, (_, i) => anAddress(0x1000 + i));
      for (const user of users) state.put(user, { balance: ETHER });
      const replayed = state.copy({ missProbability: 0.4, seed });
      const builderState = state.copy({ missProbability: 0.3, seed: seed + 100 });
      for (let number = 1n; number <= 3n; number += 1n) {
        const context = aBlockContext({ blockNumber: number, pubdataLimit: 3_000n });
        const builder = new BlockExecution({ context, state: builderState, turnBudget: 50 });
        const transactions: SenderedTransaction[] = [];
        const nonces = new Map<Bytes, bigint>(users.map((user) => [user, builderState.record(user).nonce]));
        for (let i = 0; i < 40; i += 1) {
          const user = users[pick(users.length)]!;
          const nonce = nonces.get(user)! + (pick(6) === 0 ? 1n : 0n);
          const candidates: readonly SenderedTransaction[] = [
            from(user, { nonce, to: users[pick(users.length)]!, value: BigInt(pick(1_000)), gasLimit: 25_000n }),
            from(user, {
              nonce,
              to: CONTRACT,
              input: concat(aWord(pick(4)), aWord(pick(3))),
              gasLimit: pick(2) === 0 ? 100_000n : 40_000n,
            }),
            from(user, { nonce, to: null, input: initCodeOf(code(0x5b, pick(256))), gasLimit: 120_000n }),
            from(user, { nonce, to: anAddress(5_000 + pick(3)), value: 2n * ETHER }),
            fromL1({
              initiator: user,
              refundRecipient: user,
              value: BigInt(pick(5)),
              to: pick(2) === 0 ? CONTRACT : user,
              gasLimit: 300_000n,
            }),
            from(user, {
              nonce,
              to: anAddress(0x8008),
              input: concat(Uint8Array.of(0x62, 0xf8, 0x4b, 0x24), aWord(32), aWord(0)),
              gasLimit: 60_000n,
            }),
          ];
          const transaction = candidates[pick(candidates.length)]!;
          const result = drive(builder, builderState, transaction);
          if (result.kind !== 'included') continue;
          transactions.push(transaction);
          if (transaction.transaction.type < 0x7e) nonces.set(user, nonces.get(user)! + 1n);
        }
        const built = builder.finish();
        const replayer = new BlockExecution({ context, state: replayed });
        for (const transaction of transactions) included(drive(replayer, replayed, transaction));
        assert.deepEqual(replayer.finish(), built, `seed ${seed}, block ${number}`);
        assert.ok(transactions.length > 3);
        builderState.apply(built);
        replayed.apply(built);
      }
      assert.ok(replayed.misses > 10);
    }
  });
});
