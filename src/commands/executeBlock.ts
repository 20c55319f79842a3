/** Runs the block of an ExecuteInput as a builder does: what is refused is passed over, a full block ends (spec: execution 2). */
import type { Bytes } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { recoverSender, SignatureError } from '../producers/senderRecovery.ts';
import type { BlockOutput, TransactionOutput } from '../protocol/blockOutput.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { isL1Transaction, L1_PRIORITY_TYPE, type SenderedTransaction, UPGRADE_TYPE } from '../protocol/transaction.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import { BlockExecution, type InvalidTransaction, type Reaction, type SealReason } from '../vm/blockExecution.ts';
import { type ExecutionDriver, runTransaction } from '../vm/runTransaction.ts';
import type { ExecuteInput } from './executeInput.ts';

/** What became of one transaction of the list; `sendered` is undefined when its bytes could not be read. */
export type Attempt = { readonly sendered: SenderedTransaction | undefined } & (
  | { readonly status: 'included'; readonly output: TransactionOutput }
  | {
      readonly status: 'rejected';
      /** The last two are those of a proving run: a node refuses such signatures before the VM (spec: execution 5.7). */
      readonly error: InvalidTransaction | 'MalleableSignature' | 'IncorrectFrom';
      readonly reaction: Reaction;
      readonly reason: string | undefined;
    }
  /** Does not fit the block: ends it, or is passed over when the block is still empty. */
  | { readonly status: 'full'; readonly sealReason: SealReason }
  /** Stops a node. */
  | { readonly status: 'fatal'; readonly code: string; readonly reason: string }
  /** Behind the end of the block. */
  | { readonly status: 'notTried' }
);

export interface ExecutedBlock {
  readonly attempts: readonly Attempt[];
  /** `Replay`: the list came to its end. */
  readonly sealReason: SealReason;
  /** undefined: nothing was included, or a transaction was fatal. */
  readonly output: BlockOutput | undefined;
}

function fatal(
  sendered: SenderedTransaction | undefined,
  { code, message }: { code: string; message: string },
): Attempt {
  return { sendered, status: 'fatal', code, reason: message };
}

/** The transaction with its sender, or why it has none. */
function read(raw: Bytes): SenderedTransaction | Attempt {
  try {
    const transaction = decodeTransaction(raw);
    return { transaction, sender: isL1Transaction(transaction) ? transaction.initiator : recoverSender(transaction) };
  } catch (error) {
    if (!(error instanceof ProtocolError || error instanceof SignatureError)) throw error;
    // No node hides a request of L1: one that cannot be read stops it.
    if (raw[0] === L1_PRIORITY_TYPE || raw[0] === UPGRADE_TYPE) return fatal(undefined, error);
    const name =
      error.code === 'SIGNATURE_MALLEABLE'
        ? 'MalleableSignature'
        : error.code === 'SIGNATURE_INVALID'
          ? 'IncorrectFrom'
          : 'InvalidEncoding';
    return { sendered: undefined, status: 'rejected', error: name, reaction: 'purge', reason: error.message };
  }
}

const DRIVER: ExecutionDriver = {
  load: ([key]) =>
    Promise.reject(
      new NodeError('invariant', `a ${key?.kind} was not in memory, although the whole state is`, {
        code: 'ASSERTION',
      }),
    ),
  turn: () => Promise.resolve(),
  goesOn: () => true,
};

async function attempt(execution: BlockExecution, sendered: SenderedTransaction): Promise<Attempt> {
  try {
    const end = await runTransaction(execution, sendered, DRIVER);
    switch (end?.kind) {
      case 'included':
        return { sendered, status: 'included', output: end.output };
      case 'rejected':
        return { sendered, status: 'rejected', error: end.error, reaction: end.reaction, reason: undefined };
      case 'full':
        return execution.includedCount === 0 && isL1Transaction(sendered.transaction)
          ? fatal(sendered, { code: 'L1_TRANSACTION_TOO_LARGE', message: `it does not fit even alone: ${end.reason}` })
          : { sendered, status: 'full', sealReason: end.reason };
      default:
        return { sendered, status: 'notTried' };
    }
  } catch (error) {
    if (!(error instanceof NodeError) || !error.code.startsWith('VM_')) throw error;
    execution.abandon();
    return fatal(sendered, error);
  }
}

/** Never throws for what a block may hold: every transaction of the list gets its attempt. */
export async function executeBlock({ context, state, transactions }: ExecuteInput): Promise<ExecutedBlock> {
  const execution = new BlockExecution({ context, state });
  const attempts: Attempt[] = [];
  let sealReason: SealReason | undefined;
  let isStopped = false;
  for (const raw of transactions) {
    const readable = read(raw);
    const sendered = 'transaction' in readable ? readable : undefined;
    if (sealReason !== undefined || isStopped) {
      attempts.push({ sendered, status: 'notTried' });
      continue;
    }
    const done = 'transaction' in readable ? await attempt(execution, readable) : readable;
    attempts.push(done);
    if (done.status === 'fatal') isStopped = true;
    if (done.status === 'full' && execution.includedCount > 0) sealReason = done.sealReason;
  }
  return {
    attempts,
    sealReason: sealReason ?? 'Replay',
    output: isStopped || execution.includedCount === 0 ? undefined : execution.finish(),
  };
}
