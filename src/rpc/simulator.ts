/**
 * Runs calls and estimates in the rpc worker, on the machine that executes blocks (spec: rpc 6, native 11): loads what a
 * run misses, gives the event loop its turn after every slice, and ends what takes too long.
 */
import type { Bytes } from '../common/bytes.ts';
import { EMPTY_BYTES, ZERO_32 } from '../common/bytes.ts';
import { EMPTY_ACCOUNT_RECORD } from '../protocol/accountRecord.ts';
import type { AccountRecord } from '../protocol/accountRecord.ts';
import { BLOCK_HASHES_LENGTH } from '../protocol/blockHeader.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';
import { BOOTLOADER_ADDRESS } from '../protocol/systemAddresses.ts';
import type { MissingKey } from '../vm/loadedState.ts';
import { ABSENT } from '../vm/loadedState.ts';
import { accessListGas } from '../vm/l2Transaction.ts';
import { Simulation } from '../vm/simulation.ts';
import type { Tracer } from '../vm/tracer.ts';
import type { BlockOverrides, SimulatedCall, SimulationResult, StateAtBlock } from './backend.ts';
import { CallState, PreimageCache } from './callState.ts';
import { blockNotFound } from './errors.ts';
import { Deadline, ExecutionSlots, SliceQueue } from './executionLimits.ts';
import type { RunOutcome } from './gasEstimate.ts';
import { estimateGas } from './gasEstimate.ts';
import { overriddenRules } from './precompileOverrides.ts';

export interface SimulatorOptions {
  readonly state: StateAtBlock;
  /** The context of the block itself; of block 0 the genesis context. */
  readonly blockContext: (blockNumber: number) => Promise<BlockContext | undefined>;
  /** Of one call or one whole estimate, waiting included. */
  readonly timeoutMs: number;
  /** Calls that run interleaved; more wait. */
  readonly maxConcurrent?: number;
  /** Calls that wait; more are refused. */
  readonly maxWaiting?: number;
  readonly preimages?: PreimageCache;
  readonly slices?: SliceQueue;
  /** Work units of one slice; by default 1-2 ms of simple opcodes. */
  readonly turnBudget?: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
  /** After each call that came to an end; `runs` counts executions of the transaction. */
  readonly onSimulated?: (facts: {
    readonly kind: SimulatedCall['kind'];
    readonly seconds: number;
    readonly runs: number;
  }) => void;
}

export interface Simulator {
  /** Errors: CALL_TIMEOUT, CALL_QUEUE_FULL; `block not found` when there is no context of the block; -32602 for a precompile that cannot move. */
  simulate(call: SimulatedCall): Promise<SimulationResult>;
  /** One run that a tracer sees, under the limits of whoever asks. */
  traced(call: SimulatedCall, tracer: (context: BlockContext) => Tracer, deadline: Deadline): Promise<TracedCall>;
}

export interface TracedCall {
  readonly result: SimulationResult;
  /** The state that the call saw. */
  readonly view: CallState;
}

const MAX_CONCURRENT = 16;
const MAX_WAITING = 1_000;

/** Hashes of real blocks stay at their numbers when the block's own number changes. */
function overriddenHashes(context: BlockContext, number: bigint, overrides: BlockOverrides): readonly Bytes[] {
  const { blockHashes } = overrides;
  if (number === context.blockNumber && blockHashes === undefined) return context.blockHashes;
  const shift = number - context.blockNumber;
  const ring = Array.from({ length: BLOCK_HASHES_LENGTH }, (_, index) => {
    const from = BigInt(index) + shift;
    return from < 0n || from >= BigInt(BLOCK_HASHES_LENGTH) ? ZERO_32 : (context.blockHashes[Number(from)] ?? ZERO_32);
  });
  for (const [of, hash] of blockHashes ?? []) {
    const age = number - of;
    if (age >= 1n && age <= BigInt(BLOCK_HASHES_LENGTH)) ring[BLOCK_HASHES_LENGTH - Number(age)] = hash;
  }
  return ring;
}

/** The context that a call with these overrides sees. */
export function overriddenContext(context: BlockContext, overrides: BlockOverrides): BlockContext {
  const blockNumber = overrides.number ?? context.blockNumber;
  return {
    ...context,
    blockNumber,
    blockHashes: overriddenHashes(context, blockNumber, overrides),
    timestamp: overrides.timestamp ?? context.timestamp,
    gasLimit: overrides.gasLimit ?? context.gasLimit,
    coinbase: overrides.feeRecipient ?? context.coinbase,
    eip1559BaseFee: overrides.baseFeePerGas ?? context.eip1559BaseFee,
  };
}

