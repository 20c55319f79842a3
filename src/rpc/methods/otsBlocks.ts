/** Blocks page by page, accounts and nonces as Otterscan shows them (spec: rpc 13). */
import { isZero, toHex } from '../../common/bytes.ts';
import { assert } from '../../common/errors.ts';
import type { StoredBlock } from '../../projections/repositoriesReader.ts';
import { decodeAccountRecord } from '../../protocol/accountRecord.ts';
import type { BlockId } from '../blockTags.ts';
import { findBlock, parseLenientBlockNumber, requireState } from '../blockTags.ts';
import { quantity } from '../encoding.ts';
import type { MethodHandler, MethodOptions, MethodTable } from '../method.ts';
import type { JsonRecord } from '../objects.ts';
import { blockObject, headerObject } from '../objects.ts';
import { jsonObject } from '../rawJson.ts';
import { argumentName, parseAddress, parseIndex, required } from '../validation.ts';
import type { ArgumentParser } from './ethBlocks.ts';
import { byHash } from './ethBlocks.ts';
import { minedObjects, parsePageSize, shortReceipt, shortTransaction } from './otsPages.ts';

const byLenientNumber: ArgumentParser = (params) => parseLenientBlockNumber(required(params, 0), argumentName(0));

/** No block of this chain mints anything. */
const ISSUANCE = { blockReward: '0x0', uncleReward: '0x0', issuance: '0x0' };

export function otsBlockMethods({ backend, maxResponseBytes }: MethodOptions): MethodTable {
  const { repositories, state } = backend;

  async function storedBlock(id: BlockId): Promise<StoredBlock | undefined> {
    const number = await findBlock(backend, id);
    return number === undefined ? undefined : repositories.blockByNumber(number);
  }

  const header: MethodHandler = async (params) => {
    const block = await storedBlock(byLenientNumber(params));
    return block === undefined ? undefined : headerObject(block);
  };

  const details =
    (parseId: ArgumentParser): MethodHandler =>
    async (params) => {
      const block = await storedBlock(parseId(params));
      if (block === undefined) return undefined;
      const fees = await repositories.feesOfBlock(Number(block.header.number));
      assert(fees !== undefined, `block ${block.header.number} has no receipts in the store`);
      return { block: countedBlock(block), issuance: ISSUANCE, totalFees: quantity(fees) };
    };

  return {
    ots_getHeaderByNumber: header,
    erigon_getHeaderByNumber: header,
    ots_getBlockDetails: details(byLenientNumber),
    ots_getBlockDetailsByHash: details(byHash),
    // Page 0 holds the last transactions of the block; within a page they stand in the block's order.
    ots_getBlockTransactions: async (params) => {
      const id = byLenientNumber(params);
      const page = Number(parseIndex(required(params, 1), argumentName(1)));
      const size = parsePageSize(required(params, 2), argumentName(2));
      const block = await storedBlock(id);
      if (block === undefined) return undefined;
      const blockNumber = Number(block.header.number);
      const end = Math.max(0, block.transactionHashes.length - page * size);
      const start = Math.max(0, end - size);
      const places = Array.from({ length: end - start }, (_, i) => ({ blockNumber, transactionIndex: start + i }));
      const { transactions, receipts } = await minedObjects(await repositories.transactionsAt(places), {
        transaction: shortTransaction,
        receipt: shortReceipt,
        maxBytes: maxResponseBytes,
      });
      return jsonObject({ fullblock: jsonObject({ ...countedBlock(block), transactions }), receipts });
    },
    ots_hasCode: async (params) => {
      const address = parseAddress(required(params, 0), argumentName(0));
      const number = await requireState(backend, parseLenientBlockNumber(params[1], argumentName(1)));
      const record = await state.account(address, number);
      return record !== undefined && !isZero(decodeAccountRecord(record).bytecodeHash);
    },
    ots_getTransactionBySenderAndNonce: async (params) => {
      const sender = parseAddress(required(params, 0), argumentName(0));
      const nonce = parseIndex(required(params, 1), argumentName(1));
      const hash = await repositories.transactionHashBySenderAndNonce(sender, nonce);
      const stored = hash === undefined ? undefined : await repositories.transactionByHash(hash);
      const isReadable = stored !== undefined && stored.meta.blockNumber <= backend.latest();
      return hash !== undefined && isReadable ? toHex(hash) : undefined;
    },
  };
}

function countedBlock(block: StoredBlock): JsonRecord {
  return { ...blockObject(block), transactionCount: block.transactionHashes.length };
}
