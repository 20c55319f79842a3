/**
 * Traces in the rpc worker (spec: rpc 12): a block is executed again from its record on the state before it, a call on its
 * own. Sliced like calls, limited in number, time and length of the answer. What is thrown is what clients see.
 */
import { equalBytes, toHex } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { assert, NodeError } from '../common/errors.ts';
import { Turns } from '../common/turns.ts';
import type { Log, TransactionOutput } from '../protocol/blockOutput.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';
import type { SenderedTransaction } from '../protocol/transaction.ts';
import { BlockExecution, keysToPrefetch } from '../vm/blockExecution.ts';
import { ABSENT } from '../vm/loadedState.ts';
import type { MissingKey } from '../vm/loadedState.ts';
import { runTransaction } from '../vm/runTransaction.ts';
import type { ExecutionDriver } from '../vm/runTransaction.ts';
import { createTracer } from '../vm/tracers/createTracer.ts';
import type { TracedTransaction, TransactionTracer } from '../vm/tracers/transactionTracer.ts';
import type { StateAtBlock, TraceRequest } from './backend.ts';
import { CallState } from './callState.ts';
import type { PreimageCache } from './callState.ts';
import { blockNotFound, invalidTransactionError, responseTooBig, RPC_CODE, RpcError } from './errors.ts';
import { Deadline, ExecutionSlots } from './executionLimits.ts';
import type { SliceQueue } from './executionLimits.ts';
import { revertReason } from './revertReason.ts';
import type { Simulator } from './simulator.ts';

/** An accepted block as it is stored. */
export interface TraceableBlock {
  /** Ring of hashes included. */
  readonly context: BlockContext;
  readonly transactions: readonly SenderedTransaction[];
  /** What executing them gave. */
  readonly outputs: readonly TransactionOutput[];
}

export type TraceOutcome = 'done' | 'busy' | 'timeout' | 'tooBig' | 'failed';

export interface TracesOptions {
  readonly state: StateAtBlock;
  readonly block: (blockNumber: number) => Promise<TraceableBlock | undefined>;
  readonly simulator: Pick<Simulator, 'traced'>;
  readonly slices: SliceQueue;
  readonly preimages: PreimageCache;
  /** Longest time of one request, waiting included; a request may ask for less. */
  readonly timeoutMs: number;
  /** Traces that run interleaved; four times as many wait. */
  readonly maxConcurrent: number;
  /** Longest answer. */
  readonly maxBytes: number;
  readonly turnBudget?: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
  readonly onRunning?: (count: number) => void;
  readonly onTraced?: (facts: {
    readonly tracer: string;
    readonly outcome: TraceOutcome;
    readonly seconds: number;
  }) => void;
}

export interface Traces {
  /** The JSON text of the result. Throws RpcError: busy, timeout, too big, not found; NodeError TRACE_MISMATCH. */
  trace(request: TraceRequest): Promise<string>;
}

const WAITING_PER_RUNNING = 4;

