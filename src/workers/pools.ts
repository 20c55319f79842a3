/** Where a submitted transaction goes: into this node's pool, or to the main node. */
import { type Bytes, bytesToBigInt, fromHex, toHex } from '../common/bytes.ts';
import { NodeError, errorText } from '../common/errors.ts';
import type { Pool } from '../rpc/backend.ts';
import { RPC_CODE, RpcError, submissionError } from '../rpc/errors.ts';
import type { ChainService } from './chainWorker.ts';
import type { Remote } from './threadPort.ts';

const FORWARD_TIMEOUT_MS = 10_000;

/** @param recover sender of an EIP-2718 encoding */
export function localPool(chain: Remote<ChainService>, recover: (raw: Bytes) => Promise<Bytes>): Pool {
  return {
    async submit(raw) {
      try {
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
      const { pending, queued } = (await chain.status()).mempool;
      return { pending, queued };
    },
  };
}

interface JsonRpcAnswer {
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** An external node never includes anything itself: it hands on and gives the main node's answer. */
export function forwardingPool(local: Pool, mainNodeUrl: string | undefined): Pool {
  const ask = async (method: string, params: readonly unknown[]): Promise<string> => {
    if (mainNodeUrl === undefined) {
      throw new RpcError(
        RPC_CODE.serverError,
        'this node does not forward transactions: general_main_node_rpc_url is not set',
      );
    }
    let answer: JsonRpcAnswer;
    try {
      const response = await fetch(mainNodeUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
        signal: AbortSignal.timeout(FORWARD_TIMEOUT_MS),
      });
      answer = (await response.json()) as JsonRpcAnswer;
    } catch (error) {
      throw new RpcError(
        RPC_CODE.serverError,
        `the main node does not answer: ${errorText(error)}; the transaction may have arrived`,
        { cause: error },
      );
    }
    const { error, result } = answer;
    if (error !== undefined)
      throw new RpcError(error.code, error.message, error.data === undefined ? {} : { data: error.data });
    if (typeof result !== 'string')
      throw new RpcError(RPC_CODE.serverError, `the main node answered ${method} with something else`);
    return result;
  };
  return {
    submit: async (raw) => fromHex(await ask('eth_sendRawTransaction', [toHex(raw)])),
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
