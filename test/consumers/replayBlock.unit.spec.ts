import assert from 'node:assert/strict';
import { NodeError } from '../../src/common/errors.ts';
import { ReplayErrorCode } from '../../src/consumers/errors.ts';
import { replayBlock, type ReplayInput, type ReplayState } from '../../src/consumers/replayBlock.ts';
import type { BlockOutput } from '../../src/protocol/blockOutput.ts';
import type { SenderedTransaction } from '../../src/protocol/transaction.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { aBlockContext, anAddress, aWord, ETHER, from, fromL1 } from '../support/factories.ts';
import { TestState } from '../support/testState.ts';
import { drive, included } from '../vm/harness.ts';

const SENDER = anAddress(0x5e4de4);
const context = aBlockContext({ blockNumber: 5n });

/** Forgets everything until it is loaded. */
function aColdState(): ReplayState {
  const state = new TestState({ missProbability: 1 }).put(SENDER, { balance: ETHER });
  return {
    account: (address) => state.account(address),
    slot: (address, words, at, value) => state.slot(address, words, at, value),
    preimage: (hash) => state.preimage(hash),
    missing: (keys) => keys,
    load(keys) {
      state.load(keys);
      return Promise.resolve();
    },
  };
}

const TRANSACTIONS: readonly SenderedTransaction[] = [
  fromL1({ nonce: 7n, value: 5n }),
  from(SENDER, { gasLimit: 21_000n, value: 1n }),
  fromL1({ nonce: 8n }),
];

function built(transactions: readonly SenderedTransaction[]): BlockOutput {
  const state = new TestState().put(SENDER, { balance: ETHER });
  const execution = new BlockExecution({ context, state });
  for (const transaction of transactions) included(drive(execution, state, transaction));
  return execution.finish();
}

function anInput(transactions = TRANSACTIONS, overrides: Partial<ReplayInput['record']> = {}): ReplayInput {
  const { blockHashes, ...recordContext } = context;
  return {
    record: {
      context: recordContext,
      startingL1PriorityId: 7n,
      transactions: transactions.map(({ transaction }) => transaction.raw),
      previousBlockTimestamp: 1_699_999_999n,
      nodeVersion: '0.1.0',
      blockOutputHash: built(TRANSACTIONS).blockOutputHash,
      ...overrides,
    },
    blockHashes,
    transactions,
    state: aColdState(),
    previousBlockTimestamp: 1_699_999_999n,
    nextL1PriorityId: 7n,
  };
}

async function refuses(input: ReplayInput, code: string): Promise<void> {
  await assert.rejects(
    replayBlock(input),
    (error) => error instanceof NodeError && error.kind === 'invariant' && error.code === code,
  );
}

describe('replayBlock (execution 1 and 2, Replay)', () => {
  it('comes to the output of the builder', async () => {
    assert.deepEqual(await replayBlock(anInput()), built(TRANSACTIONS));
  });

  it('runs execution versions 1 to 3 alike, and stops at another one', async () => {
    const { blockHashes: _ring, ...recordContext } = context;
    const inputOf = (executionVersion: number): ReplayInput =>
      anInput(TRANSACTIONS, { context: { ...recordContext, executionVersion } });
    for (const version of [1, 2, 3]) assert.deepEqual(await replayBlock(inputOf(version)), built(TRANSACTIONS));
    for (const version of [0, 4]) {
      await assert.rejects(
        replayBlock(inputOf(version)),
        (error) =>
          error instanceof NodeError &&
          error.kind === 'fatal' &&
          error.code === ReplayErrorCode.executionVersionUnknown &&
          error.message.includes(`execution version ${version}`),
      );
    }
  });

  it('another output hash is fatal', async () => {
    await refuses(anInput(TRANSACTIONS, { blockOutputHash: aWord(1) }), ReplayErrorCode.outputHashMismatch);
  });

  it('refuses a record without transactions', async () => {
    await refuses(anInput([]), ReplayErrorCode.emptyBlock);
  });

  it('refuses another timestamp of the parent', async () => {
    await refuses(anInput(TRANSACTIONS, { previousBlockTimestamp: 1n }), ReplayErrorCode.timestampMismatch);
  });

  it('refuses priority ids that do not go on by one from its own', async () => {
    await refuses(anInput(TRANSACTIONS, { startingL1PriorityId: 6n }), ReplayErrorCode.priorityIdGap);
    const gap = [fromL1({ nonce: 7n }), fromL1({ nonce: 9n })];
    await refuses(anInput(gap), ReplayErrorCode.priorityIdGap);
    await refuses({ ...anInput(), nextL1PriorityId: 8n }, ReplayErrorCode.priorityIdGap);
  });

  it('refuses a block with a transaction that is invalid or breaks a limit', async () => {
    const invalid = [...TRANSACTIONS.slice(0, 1), from(SENDER, { nonce: 3n })];
    await refuses(anInput(invalid), ReplayErrorCode.transactionRefused);
    const { blockHashes: _ring, ...recordContext } = { ...context, pubdataLimit: 200n };
    await refuses(anInput(TRANSACTIONS, { context: recordContext }), ReplayErrorCode.transactionRefused);
    const small = { ...recordContext, pubdataLimit: 110_000n, gasLimit: 1_010_000n };
    await refuses(anInput(TRANSACTIONS, { context: small }), ReplayErrorCode.transactionRefused);
  });
});
