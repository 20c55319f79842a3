/**
 * `repositories` as another thread reads them. A block may hold 200,000 logs, and as many small pieces of memory take
 * seconds to cross: many logs cross as one piece, written and read with turns for the event loops of both sides.
 */
import type { Bytes } from '../common/bytes.ts';
import { Turns } from '../common/turns.ts';
import type {
  FoundLog,
  RepositoriesReader,
  StoredReceipt,
  StoredTransaction,
} from '../projections/repositoriesReader.ts';
import { BLOOM_LENGTH } from '../protocol/bloom.ts';
import { ByteReader } from '../store/byteReader.ts';
import { ByteWriter } from '../store/byteWriter.ts';
import { readL2ToL1Log, readLog, writeL2ToL1Log, writeLog } from '../store/logCodec.ts';

/** Logs, of L2 and to L1, that cross as they are. */
const LOGS_APART = 64;

const ADDRESS = 20;
const HASH = 32;
const SUCCESS = 1;
const HAS_TO = 2;
const HAS_CONTRACT = 4;

type Crossing<T> =
  { readonly kind: 'apart'; readonly items: readonly T[] } | { readonly kind: 'packed'; readonly bytes: Bytes };
type Search = Awaited<ReturnType<RepositoriesReader['logs']>>;

/** What the thread of the projection serves. */
export type RepositoriesService = Omit<
  RepositoriesReader,
  'logs' | 'receiptByHash' | 'receiptsOfBlock' | 'transactionsAt'
> & {
  logs(
    ...args: Parameters<RepositoriesReader['logs']>
  ): Promise<Exclude<Search, { kind: 'found' }> | (Pick<Search, 'scan'> & Found)>;
  receiptByHash(...args: Parameters<RepositoriesReader['receiptByHash']>): Promise<Crossing<StoredReceipt> | undefined>;
  receiptsOfBlock(
    ...args: Parameters<RepositoriesReader['receiptsOfBlock']>
  ): Promise<Crossing<StoredReceipt> | undefined>;
  /** Receipts of those that there are, in the same order. */
  transactionsAt(...args: Parameters<RepositoriesReader['transactionsAt']>): Promise<{
    readonly transactions: readonly (StoredTransaction | undefined)[];
    readonly receipts: Crossing<StoredReceipt>;
  }>;
};

interface Found {
  readonly kind: 'found';
  readonly logs: Crossing<FoundLog>;
}

export function servedRepositories(reader: RepositoriesReader): RepositoriesService {
  return {
    blockByNumber: (number) => reader.blockByNumber(number),
    blockNumberByHash: (hash) => reader.blockNumberByHash(hash),
    transactionByHash: (hash) => reader.transactionByHash(hash),
    transactionsOfBlock: (number) => reader.transactionsOfBlock(number),
    transactionHashBySenderAndNonce: (sender, nonce) => reader.transactionHashBySenderAndNonce(sender, nonce),
    async logs(filter) {
      const search = await reader.logs(filter);
      if (search.kind !== 'found') return search;
      const isFew = search.logs.length <= LOGS_APART;
      return { ...search, logs: isFew ? apart(search.logs) : await packed(search.logs, writeFoundLog) };
    },
    async receiptByHash(transactionHash) {
      const receipt = await reader.receiptByHash(transactionHash);
      return receipt && receiptsToCross([receipt]);
    },
    async receiptsOfBlock(number) {
      const receipts = await reader.receiptsOfBlock(number);
      return receipts && receiptsToCross(receipts);
    },
    async transactionsAt(places) {
      const found = await reader.transactionsAt(places);
      return {
        transactions: found.map((each) => each?.transaction),
        receipts: await receiptsToCross(found.flatMap((each) => (each === undefined ? [] : [each.receipt]))),
      };
    },
    feesOfBlock: (number) => reader.feesOfBlock(number),
  };
}

export function remoteRepositories(service: RepositoriesService): RepositoriesReader {
  return {
    blockByNumber: (number) => service.blockByNumber(number),
    blockNumberByHash: (hash) => service.blockNumberByHash(hash),
    transactionByHash: (hash) => service.transactionByHash(hash),
    transactionsOfBlock: (number) => service.transactionsOfBlock(number),
    transactionHashBySenderAndNonce: (sender, nonce) => service.transactionHashBySenderAndNonce(sender, nonce),
    async logs(filter) {
      const search = await service.logs(filter);
      return search.kind === 'found' ? { ...search, logs: await unpacked(search.logs, readFoundLog) } : search;
    },
    async receiptByHash(transactionHash) {
      const crossed = await service.receiptByHash(transactionHash);
      return crossed && (await unpacked(crossed, readReceipt))[0];
    },
    async receiptsOfBlock(number) {
      const crossed = await service.receiptsOfBlock(number);
      return crossed && unpacked(crossed, readReceipt);
    },
    async transactionsAt(places) {
      const { transactions, receipts } = await service.transactionsAt(places);
      const left = (await unpacked(receipts, readReceipt)).values();
      return transactions.map((transaction) => {
        const receipt = transaction && left.next().value;
        return transaction && receipt && { transaction, receipt };
      });
    },
    feesOfBlock: (number) => service.feesOfBlock(number),
  };
}

