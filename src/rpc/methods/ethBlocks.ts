/** Blocks, their receipts and logs (spec: rpc 5, 8). */
import { toHex } from '../../common/bytes.ts';
import type { StoredBlock } from '../../projections/repositoriesReader.ts';
import type { BlockId } from '../blockTags.ts';
import { findBlock, parseBlockId, parseBlockNumber } from '../blockTags.ts';
import { quantity } from '../encoding.ts';
import { findLogs, parseLogQuery } from '../logQuery.ts';
import type { MethodHandler, MethodOptions, MethodTable } from '../method.ts';
import { blockObject, headerObject, logObject, receiptsJson, transactionObject } from '../objects.ts';
import { jsonArray, jsonObject } from '../rawJson.ts';
import { argumentName, isAbsent, parseBoolean, parseHash, parseIndex, required } from '../validation.ts';

/** The block that the first argument means. */
export type ArgumentParser = (params: readonly unknown[]) => BlockId;

export const byNumber: ArgumentParser = (params) => parseBlockNumber(required(params, 0), argumentName(0));
export const byHash: ArgumentParser = (params) => ({
  kind: 'hash',
  hash: parseHash(required(params, 0), argumentName(0)),
});

export function blockMethods(options: MethodOptions): MethodTable {
  const { backend, maxResponseBytes, metrics } = options;
  const { repositories } = backend;
  const limits = { maxBlocks: options.maxBlocksPerFilter, maxLogs: options.maxLogsPerResponse };

  async function storedBlock(id: BlockId): Promise<StoredBlock | undefined> {
    const number = await findBlock(backend, id);
    return number === undefined ? undefined : repositories.blockByNumber(number);
  }

  const getBlock =
    (parseId: ArgumentParser): MethodHandler =>
    async (params) => {
      const id = parseId(params);
      const isFull = isAbsent(params[1]) ? false : parseBoolean(params[1], argumentName(1));
      const block = await storedBlock(id);
      if (block === undefined) return undefined;
      if (!isFull) return { ...blockObject(block), transactions: block.transactionHashes.map(toHex) };
      const transactions = await repositories.transactionsOfBlock(Number(block.header.number));
      if (transactions === undefined) return undefined;
      return jsonObject({
        ...blockObject(block),
        transactions: await jsonArray(transactions, transactionObject, maxResponseBytes),
      });
    };

  const getHeader =
    (parseId: ArgumentParser): MethodHandler =>
    async (params) => {
      const block = await storedBlock(parseId(params));
      return block === undefined ? undefined : headerObject(block);
    };

  const getTransactionCount =
    (parseId: ArgumentParser): MethodHandler =>
    async (params) => {
      const block = await storedBlock(parseId(params));
      return block === undefined ? undefined : quantity(block.transactionHashes.length);
    };

  const getUncleCount =
    (parseId: ArgumentParser): MethodHandler =>
    async (params) =>
      (await findBlock(backend, parseId(params))) === undefined ? undefined : '0x0';

  const getUncle =
    (parseId: ArgumentParser): MethodHandler =>
    (params) => {
      parseId(params);
      parseIndex(required(params, 1), argumentName(1));
      return undefined;
    };

  return {
    eth_getBlockByNumber: getBlock(byNumber),
    eth_getBlockByHash: getBlock(byHash),
    eth_getHeaderByNumber: getHeader(byNumber),
    eth_getHeaderByHash: getHeader(byHash),
    eth_getBlockTransactionCountByNumber: getTransactionCount(byNumber),
    eth_getBlockTransactionCountByHash: getTransactionCount(byHash),
    eth_getUncleCountByBlockNumber: getUncleCount(byNumber),
    eth_getUncleCountByBlockHash: getUncleCount(byHash),
    eth_getUncleByBlockNumberAndIndex: getUncle(byNumber),
    eth_getUncleByBlockHashAndIndex: getUncle(byHash),
    eth_getBlockReceipts: async (params) => {
      const number = await findBlock(backend, parseBlockId(params[0], argumentName(0)));
      const receipts = number === undefined ? undefined : await repositories.receiptsOfBlock(number);
      return receipts === undefined ? undefined : receiptsJson(receipts, maxResponseBytes);
    },
    eth_getLogs: async (params) => {
      const query = parseLogQuery(required(params, 0), argumentName(0));
      return jsonArray(
        await findLogs({ backend, limits, maxResponseBytes, metrics }, query),
        logObject,
        maxResponseBytes,
      );
    },
  };
}