export function createTraces(options: TracesOptions): Traces {
  const { state, simulator, slices, preimages, maxConcurrent, maxBytes, now = () => performance.now() } = options;
  const maxWaiting = WAITING_PER_RUNNING * maxConcurrent;
  const slots = new ExecutionSlots(maxConcurrent, maxWaiting);
  let running = 0;

  /** The tracer's result; code that the run did not look at is read now. */
  async function written(
    tracer: TransactionTracer,
    view: CallState,
    deadline: Deadline,
    maxLength: number,
  ): Promise<string> {
    const missing = tracer.missingCode();
    if (missing.length > 0) await view.load(missing.map((hash): MissingKey => ({ kind: 'preimage', hash })));
    const turns = new Turns();
    const parts: string[] = [];
    let length = 0;
    for (const part of tracer.result((hash) => storedCode(view, hash))) {
      length += part.length;
      if (length > maxLength) throw responseTooBig(maxBytes);
      parts.push(part);
      const turn = turns.due();
      if (turn === undefined) continue;
      await turn;
      deadline.check();
    }
    return parts.join('');
  }

  async function tracedCall(request: TraceRequest & { kind: 'call' }, deadline: Deadline): Promise<string> {
    const { call } = request;
    let tracer: TransactionTracer | undefined;
    const { result, view } = await simulator.traced(
      call,
      ({ coinbase, gasLimit }) => {
        const transaction: TracedTransaction = { ...call, gasLimit: call.gas ?? gasLimit, coinbase };
        tracer = createTracer(request.tracer, { transaction, firstLogIndex: 0, maxBytes, revertReason });
        return tracer;
      },
      deadline,
    );
    if (result.kind === 'invalid') throw invalidTransactionError(result.error, result.message);
    assert(tracer !== undefined, 'a traced call ran without its tracer');
    return written(tracer, view, deadline, maxBytes);
  }

  /** The traces of one transaction, or of all of them, each with its hash. */
  async function tracedBlock(
    request: TraceRequest & { kind: 'block' | 'transaction' },
    deadline: Deadline,
  ): Promise<string> {
    const { blockNumber } = request;
    const block = await options.block(blockNumber);
    const wanted = request.kind === 'block' ? undefined : request.transactionIndex;
    const last = wanted ?? (block?.transactions.length ?? 0) - 1;
    if (block === undefined || last >= block.transactions.length) throw blockNotFound();
    const { context } = block;
    const transactions = block.transactions.slice(0, last + 1);
    const view = new CallState({ state, blockNumber: blockNumber - 1, overrides: [], cache: preimages });
    const execution = new BlockExecution({
      context,
      state: view,
      ...(options.turnBudget === undefined ? {} : { turnBudget: options.turnBudget }),
    });
    const driver: ExecutionDriver = {
      async load(keys) {
        await view.load(keys);
        deadline.check();
      },
      async turn() {
        await slices.next();
        deadline.check();
      },
      goesOn: () => true,
    };
    await driver.load(transactions.flatMap((transaction) => keysToPrefetch(transaction, context)));
    const turns = new Turns();
    const parts: string[] = [];
    let length = 2;
    let logs = 0;
    for (const [index, sendered] of transactions.entries()) {
      const turn = turns.due();
      if (turn !== undefined) await turn;
      deadline.check();
      const tracer =
        wanted === undefined || wanted === index
          ? createTracer(request.tracer, {
              transaction: tracedTransaction(sendered, context),
              firstLogIndex: logs,
              maxBytes: maxBytes - length,
              revertReason,
            })
          : undefined;
      execution.trace(tracer);
      const end = await runTransaction(execution, sendered, driver);
      const stored = block.outputs[index];
      if (end?.kind !== 'included' || stored === undefined || !isSameOutcome(end.output, stored))
        throw mismatch(blockNumber, sendered);
      logs += end.output.logs.length;
      if (tracer === undefined) continue;
      const text = await written(tracer, view, deadline, maxBytes - length);
      const part = wanted === undefined ? `{"txHash":"${toHex(sendered.transaction.hash)}","result":${text}}` : text;
      length += part.length + 1;
      parts.push(part);
    }
    return wanted === undefined ? `[${parts.join(',')}]` : parts.join('');
  }

  async function limited(request: TraceRequest, deadline: Deadline): Promise<string> {
    await slots.take();
    try {
      running += 1;
      options.onRunning?.(running);
      deadline.check();
      return await (request.kind === 'call' ? tracedCall(request, deadline) : tracedBlock(request, deadline));
    } finally {
      running -= 1;
      options.onRunning?.(running);
      slots.give();
    }
  }

  /** What the client is told. */
  function shown(error: unknown, timeoutMs: number): { error: unknown; outcome: TraceOutcome } {
    const cause = error instanceof NodeError ? error : undefined;
    switch (cause?.code) {
      case 'CALL_TIMEOUT': {
        const text = `execution timeout: the trace did not end within ${timeoutMs} ms, waiting included (its timeout, rpc_call_timeout)`;
        return { error: new RpcError(RPC_CODE.serverError, text, { cause }), outcome: 'timeout' };
      }
      case 'CALL_QUEUE_FULL': {
        const text = `Server is busy, try again later: ${maxConcurrent} traces run and ${maxWaiting} wait (rpc_max_trace_concurrency)`;
        return { error: new RpcError(RPC_CODE.busy, text, { cause }), outcome: 'busy' };
      }
      case 'TRACE_TOO_BIG':
        return { error: responseTooBig(maxBytes), outcome: 'tooBig' };
      default:
        return {
          error,
          outcome: error instanceof RpcError && error.rpcCode === RPC_CODE.responseTooBig ? 'tooBig' : 'failed',
        };
    }
  }

  return {
    async trace(request) {
      const started = now();
      const timeoutMs = Math.min(request.timeoutMs ?? options.timeoutMs, options.timeoutMs);
      const deadline = new Deadline({ what: 'a trace', timeoutMs, now });
      let outcome: TraceOutcome = 'done';
      try {
        return await limited(request, deadline);
      } catch (error) {
        const failure = shown(error, timeoutMs);
        outcome = failure.outcome;
        throw failure.error;
      } finally {
        options.onTraced?.({ tracer: request.tracer.name, outcome, seconds: (now() - started) / 1_000 });
      }
    },
  };
}

