/** Journals with everything that analytics knows: token transfers of both standards, messages to L1, several minutes. */
import { bigIntToBytes, concatBytes, padAddress, u32be, type Bytes } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import type { L2ToL1Log, Log, TransactionOutput } from '../../src/protocol/blockOutput.ts';
import { L1_MESSENGER_ADDRESS } from '../../src/protocol/systemAddresses.ts';
import type { CanonicalBlock, JournalEntry } from '../../src/store/journal.ts';
import { aJournal, type JournalShape } from './journalFactory.ts';

const TRANSFER = keccak256(new TextEncoder().encode('Transfer(address,address,uint256)'));
/** Blocks of a minute. */
const BLOCKS_PER_MINUTE = 7;

export function anAddress(seed: number): Bytes {
  return keccak256(u32be(seed)).slice(0, 20);
}

export function anErc20Transfer(token: Bytes, from: Bytes, to: Bytes, amount: bigint): Log {
  return { address: token, topics: [TRANSFER, padAddress(from), padAddress(to)], data: bigIntToBytes(amount, 32) };
}

export function anErc721Transfer(token: Bytes, from: Bytes, to: Bytes, tokenId: bigint): Log {
  const topics = [TRANSFER, padAddress(from), padAddress(to), bigIntToBytes(tokenId, 32)];
  return { address: token, topics, data: new Uint8Array(0) };
}

export function aMessage(index: number, sender: Bytes): Pick<TransactionOutput, 'l2ToL1Logs' | 'messages'> {
  const data = concatBytes(sender, u32be(index));
  const log: L2ToL1Log = {
    shardId: 0,
    isService: true,
    txNumberInBlock: index,
    sender: L1_MESSENGER_ADDRESS,
    key: padAddress(sender),
    value: keccak256(data),
  };
  return { l2ToL1Logs: [log], messages: [{ sender, data }] };
}

export function anAnalyticsJournal(changes: Partial<JournalShape> = {}): JournalEntry[] {
  return aJournal({ blocks: 30, largeInputShare: 0, ...changes }).map(({ index, event }) => ({
    index,
    event: event.kind === 'Block' ? enriched(event) : event,
  }));
}

function enriched(block: CanonicalBlock): CanonicalBlock {
  const { height, output } = block;
  const transactions = output.transactions.map((transaction, index) => {
    const [token, from, to] = [anAddress(height % 3), anAddress(100 + index), anAddress(200 + height)];
    const amount = 2n ** BigInt(8 * (height % 32)) + BigInt(index);
    const transfers = [anErc20Transfer(token, from, to, amount), anErc721Transfer(anAddress(9), to, from, amount)];
    return {
      ...transaction,
      logs: [...transaction.logs, ...transfers.slice(0, (height + index) % 3)],
      ...(index === 0 && aMessage(index, from)),
    };
  });
  const timestamp = 1_700_000_000n + BigInt(Math.floor((height * 60) / BLOCKS_PER_MINUTE));
  const before = 1_700_000_000n + BigInt(Math.floor(((height - 1) * 60) / BLOCKS_PER_MINUTE));
  return {
    ...block,
    record: { ...block.record, previousBlockTimestamp: height === 1 ? 0n : before },
    output: { ...output, transactions, header: { ...output.header, timestamp } },
  };
}
