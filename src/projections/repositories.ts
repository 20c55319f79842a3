/** Blocks, transactions, receipts and logs by every key RPC asks for (design.md 6, spec: state 8, rpc 15). */
import { isZero, type Bytes } from '../common/bytes.ts';
import { assert, NodeError } from '../common/errors.ts';
import { Turns } from '../common/turns.ts';
import { decodeHeader, encodeHeader } from '../protocol/blockHeader.ts';
import type { BlockHeader } from '../protocol/blockOutput.ts';
import { rlpPrefixLength } from '../protocol/rlp.ts';
import { REPOSITORIES } from '../store/buckets.ts';
import { ByteReader } from '../store/byteReader.ts';
import { ByteWriter } from '../store/byteWriter.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import { SECTION_BLOCKS, sectionRows } from './bloomSections.ts';
import { searchLogs } from './logSearch.ts';
import type { CanonicalBlock, JournalEntry, Projection, StoreTx } from './projection.ts';
import { GroupWriter, readTransactionAt, readTransactions, ReceiptGroup } from './receiptGroup.ts';
import {
  bloomRowKey,
  decodeHeight,
  decodeLocation,
  encodeHeight,
  encodeLocation,
  groupKey,
  hashKey,
  heightKey,
  indexOfKey,
  senderNonceKey,
  type TransactionLocation,
} from './repositoriesKeys.ts';
import type {
  LogFilter,
  LogSearch,
  MinedTransaction,
  RepositoriesReader,
  StoredBlock,
  StoredReceipt,
  StoredTransaction,
} from './repositoriesReader.ts';
import { transactionOutline } from './transactionOutline.ts';
import type { TransactionPlace } from './transactionPlace.ts';

const HASH = 32;

export const repositories: Projection<RepositoriesReader> = {
  name: 'repositories',
  version: 1,
  apply,
  reader: (store) => new StoreRepositories(store),
};

const groups = new GroupWriter();
const values = new ByteWriter();

async function apply({ event }: JournalEntry, tx: StoreTx): Promise<void> {
  if (event.kind === 'Genesis') {
    putBlock(tx, { header: event.header, hash: event.blockHash, transactionHashes: [], transactionsLength: 0 });
    return;
  }
  if (event.kind !== 'Block') return;
  applyTransactions(event, tx);
  await applyBloom(event, tx);
}

function applyTransactions(block: CanonicalBlock, tx: StoreTx): void {
  const { height, record, output, senders } = block;
  const count = record.transactions.length;
  assert(
    output.transactions.length === count && senders.length === count,
    `block ${height} has ${count} transactions but other outputs or senders`,
  );
  const blockHash = output.blockHash;
  const blockTimestamp = output.header.timestamp;
  const transactionHashes: Bytes[] = [];
  let transactionsLength = 0;
  let gasUsedBefore = 0n;
  let logsBefore = 0;
  let groupStart = 0;
  const putGroup = (): void => {
    const group = groups.take();
    tx.put(groupKey(REPOSITORIES.transactions, height, groupStart), group.transactions);
    tx.put(groupKey(REPOSITORIES.receipts, height, groupStart), group.receipts);
  };
  for (let index = 0; index < count; index++) {
    const raw = record.transactions[index];
    const result = output.transactions[index];
    const sender = senders[index];
    assert(
      raw !== undefined && result !== undefined && sender !== undefined,
      `transaction ${index} of block ${height} is incomplete`,
    );
    if (index > 0 && groups.isFull) {
      putGroup();
      groupStart = index;
    }
    if (index === groupStart) groups.start({ blockHash, blockTimestamp, gasUsedBefore, logsBefore });
    const outline = transactionOutline(raw);
    groups.add({ raw, outline, sender, output: result });
    tx.put(hashKey(REPOSITORIES.transactionHash, outline.hash), encodeLocation({ height, index, groupStart }));
    if (outline.nonce !== undefined) tx.put(senderNonceKey(sender, outline.nonce), outline.hash);
    transactionHashes.push(outline.hash);
    transactionsLength += outline.type === 0 ? raw.length : rlpPrefixLength(raw.length) + raw.length;
    gasUsedBefore += result.gasUsed;
    logsBefore += result.logs.length;
  }
  if (count > 0) putGroup();
  putBlock(tx, { header: output.header, hash: blockHash, transactionHashes, transactionsLength });
}

interface BlockToStore {
  readonly header: BlockHeader;
  readonly hash: Bytes;
  readonly transactionHashes: readonly Bytes[];
  /** RLP of all transactions, as items of a list. */
  readonly transactionsLength: number;
}