function tracedTransaction(
  { transaction, sender }: SenderedTransaction,
  { coinbase }: BlockContext,
): TracedTransaction {
  const { to, value, gasLimit, input } = transaction;
  return { from: sender, to, value, gasLimit, input, coinbase };
}

function storedCode(view: CallState, hash: Bytes): Bytes {
  const stored = view.preimage(hash);
  if (stored !== undefined && stored !== ABSENT) return stored;
  throw new NodeError('invariant', `no preimage is known for ${toHex(hash)}: rebuild the state from the log`, {
    code: 'TRACE_CODE_UNKNOWN',
    hash: toHex(hash),
  });
}

/** The state is damaged, or the rules have changed: a trace of something else would mislead. */
function mismatch(blockNumber: number, { transaction }: SenderedTransaction): NodeError {
  const hash = toHex(transaction.hash);
  return new NodeError(
    'invariant',
    `transaction ${hash} of block ${blockNumber}, executed again for a trace, gave something else than its receipt: run \`reprise replay ${blockNumber}\``,
    { code: 'TRACE_MISMATCH', blockNumber, transactionHash: hash },
  );
}

function isSameOutcome(a: TransactionOutput, b: TransactionOutput): boolean {
  return (
    a.success === b.success &&
    a.gasUsed === b.gasUsed &&
    a.nativeUsed === b.nativeUsed &&
    a.pubdataUsed === b.pubdataUsed &&
    equalBytes(a.contractAddress ?? new Uint8Array(0), b.contractAddress ?? new Uint8Array(0)) &&
    a.logs.length === b.logs.length &&
    a.logs.every((log, index) => isSameLog(log, b.logs[index])) &&
    a.l2ToL1Logs.length === b.l2ToL1Logs.length &&
    a.l2ToL1Logs.every(({ key, value }, index) => {
      const other = b.l2ToL1Logs[index];
      return other !== undefined && equalBytes(key, other.key) && equalBytes(value, other.value);
    })
  );
}

function isSameLog(a: Log, b: Log | undefined): boolean {
  return (
    b !== undefined &&
    equalBytes(a.address, b.address) &&
    equalBytes(a.data, b.data) &&
    a.topics.length === b.topics.length &&
    a.topics.every((topic, index) => equalBytes(topic, b.topics[index] ?? new Uint8Array(0)))
  );
}