function apart<T>(items: readonly T[]): Crossing<T> {
  return { kind: 'apart', items };
}

/** After each log the event loop may have its turn. */
async function packed<T>(
  items: readonly T[],
  write: (out: ByteWriter, item: T, turns: Turns) => Promise<void> | void,
): Promise<Crossing<T>> {
  const out = new ByteWriter();
  const turns = new Turns();
  for (const item of items) {
    await write(out, item, turns);
    await turns.due();
  }
  return { kind: 'packed', bytes: out.take() };
}

async function unpacked<T>(
  crossed: Crossing<T>,
  read: (reader: ByteReader, turns: Turns) => Promise<T> | T,
): Promise<readonly T[]> {
  if (crossed.kind === 'apart') return crossed.items;
  const reader = new ByteReader(crossed.bytes);
  const turns = new Turns();
  const items: T[] = [];
  while (!reader.done) {
    items.push(await read(reader, turns));
    await turns.due();
  }
  return items;
}

async function receiptsToCross(receipts: readonly StoredReceipt[]): Promise<Crossing<StoredReceipt>> {
  const logs = receipts.reduce((sum, receipt) => sum + receipt.logs.length + receipt.l2ToL1Logs.length, 0);
  return logs <= LOGS_APART ? apart(receipts) : packed(receipts, writeReceipt);
}

function writeFoundLog(out: ByteWriter, log: FoundLog): void {
  out.varint(log.blockNumber);
  out.fixed(log.blockHash, HASH);
  out.big(log.blockTimestamp);
  out.fixed(log.transactionHash, HASH);
  out.varint(log.transactionIndex);
  out.varint(log.logIndex);
  writeLog(out, log);
}

function readFoundLog(reader: ByteReader): FoundLog {
  return {
    blockNumber: reader.varint(),
    blockHash: reader.fixed(HASH),
    blockTimestamp: reader.big(),
    transactionHash: reader.fixed(HASH),
    transactionIndex: reader.varint(),
    logIndex: reader.varint(),
    ...readLog(reader),
  };
}

async function writeReceipt(out: ByteWriter, receipt: StoredReceipt, turns: Turns): Promise<void> {
  const { to, meta } = receipt;
  const { contractAddress } = meta;
  out.byte((receipt.success ? SUCCESS : 0) | (to ? HAS_TO : 0) | (contractAddress ? HAS_CONTRACT : 0));
  out.fixed(receipt.transactionHash, HASH);
  out.byte(receipt.transactionType);
  out.fixed(receipt.sender, ADDRESS);
  if (to) out.fixed(to, ADDRESS);
  out.big(receipt.cumulativeGasUsed);
  out.fixed(receipt.logsBloom, BLOOM_LENGTH);
  out.fixed(meta.blockHash, HASH);
  out.varint(meta.blockNumber);
  out.big(meta.blockTimestamp);
  out.varint(meta.transactionIndex);
  out.big(meta.effectiveGasPrice);
  out.varint(meta.logsBefore);
  out.big(meta.gasUsed);
  if (contractAddress) out.fixed(contractAddress, ADDRESS);
  out.varint(receipt.logs.length);
  for (const log of receipt.logs) {
    writeLog(out, log);
    const turn = turns.due();
    if (turn !== undefined) await turn;
  }
  out.varint(receipt.l2ToL1Logs.length);
  for (const log of receipt.l2ToL1Logs) writeL2ToL1Log(out, log);
}

async function readReceipt(reader: ByteReader, turns: Turns): Promise<StoredReceipt> {
  const flags = reader.byte();
  const outline = {
    success: (flags & SUCCESS) !== 0,
    transactionHash: reader.fixed(HASH),
    transactionType: reader.byte(),
    sender: reader.fixed(ADDRESS),
    to: (flags & HAS_TO) !== 0 ? reader.fixed(ADDRESS) : undefined,
    cumulativeGasUsed: reader.big(),
    logsBloom: reader.fixed(BLOOM_LENGTH),
  };
  const meta = {
    blockHash: reader.fixed(HASH),
    blockNumber: reader.varint(),
    blockTimestamp: reader.big(),
    transactionIndex: reader.varint(),
    effectiveGasPrice: reader.big(),
    logsBefore: reader.varint(),
    gasUsed: reader.big(),
    contractAddress: (flags & HAS_CONTRACT) !== 0 ? reader.fixed(ADDRESS) : undefined,
  };
  const logs = await readInTurns(reader, readLog, turns);
  const l2ToL1Logs = await readInTurns(reader, readL2ToL1Log, turns);
  return { ...outline, logs, l2ToL1Logs, meta };
}

async function readInTurns<T>(reader: ByteReader, read: (reader: ByteReader) => T, turns: Turns): Promise<T[]> {
  const items: T[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    items.push(read(reader));
    const turn = turns.due();
    if (turn !== undefined) await turn;
  }
  return items;
}