/** What every run of the call looks at; not at an access list that its gas does not pay for. */
function firstKeys(call: SimulatedCall, context: BlockContext): MissingKey[] {
  const addresses = [call.from, context.coinbase, BOOTLOADER_ADDRESS];
  if (call.to !== undefined) addresses.push(call.to);
  const keys: MissingKey[] = addresses.map((address) => ({ kind: 'account', address }));
  const listGas = accessListGas(call.accessList);
  if (listGas > context.gasLimit || (call.gas !== undefined && listGas > call.gas)) return keys;
  for (const { address, slots } of call.accessList) {
    keys.push({ kind: 'account', address });
    for (const slot of slots) keys.push({ kind: 'slot', address, slot });
  }
  return keys;
}

export function createSimulator(options: SimulatorOptions): Simulator {
  const { state, timeoutMs, now = () => performance.now() } = options;
  const cache = options.preimages ?? new PreimageCache();
  const slots = new ExecutionSlots(options.maxConcurrent ?? MAX_CONCURRENT, options.maxWaiting ?? MAX_WAITING);
  const slices = options.slices ?? new SliceQueue();

  async function drive(simulation: Simulation, view: CallState, deadline: Deadline): Promise<RunOutcome> {
    for (let step = simulation.start(); ; step = simulation.resume()) {
      switch (step.kind) {
        case 'missing':
          await view.load(step.keys);
          break;
        case 'paused':
          await slices.next();
          break;
        case 'rejected':
          return step;
        case 'done': {
          const { returnData, gasUsed, gasRefunded, failure } = step;
          if (failure === undefined) return { kind: 'success', returnData, gasUsed, gasRefunded };
          // Only a revert has something to say.
          return {
            kind: 'revert',
            returnData: failure === 'revert' ? returnData : EMPTY_BYTES,
            gasUsed,
            isOutOfGas: failure === 'outOfGas',
          };
        }
      }
      deadline.check();
    }
  }

  async function run(
    call: SimulatedCall,
    deadline: Deadline,
    createTracer?: (context: BlockContext) => Tracer,
  ): Promise<TracedCall & { readonly runs: number }> {
    const ownContext = await options.blockContext(call.blockNumber);
    if (ownContext === undefined) throw blockNotFound();
    const { blockOverrides, stateOverrides, blockNumber } = call;
    const evmRules = overriddenRules(stateOverrides);
    const context = overriddenContext(ownContext, blockOverrides);
    const view = new CallState({ state, blockNumber, overrides: stateOverrides, cache });
    await view.load(firstKeys(call, context));
    deadline.check();
    const tracer = createTracer?.(context);
    const sender = accountOf(view, call.from);
    const runWith = (gasLimit: bigint): Promise<RunOutcome> => {
      const { type, from, to, input, value, gasPrice, accessList } = call;
      const simulation = new Simulation({
        context,
        state: view,
        transaction: {
          type,
          from,
          to,
          input,
          value,
          gasLimit,
          gasPrice,
          nonce: call.nonce ?? sender.nonce,
          accessList,
        },
        ...(blockOverrides.prevRandao === undefined ? {} : { prevRandao: blockOverrides.prevRandao }),
        ...(evmRules === undefined ? {} : { evmRules }),
        ...(tracer === undefined ? {} : { tracer }),
        ...(options.turnBudget === undefined ? {} : { turnBudget: options.turnBudget }),
      });
      return drive(simulation, view, deadline);
    };
    if (call.kind === 'estimate') {
      const estimate = await estimateGas(call, {
        blockGasLimit: context.gasLimit,
        baseFee: context.eip1559BaseFee,
        balance: sender.balance,
        run: runWith,
      });
      return { ...estimate, view };
    }
    const gas = call.gas ?? context.gasLimit;
    return { result: callResult(await runWith(gas), gas), runs: 1, view };
  }

  return {
    async simulate(call) {
      const started = now();
      const { kind, blockNumber } = call;
      const deadline = new Deadline({ what: `a simulation (${kind}) on block ${blockNumber}`, timeoutMs, now });
      await slots.take();
      try {
        deadline.check();
        const { result, runs } = await run(call, deadline);
        options.onSimulated?.({ kind, seconds: (now() - started) / 1_000, runs });
        return result;
      } finally {
        slots.give();
      }
    },
    traced: (call, tracer, deadline) => run(call, deadline, tracer),
  };
}

function accountOf(view: CallState, address: Bytes): AccountRecord {
  const stored = view.account(address);
  return stored === undefined || stored === ABSENT ? EMPTY_ACCOUNT_RECORD : stored.record;
}

function callResult(outcome: RunOutcome, gas: bigint): SimulationResult {
  switch (outcome.kind) {
    case 'success':
      return { kind: 'success', returnData: outcome.returnData, gasUsed: outcome.gasUsed, gas };
    case 'revert':
      return { kind: 'revert', returnData: outcome.returnData, gasUsed: outcome.gasUsed };
    case 'rejected':
      return { kind: 'invalid', error: outcome.error, message: '' };
  }
}
