/** Transactions and creators of addresses, as Otterscan asks for them (spec: rpc 13), from the index of addresses. */
import { toHex } from '../../common/bytes.ts';
import type { Bytes } from '../../common/bytes.ts';
import type { AddressesReader } from '../../projections/addressesReader.ts';
import type { BlockId } from '../blockTags.ts';
import { parseLenientBlockNumber, tagHeight } from '../blockTags.ts';
import { RPC_CODE, RpcError } from '../errors.ts';
import type { MethodHandler, MethodOptions, MethodTable } from '../method.ts';
import { transactionObject } from '../objects.ts';
import { jsonObject } from '../rawJson.ts';
import { argumentName, parseAddress, required } from '../validation.ts';
import { minedObjects, parsePageSize, timedReceipt } from './otsPages.ts';

/** The index is a moment behind `latest`; this is long for it. */
const CATCH_UP_LIMIT_MS = 2_000;

/** The index, which holds every block up to `latest`. */
interface CurrentIndex {
  readonly reader: AddressesReader;
  readonly latest: number;
}

/** What the rpc worker answers for each transaction of a block. */
interface TracedCreation {
  readonly txHash: string;
  readonly result: string | null;
}

export function otsSearchMethods(options: MethodOptions): MethodTable {
  const { backend, maxResponseBytes, syncingLagBlocks } = options;
  const { repositories } = backend;

  /** Throws rather than leave out what is not indexed yet. */
  async function requireIndex(): Promise<CurrentIndex> {
    const { addresses } = backend;
    if (addresses === undefined)
      throw new RpcError(RPC_CODE.serverError, 'this node keeps no index of addresses (projection_addresses_enabled)');
    const latest = backend.latest();
    if (latest - addresses.height() <= syncingLagBlocks) await addresses.whenReached(latest, CATCH_UP_LIMIT_MS);
    const height = addresses.height();
    if (height < latest)
      throw new RpcError(
        RPC_CODE.serverError,
        `the index of addresses is at block ${Math.max(0, height)} of ${latest}: try again later (/status: addresses)`,
      );
    return { reader: addresses.reader, latest };
  }

  /** 0 is an end of the chain, as nothing is before it; numbers beyond the head mean the head. */
  function startOf(id: BlockId, latest: number): number {
    if (id.kind === 'tag') return tagHeight(backend, id.tag);
    return id.kind === 'number' && id.number <= BigInt(latest) ? Number(id.number) : latest + 1;
  }

  const search =
    (direction: 'before' | 'after'): MethodHandler =>
    async (params) => {
      const address = parseAddress(required(params, 0), argumentName(0));
      const id = parseLenientBlockNumber(required(params, 1), argumentName(1));
      const size = parsePageSize(required(params, 2), argumentName(2));
      const { reader, latest } = await requireIndex();
      const start = startOf(id, latest);
      const newestFirst = direction === 'before';
      const beforeEnd = start === 0 ? latest : start - 1;
      const older = { address, fromBlock: 0, toBlock: newestFirst ? beforeEnd : Math.min(start, latest) };
      const newer = { address, fromBlock: older.toBlock + 1, toBlock: latest };
      const [wanted, passed] = newestFirst ? [older, newer] : [newer, older];
      const [page, other] = await Promise.all([
        reader.appearances({ ...wanted, newestFirst, size }),
        reader.appearances({ ...passed, newestFirst: !newestFirst, size: 1 }),
      ]);
      const isOtherEnd = other.places.length === 0;
      const places = newestFirst ? page.places : page.places.toReversed();
      const { transactions, receipts } = await minedObjects(await repositories.transactionsAt(places), {
        transaction: transactionObject,
        receipt: timedReceipt,
        maxBytes: maxResponseBytes,
      });
      return jsonObject({
        txs: transactions,
        receipts,
        firstPage: newestFirst ? isOtherEnd : page.isComplete,
        lastPage: newestFirst ? page.isComplete : isOtherEnd,
      });
    };

  /** Executes the block again: which of its transactions made the contract, and which contract did it. */
  async function creatorInBlock(contract: Bytes, blockNumber: number): Promise<object | undefined> {
    const tracer = { name: 'creation', config: { contract } } as const;
    const text = await backend.trace({ kind: 'block', blockNumber, tracer, timeoutMs: undefined });
    // The text is ours: one entry for each transaction of the block.
    for (const { txHash, result } of JSON.parse(text) as readonly TracedCreation[])
      if (result !== null) return { hash: txHash, creator: result };
    return undefined;
  }

  return {
    ots_searchTransactionsBefore: search('before'),
    ots_searchTransactionsAfter: search('after'),
    ots_getContractCreator: async (params) => {
      const address = parseAddress(required(params, 0), argumentName(0));
      const { reader, latest } = await requireIndex();
      const creation = await reader.creation(address);
      if (creation === undefined) return undefined;
      if (creation.kind === 'block')
        return creation.blockNumber > latest ? undefined : creatorInBlock(address, creation.blockNumber);
      const { place, creator } = creation;
      if (place.blockNumber > latest) return undefined;
      const [mined] = await repositories.transactionsAt([place]);
      return mined && { hash: toHex(mined.receipt.transactionHash), creator: toHex(creator) };
    },
  };
}