function putBlock(tx: StoreTx, block: BlockToStore): void {
  const height = Number(block.header.number);
  const header = encodeHeader(block.header, { bloom: true });
  const noOmmersLength = 1;
  const bodyLength =
    header.length + rlpPrefixLength(block.transactionsLength) + block.transactionsLength + noOmmersLength;
  values.reset();
  values.varint(rlpPrefixLength(bodyLength) + bodyLength);
  values.fixed(block.hash, HASH);
  values.varint(block.transactionHashes.length);
  for (const hash of block.transactionHashes) values.fixed(hash, HASH);
  values.bytes(header);
  tx.put(heightKey(REPOSITORIES.block, height), values.take());
  tx.put(hashKey(REPOSITORIES.blockHash, block.hash), encodeHeight(height));
}

function readBlock(value: Bytes): StoredBlock {
  const reader = new ByteReader(value);
  const sizeBytes = reader.varint();
  const hash = reader.fixedCopy(HASH);
  const transactionHashes: Bytes[] = [];
  for (let left = reader.varint(); left > 0; left--) transactionHashes.push(reader.fixedCopy(HASH));
  const header = decodeHeader(reader.bytes());
  reader.finish();
  return { header, hash, transactionHashes, sizeBytes };
}

/** Blooms stay where they are when their section is complete: a search that began before must find them. */
async function applyBloom({ height, output }: CanonicalBlock, tx: StoreTx): Promise<void> {
  const { logsBloom } = output.header;
  if (!isZero(logsBloom)) tx.put(heightKey(REPOSITORIES.bloom, height), logsBloom);
  if ((height + 1) % SECTION_BLOCKS !== 0) return;
  const first = height + 1 - SECTION_BLOCKS;
  const keys = Array.from({ length: SECTION_BLOCKS }, (_, block) => heightKey(REPOSITORIES.bloom, first + block));
  const section = first / SECTION_BLOCKS;
  for (const [row, blocks] of sectionRows(await tx.getMany(keys))) tx.put(bloomRowKey(section, row), blocks);
}

class StoreRepositories implements RepositoriesReader {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async blockByNumber(number: number): Promise<StoredBlock | undefined> {
    const value = await this.#store.get(heightKey(REPOSITORIES.block, number));
    return value === undefined ? undefined : readBlock(value);
  }

  async blockNumberByHash(hash: Bytes): Promise<number | undefined> {
    const value = await this.#store.get(hashKey(REPOSITORIES.blockHash, hash));
    return value === undefined ? undefined : decodeHeight(value);
  }

