/** Transactions and receipts (spec: rpc 5, 7). */
import type { Bytes } from '../../common/bytes.ts';
import { toHex } from '../../common/bytes.ts';
import { NodeError } from '../../common/errors.ts';
import type { StoredTransaction } from '../../projections/repositoriesReader.ts';
import type { PoolTransaction } from '../backend.ts';
import { findBlock } from '../blockTags.ts';
import { RPC_CODE, RpcError, asRpcError, submissionError } from '../errors.ts';
import type { MethodHandler, MethodOptions, MethodTable } from '../method.ts';
import { pendingTransactionObject, receiptJson, transactionObject } from '../objects.ts';
import { argumentName, parseAddress, parseData, parseHash, parseIndex, required } from '../validation.ts';
import type { ArgumentParser } from './ethBlocks.ts';
import { byHash, byNumber } from './ethBlocks.ts';

type FoundTransaction =
  | { readonly kind: 'pending'; readonly transaction: PoolTransaction }
  | { readonly kind: 'mined'; readonly transaction: StoredTransaction };

const hashArgument = (params: readonly unknown[]): Bytes => parseHash(required(params, 0), argumentName(0));

export function transactionMethods({ backend, maxResponseBytes }: MethodOptions): MethodTable {
  const { repositories, pool } = backend;

  /** One that is stored but whose block is not readable yet still counts as pending. */
  function asFound(stored: StoredTransaction): FoundTransaction {
    return stored.meta.blockNumber <= backend.latest()
      ? { kind: 'mined', transaction: stored }
      : { kind: 'pending', transaction: stored };
  }

  /**
   * The pool first, as a transaction leaves it before it is readable in its block; asked again at the end, because it may
   * have come back from a block that was given up.
   */
  async function findTransaction(hash: Bytes): Promise<FoundTransaction | undefined> {
    const pooled = await pool.transactionByHash(hash);
    if (pooled !== undefined) return { kind: 'pending', transaction: pooled };
    const stored = await repositories.transactionByHash(hash);
    if (stored !== undefined) return asFound(stored);
    const returned = await pool.transactionByHash(hash);
    return returned === undefined ? undefined : { kind: 'pending', transaction: returned };
  }

  async function transactionAt(
    parseId: ArgumentParser,
    params: readonly unknown[],
  ): Promise<StoredTransaction | undefined> {
    const id = parseId(params);
    const index = parseIndex(required(params, 1), argumentName(1));
    const number = await findBlock(backend, id);
    const block = number === undefined ? undefined : await repositories.blockByNumber(number);
    const hash = block?.transactionHashes[Number(index)];
    return hash === undefined ? undefined : repositories.transactionByHash(hash);
  }

  const objectAt =
    (parseId: ArgumentParser): MethodHandler =>
    async (params) => {
      const stored = await transactionAt(parseId, params);
      return stored === undefined ? undefined : transactionObject(stored);
    };

  const rawAt =
    (parseId: ArgumentParser): MethodHandler =>
    async (params) => {
      const stored = await transactionAt(parseId, params);
      return stored === undefined ? undefined : toHex(stored.raw);
    };

  function foundObject(found: FoundTransaction | undefined): unknown {
    if (found === undefined) return undefined;
    return found.kind === 'mined' ? transactionObject(found.transaction) : pendingTransactionObject(found.transaction);
  }

  const hasNoSigners: MethodHandler = () => {
    throw new RpcError(RPC_CODE.methodNotFound, 'node has no signer accounts');
  };

  return {
    eth_getTransactionByHash: async (params) => foundObject(await findTransaction(hashArgument(params))),
    eth_getRawTransactionByHash: async (params) => {
      const found = await findTransaction(hashArgument(params));
      return found === undefined ? undefined : toHex(found.transaction.raw);
    },
    eth_getTransactionByBlockNumberAndIndex: objectAt(byNumber),
    eth_getTransactionByBlockHashAndIndex: objectAt(byHash),
    eth_getRawTransactionByBlockNumberAndIndex: rawAt(byNumber),
    eth_getRawTransactionByBlockHashAndIndex: rawAt(byHash),
    eth_getTransactionBySenderAndNonce: async (params) => {
      const sender = parseAddress(required(params, 0), argumentName(0));
      const nonce = parseIndex(required(params, 1), argumentName(1));
      const hash = await repositories.transactionHashBySenderAndNonce(sender, nonce);
      const stored = hash === undefined ? undefined : await repositories.transactionByHash(hash);
      return stored === undefined ? undefined : foundObject(asFound(stored));
    },
    eth_getTransactionReceipt: async (params) => {
      const receipt = await repositories.receiptByHash(hashArgument(params));
      const isReadable = receipt !== undefined && receipt.meta.blockNumber <= backend.latest();
      return isReadable ? receiptJson(receipt, maxResponseBytes) : undefined;
    },
    eth_sendRawTransaction: async (params) => {
      const raw = parseData(required(params, 0), argumentName(0));
      try {
        return toHex(await pool.submit(raw));
      } catch (error) {
        const refusal =
          asRpcError(error) ?? (error instanceof NodeError ? submissionError(error, { cause: error }) : undefined);
        throw refusal ?? error;
      }
    },
    eth_sendTransaction: hasNoSigners,
    eth_sign: hasNoSigners,
    eth_signTransaction: hasNoSigners,
    eth_signTypedData: hasNoSigners,
    eth_signTypedData_v4: hasNoSigners,
  };
}
