/** One transaction with a tracer, as the rpc worker runs it. */
import { bytesKey } from '../../../src/common/bytes.ts';
import type { TransactionOutput } from '../../../src/protocol/blockOutput.ts';
import type { BlockContext } from '../../../src/protocol/replayRecord.ts';
import type { SenderedTransaction } from '../../../src/protocol/transaction.ts';
import { BlockExecution } from '../../../src/vm/blockExecution.ts';
import { createTracer } from '../../../src/vm/tracers/createTracer.ts';
import type { TracerOptions, TracerSpec } from '../../../src/vm/tracers/createTracer.ts';
import { revertReason } from '../../../src/rpc/revertReason.ts';
import { aBlockContext } from '../../support/factories.ts';
import type { TestState } from '../../support/testState.ts';
import { drive, included } from '../harness.ts';

export interface Traced {
  readonly output: TransactionOutput;
  readonly text: string;
  readonly result: unknown;
}

/** `earlier` transactions of the same block run untraced. */
export function traceOne(
  spec: TracerSpec,
  state: TestState,
  sendered: SenderedTransaction,
  more: Partial<Pick<TracerOptions, 'firstLogIndex' | 'maxBytes'>> & {
    readonly earlier?: readonly SenderedTransaction[];
    readonly turnBudget?: number;
    readonly context?: Partial<BlockContext>;
  } = {},
): Traced {
  const { earlier = [], turnBudget = 60_000, firstLogIndex = 0, maxBytes = 1_000_000 } = more;
  const context = aBlockContext(more.context);
  const execution = new BlockExecution({ context, state, turnBudget });
  for (const transaction of earlier) included(drive(execution, state, transaction));
  const { to, value, gasLimit, input } = sendered.transaction;
  const transaction = { from: sendered.sender, to, value, gasLimit, input, coinbase: context.coinbase };
  const tracer = createTracer(spec, { transaction, firstLogIndex, maxBytes, revertReason });
  execution.trace(tracer);
  const output = included(drive(execution, state, sendered));
  const storedCode = (hash: Uint8Array): Uint8Array => {
    const stored = state.preimages.get(bytesKey(hash));
    if (stored === undefined) throw new Error('the test state has no such code');
    return stored;
  };
  const text = [...tracer.result(storedCode)].join('');
  return { output, text, result: JSON.parse(text) };
}
