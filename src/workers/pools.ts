/** Where a submitted transaction goes: into this node's pool, or to the main node. */
import { type Bytes, bytesToBigInt, fromHex, toHex } from '../common/bytes.ts';
import { NodeError, errorText } from '../common/errors.ts';
import { PoolError } from '../producers/poolErrors.ts';
import type { PendingTransaction, Pool } from '../rpc/backend.ts';
import { RPC_CODE, RpcError, submissionError } from '../rpc/errors.ts';
import type { ChainService } from './chainWorker.ts';
import { type MainNodeAnswer, askMainNode } from './mainNode.ts';
import type { Remote } from './threadPort.ts';

/** Who wants to hear of transactions as they arrive. */
export class PendingListeners {
  readonly #listeners = new Set<(transaction: PendingTransaction) => void>();

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  /** Returns how to stop. */
  add(listener: (transaction: PendingTransaction) => void): () => void {
    const own = (transaction: PendingTransaction): void => listener(transaction);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  publish(transaction: PendingTransaction): void {
    for (const listener of [...this.#listeners]) listener(transaction);
  }
}

/** Sender of an EIP-2718 encoding. */
export type RecoverSender = (raw: Bytes) => Promise<Bytes>;

/**
 * @param pending what the chain worker announces while it is asked to
 * @param maxInputBytes of an encoded transaction; a larger one is refused before anybody hashes or decodes it
 */
export function localPool(
  chain: Remote<ChainService>,
  recover: RecoverSender,
  pending: PendingListeners,
  maxInputBytes: number,
): Pool {
  return {
    async submit(raw) {
      try {
        if (raw.length > maxInputBytes)
          throw new PoolError({ code: 'POOL_OVERSIZED_DATA', sizeBytes: raw.length, limitBytes: maxInputBytes });
        return await chain.submit(raw, await recover(raw));
      } catch (error) {
        if (error instanceof NodeError)
          throw submissionError({ code: error.code, message: error.message }, { cause: error }) ?? error;
        throw error;
      }
    },
    transactionByHash: (hash) => chain.poolTransaction(hash),
    pendingNonce: (address) => chain.pendingNonce(address),
    async status() {
      const { mempool } = await chain.status();
      return { pending: mempool.pending, queued: mempool.queued };
    },
    async watchPending(listener) {
      const stop = pending.add(listener);
      try {
        await chain.announcePending(true);
      } catch (error) {
        stop();
        throw error;
      }
      return () => {
        stop();
        // The thread may be gone: then nothing is announced anyway.
        if (pending.isEmpty) chain.announcePending(false).catch(() => undefined);
      };
    },
  };
}

/** An external node never includes anything itself: it hands on and gives the main node's answer. */
export function forwardingPool(local: Pool, mainNodeUrl: string | undefined, recover: RecoverSender): Pool {
  const taken = new PendingListeners();
  const ask = async (method: string, params: readonly unknown[]): Promise<string> => {
    if (mainNodeUrl === undefined) {
      throw new RpcError(
        RPC_CODE.serverError,
        'this node does not forward transactions: general_main_node_rpc_url is not set',
      );
    }
    let answer: MainNodeAnswer;
    try {
      answer = await askMainNode(mainNodeUrl, method, params);
    } catch (error) {
      throw new RpcError(
        RPC_CODE.serverError,
        `the main node does not answer: ${errorText(error instanceof Error ? (error.cause ?? error) : error)}; the transaction may have arrived`,
        { cause: error },
      );
    }
    if (answer.kind === 'error') {
      const { code, message, data } = answer.error;
      throw new RpcError(code, message, data === undefined ? {} : { data });
    }
    const { result } = answer;
    if (typeof result !== 'string')
      throw new RpcError(RPC_CODE.serverError, `the main node answered ${method} with something else`);
    return result;
  };
  return {
    async submit(raw) {
      const hash = fromHex(await ask('eth_sendRawTransaction', [toHex(raw)]));
      if (!taken.isEmpty)
        recover(raw).then(
          (sender) => taken.publish({ hash, raw, sender }),
          () => undefined, // the main node took what this one cannot read: it is announced with its block
        );
      return hash;
    },
    watchPending: (listener) => Promise.resolve(taken.add(listener)),
    transactionByHash: () => Promise.resolve(undefined),
    async pendingNonce(address) {
      if (mainNodeUrl === undefined) return local.pendingNonce(address);
      try {
        return bytesToBigInt(fromHex(evenHex(await ask('eth_getTransactionCount', [toHex(address), 'pending']))));
      } catch {
        // The main node is away: what this node has folded is the best answer there is.
        return local.pendingNonce(address);
      }
    },
    status: () => local.status(),
  };
}

function evenHex(quantity: string): string {
  const digits = quantity.replace(/^0x/, '');
  return digits.length % 2 === 0 ? digits : `0${digits}`;
}
