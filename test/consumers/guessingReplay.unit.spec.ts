import assert from 'node:assert/strict';
import { bytesKey, concatBytes } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { ReplayErrorCode } from '../../src/consumers/errors.ts';
import { GuessingReplay } from '../../src/consumers/guessingReplay.ts';
import type { ReplayInput, ReplayState } from '../../src/consumers/replayBlock.ts';
import type { BlockOutput } from '../../src/protocol/blockOutput.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import type { MissingKey } from '../../src/vm/loadedState.ts';
import { aBlockContext, anAddress, aWord, ETHER, from } from '../support/factories.ts';
import { TestState } from '../support/testState.ts';
import type { SenderedTransaction } from '../../src/protocol/transaction.ts';
import { wordToBytes } from '../../src/vm/words.ts';
import { drive, included } from '../vm/harness.ts';

const SENDER = anAddress(0x5e4de4);
const COUNTER = anAddress(0xc0de);
const SLOTS = 4;
/** Adds one to each of its first slots. */
const COUNTER_CODE = concatBytes(
  ...Array.from({ length: SLOTS }, (_, slot) => Uint8Array.of(0x60, slot, 0x54, 0x60, 0x01, 0x01, 0x60, slot, 0x55)),
);
/** So few that a guess saves more than a second run costs, and so many that it does not. */
const FEW = 1;
const MANY = 10;
const transactionsOf = (count: number): SenderedTransaction[] =>
  Array.from({ length: count }, (_, nonce) =>
    from(SENDER, { nonce: BigInt(nonce), to: COUNTER, gasLimit: 1_000_000n }),
  );
const context = aBlockContext({ blockNumber: 5n });

/** `written` slots of the counter hold something. */
function aState(written: number): TestState {
  const slots = Array.from({ length: written }, (_, slot) => [aWord(slot), aWord(7)] as const);
  return new TestState().put(SENDER, { balance: ETHER }).put(COUNTER, { nonce: 1n, code: COUNTER_CODE, slots });
}

/** Has nothing in memory until it is loaded; `reads` are the slots of each load. */
class ColdState implements ReplayState {
  readonly reads: number[] = [];
  readonly #state: TestState;
  readonly #loaded = new Set<string>();

  constructor(state: TestState) {
    this.#state = state;
  }

  account: ReplayState['account'] = (address) =>
    this.#has({ kind: 'account', address }) ? this.#state.account(address) : undefined;
  slot: ReplayState['slot'] = (address, words, at, value) =>
    this.#has({ kind: 'slot', address, slot: wordToBytes(words, at) })
      ? this.#state.slot(address, words, at, value)
      : undefined;
  preimage: ReplayState['preimage'] = (hash) => this.#state.preimage(hash);
  missing = (keys: readonly MissingKey[]): readonly MissingKey[] => keys.filter((key) => !this.#has(key));

  async load(keys: readonly MissingKey[]): Promise<void> {
    for (const key of keys) this.#loaded.add(keyText(key));
    const slots = keys.filter(({ kind }) => kind === 'slot').length;
    if (slots > 0) this.reads.push(slots);
    await Promise.resolve();
  }

  #has(key: MissingKey): boolean {
    return this.#loaded.has(keyText(key));
  }
}

function keyText(key: MissingKey): string {
  if (key.kind === 'preimage') return bytesKey(key.hash);
  return bytesKey(key.address) + (key.kind === 'slot' ? bytesKey(key.slot) : '');
}

function built(state: TestState, transactions: readonly SenderedTransaction[]): BlockOutput {
  const execution = new BlockExecution({ context, state });
  for (const transaction of transactions) included(drive(execution, state, transaction));
  return execution.finish();
}

function anInput(state: ReplayState, blockOutputHash: Uint8Array, count = FEW): ReplayInput {
  const transactions = transactionsOf(count);
  const { blockHashes, ...recordContext } = context;
  return {
    record: {
      context: recordContext,
      startingL1PriorityId: 7n,
      transactions: transactions.map(({ transaction }) => transaction.raw),
      previousBlockTimestamp: 1_699_999_999n,
      nodeVersion: '0.1.0',
      blockOutputHash,
    },
    blockHashes,
    transactions,
    state,
    previousBlockTimestamp: 1_699_999_999n,
    nextL1PriorityId: 7n,
  };
}

/** Sizes of the reads of slots it took. */
async function readsOf(replay: GuessingReplay, written: number, count = FEW): Promise<number[]> {
  const [state, expected] = [new ColdState(aState(written)), built(aState(written), transactionsOf(count))];
  assert.deepEqual(await replay.replay(anInput(state, expected.blockOutputHash, count)), expected);
  return state.reads;
}

const ONE_BY_ONE = Array.from({ length: SLOTS }, () => 1);

describe('replay with guesses', () => {
  it('looks slots that were never written up together, once', async () => {
    const replay = new GuessingReplay();
    assert.deepEqual(await readsOf(replay, 0), [SLOTS]);
    assert.deepEqual(await readsOf(replay, 0), [SLOTS]);
  });

  it('comes to the same output when a guess was wrong', async () => {
    for (let written = 1; written <= SLOTS; written++)
      assert.deepEqual(await readsOf(new GuessingReplay(), written), [SLOTS], `${written} slots written`);
  });

  it('goes on guessing while a second run costs less than the reads it saves', async () => {
    const replay = new GuessingReplay();
    for (let block = 0; block < 5; block++) assert.deepEqual(await readsOf(replay, 1), [SLOTS]);
  });

  it('guesses less and less often while a wrong guess costs more than it saves', async () => {
    const replay = new GuessingReplay();
    const guessed: number[] = [];
    for (let block = 0; block < 140; block++)
      if ((await readsOf(replay, 1, MANY)).length === 1) guessed.push(block);
      else assert.ok(block > 0);
    assert.deepEqual(guessed, [0, 2, 6, 14, 30, 62, 126]);
  });

  it('guesses in every block again after it was right', async () => {
    const replay = new GuessingReplay();
    assert.deepEqual(await readsOf(replay, 1, MANY), [SLOTS]);
    assert.deepEqual(await readsOf(replay, 1, MANY), ONE_BY_ONE);
    assert.deepEqual(await readsOf(replay, 0), [SLOTS]);
    assert.deepEqual(await readsOf(replay, 0), [SLOTS]);
  });

  it('tells of a block that does not come to what its record promises, guesses right or wrong', async () => {
    for (const written of [0, 1])
      await assert.rejects(
        new GuessingReplay().replay(anInput(new ColdState(aState(written)), aWord(1))),
        (error) => error instanceof NodeError && error.code === ReplayErrorCode.outputHashMismatch,
      );
  });

  it('lets a failed read end it', async () => {
    const state = new ColdState(aState(0));
    const load = state.load.bind(state);
    const failure = new NodeError('retryable', 'no disk', { code: 'STORE_IO' });
    state.load = (keys) => (keys.some(({ kind }) => kind === 'slot') ? Promise.reject(failure) : load(keys));
    await assert.rejects(new GuessingReplay().replay(anInput(state, aWord(1))), failure);
  });
});