  async transactionByHash(hash: Bytes): Promise<StoredTransaction | undefined> {
    const location = await this.#location(hash);
    if (location === undefined) return undefined;
    const { height, index, groupStart } = location;
    const [transactions, receipts] = await this.#store.getMany([
      groupKey(REPOSITORIES.transactions, height, groupStart),
      groupKey(REPOSITORIES.receipts, height, groupStart),
    ]);
    if (transactions === undefined || receipts === undefined) throw damaged(height);
    return { raw: readTransactionAt(transactions, index - groupStart), ...receiptAt(receipts, location).origin() };
  }

  async transactionsOfBlock(number: number): Promise<readonly StoredTransaction[] | undefined> {
    const groupsOfReceipts = await this.#receiptGroups(number);
    if (groupsOfReceipts === undefined) return undefined;
    const keys = groupsOfReceipts.map(({ firstIndex }) => groupKey(REPOSITORIES.transactions, number, firstIndex));
    const groupsOfTransactions = await this.#store.getMany(keys);
    return groupsOfReceipts.flatMap(({ group }, i) => {
      const bytes = groupsOfTransactions[i];
      if (bytes === undefined) throw damaged(number);
      return readTransactions(bytes).map((raw) => {
        if (!group.next()) throw damaged(number);
        return { raw, ...group.origin() };
      });
    });
  }

  async receiptByHash(transactionHash: Bytes): Promise<StoredReceipt | undefined> {
    const location = await this.#location(transactionHash);
    if (location === undefined) return undefined;
    const receipts = await this.#store.get(groupKey(REPOSITORIES.receipts, location.height, location.groupStart));
    if (receipts === undefined) throw damaged(location.height);
    return receiptAt(receipts, location).receipt(new Turns());
  }

  async receiptsOfBlock(number: number): Promise<readonly StoredReceipt[] | undefined> {
    const receipts: StoredReceipt[] = [];
    const found = await this.#receiptGroups(number);
    const turns = new Turns();
    for (const { group } of found ?? []) while (group.next()) receipts.push(await group.receipt(turns));
    return found === undefined ? undefined : receipts;
  }

  async transactionsAt(places: readonly TransactionPlace[]): Promise<readonly (MinedTransaction | undefined)[]> {
    const found: (MinedTransaction | undefined)[] = [];
    const turns = new Turns();
    let group: MinedGroup | undefined;
    for (const place of places) {
      if (group === undefined || !isInGroup(group, place)) group = await this.#minedGroup(place, turns);
      found.push(group?.members[place.transactionIndex - group.firstIndex]);
      const turn = turns.due();
      if (turn !== undefined) await turn;
    }
    return found;
  }

  async feesOfBlock(number: number): Promise<bigint | undefined> {
    const found = await this.#receiptGroups(number);
    if (found === undefined) return undefined;
    let fees = 0n;
    for (const { group } of found) while (group.next()) fees += group.fee();
    return fees;
  }

  async transactionHashBySenderAndNonce(sender: Bytes, nonce: bigint): Promise<Bytes | undefined> {
    return this.#store.get(senderNonceKey(sender, nonce));
  }

  logs(filter: LogFilter): Promise<LogSearch> {
    return searchLogs(this.#store, filter);
  }

  async #location(hash: Bytes): Promise<TransactionLocation | undefined> {
    const value = await this.#store.get(hashKey(REPOSITORIES.transactionHash, hash));
    return value === undefined ? undefined : decodeLocation(value);
  }

  /** The group that holds the place, if any does. */
  async #minedGroup(
    { blockNumber, transactionIndex }: TransactionPlace,
    turns: Turns,
  ): Promise<MinedGroup | undefined> {
    for await (const [key, value] of this.#store.range({
      gte: groupKey(REPOSITORIES.receipts, blockNumber, 0),
      lte: groupKey(REPOSITORIES.receipts, blockNumber, transactionIndex),
      reverse: true,
      limit: 1,
    })) {
      const firstIndex = indexOfKey(key);
      const transactions = await this.#store.get(groupKey(REPOSITORIES.transactions, blockNumber, firstIndex));
      if (transactions === undefined) throw damaged(blockNumber);
      const receipts = new ReceiptGroup(value, { blockNumber, firstIndex });
      const members: MinedTransaction[] = [];
      for (const raw of readTransactions(transactions)) {
        if (!receipts.next()) throw damaged(blockNumber);
        members.push({ transaction: { raw, ...receipts.origin() }, receipt: await receipts.receipt(turns) });
      }
      return { blockNumber, firstIndex, members };
    }
    return undefined;
  }

  /** In order; undefined: no such block. */
  async #receiptGroups(
    number: number,
  ): Promise<{ readonly group: ReceiptGroup; readonly firstIndex: number }[] | undefined> {
    const block = await this.#store.get(heightKey(REPOSITORIES.block, number));
    if (block === undefined) return undefined;
    const found: { readonly group: ReceiptGroup; readonly firstIndex: number }[] = [];
    for await (const [key, value] of this.#store.range({
      gte: groupKey(REPOSITORIES.receipts, number, 0),
      lt: groupKey(REPOSITORIES.receipts, number + 1, 0),
    })) {
      const firstIndex = indexOfKey(key);
      found.push({ group: new ReceiptGroup(value, { blockNumber: number, firstIndex }), firstIndex });
    }
    return found;
  }
}

interface MinedGroup {
  readonly blockNumber: number;
  readonly firstIndex: number;
  readonly members: readonly MinedTransaction[];
}

function isInGroup({ blockNumber, firstIndex, members }: MinedGroup, place: TransactionPlace): boolean {
  const offset = place.transactionIndex - firstIndex;
  return place.blockNumber === blockNumber && offset >= 0 && offset < members.length;
}

function receiptAt(receipts: Bytes, { height, index, groupStart }: TransactionLocation): ReceiptGroup {
  const group = new ReceiptGroup(receipts, { blockNumber: height, firstIndex: groupStart });
  for (let at = groupStart; at <= index; at++) if (!group.next()) throw damaged(height);
  return group;
}

function damaged(height: number): NodeError {
  return new NodeError(
    'fatal',
    `the repositories store is damaged at block ${height}. Build it again from the log with \`reprise rebuild repositories\`.`,
    {
      code: 'STORE_DAMAGED',
      blockNumber: height,
    },
  );
}
