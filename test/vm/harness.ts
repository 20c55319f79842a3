/** Runs transactions and code through BlockExecution on a TestState. */
import assert from 'node:assert/strict';
import type { Bytes } from '../../src/common/bytes.ts';
import type { BlockOutput, TransactionOutput } from '../../src/protocol/blockOutput.ts';
import type { BlockContext } from '../../src/protocol/replayRecord.ts';
import type { SenderedTransaction } from '../../src/protocol/transaction.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import type { Step } from '../../src/vm/blockExecution.ts';
import { aBlockContext, anAddress, ETHER, from } from '../support/factories.ts';
import type { L2Options } from '../support/factories.ts';
import { TestState } from '../support/testState.ts';
import type { AccountOptions } from '../support/testState.ts';

export type End = Exclude<Step, { kind: 'missing' } | { kind: 'paused' }>;

/** One transaction to its end, loading what is missing. */
export function drive(execution: BlockExecution, state: TestState, transaction: SenderedTransaction): End {
  let step = execution.start(transaction);
  while (step.kind === 'missing' || step.kind === 'paused') {
    if (step.kind === 'missing') {
      assert.ok(step.keys.length > 0, 'a step that misses something names it');
      state.load(step.keys);
    }
    step = execution.resume();
  }
  return step;
}

export function included(end: End): TransactionOutput {
  if (end.kind === 'included') return end.output;
  return assert.fail(end.kind === 'rejected' ? `rejected: ${end.error}` : `full: ${end.reason}`);
}

export const SENDER = anAddress(0x5e4de4);
export const CONTRACT = anAddress(0xc0de);

/** A state with a rich sender and, if given, a contract at CONTRACT. */
export function aState(code?: Bytes, options: AccountOptions = {}): TestState {
  const state = new TestState().put(SENDER, { balance: 1_000_000n * ETHER });
  if (code !== undefined) state.put(CONTRACT, { nonce: 1n, ...options, code });
  return state;
}

/** One block of one transaction from SENDER, by default a call of CONTRACT with 10 million gas. */
export function runOne(
  state: TestState,
  options: L2Options & { context?: Partial<BlockContext> } = {},
): { output: TransactionOutput; block: BlockOutput } {
  const execution = new BlockExecution({ context: aBlockContext(options.context), state });
  const output = included(
    drive(
      execution,
      state,
      from(SENDER, { gasLimit: 10_000_000n, to: CONTRACT, nonce: state.record(SENDER).nonce, ...options }),
    ),
  );
  return { output, block: execution.finish() };
}
