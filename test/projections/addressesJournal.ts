/** Journals in which a few addresses appear again and again, and a search that looks at everything. */
import { equalBytes, padAddress, type Bytes } from '../../src/common/bytes.ts';
import { addresses } from '../../src/projections/addresses.ts';
import type { AddressesReader } from '../../src/projections/addressesReader.ts';
import { PendingWrites } from '../../src/projections/pendingWrites.ts';
import type { TransactionPlace } from '../../src/projections/transactionPlace.ts';
import {
  accountRecordHash,
  deployedAccountFields,
  encodeAccountRecord,
  storedCode,
} from '../../src/protocol/accountRecord.ts';
import { accountFlatKey, ACCOUNT_PROPERTIES_ADDRESS } from '../../src/protocol/stateKey.ts';
import type { Preimage, StorageWrite } from '../../src/protocol/blockOutput.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import type { CanonicalBlock, JournalEntry } from '../../src/store/journal.ts';
import { MemoryStore } from '../../src/store/keyValueStore.memory.ts';
import { aJournal, Random } from './journalFactory.ts';

export interface AddressesJournal {
  readonly entries: readonly JournalEntry[];
  /** Those that appear often, and one that never does. */
  readonly addresses: readonly Bytes[];
}

export function anAddressesJournal(shape: {
  readonly seed: number;
  readonly blocks: number;
  readonly transactionsPerBlock?: number;
}): AddressesJournal {
  const { seed, blocks, transactionsPerBlock = 4 } = shape;
  const random = new Random(seed * 7_919);
  const known = Array.from({ length: 6 }, () => random.bytes(20));
  const [never, ...pool] = known;
  if (never === undefined) throw new Error('no address');
  const emitters = pool.slice(0, 3);
  const entries = aJournal({ seed, blocks, transactionsPerBlock, logsPerTransaction: 1.2, addresses: emitters });
  return {
    entries: entries.map(({ index, event }) => ({
      index,
      event:
        event.kind !== 'Block' ? event : withSenders(event, () => (random.chance(0.4) ? random.pick(pool) : undefined)),
    })),
    addresses: known,
  };
}

function withSenders(block: CanonicalBlock, pick: () => Bytes | undefined): CanonicalBlock {
  return { ...block, senders: block.senders.map((sender) => pick() ?? sender) };
}

/** An account with that code, written in a block. */
export function accountWrite(address: Bytes, code: Bytes): StorageWrite & { readonly accountRecord: Bytes } {
  const accountRecord = encodeAccountRecord({ nonce: 1n, balance: 5n, ...deployedAccountFields(code) });
  return {
    flatKey: accountFlatKey(address),
    value: accountRecordHash(accountRecord),
    address: ACCOUNT_PROPERTIES_ADDRESS,
    slot: padAddress(address),
    accountRecord,
  };
}

export function codePreimage(code: Bytes): Preimage {
  const bytes = storedCode(code);
  return { hash: deployedAccountFields(code, bytes).bytecodeHash, bytes };
}

/** The index of a journal, in memory. */
export async function addressesOf(entries: readonly JournalEntry[]): Promise<AddressesReader> {
  const store = new MemoryStore();
  for (const entry of entries) {
    const tx = new PendingWrites(store);
    await addresses.apply(entry, tx);
    await store.write(tx.batch);
  }
  return addresses.reader(store);
}

/** Every place in which the address appears, oldest first. */
export function naiveAppearances(entries: readonly JournalEntry[], address: Bytes): TransactionPlace[] {
  const places: TransactionPlace[] = [];
  for (const { event } of entries) {
    if (event.kind !== 'Block') continue;
    for (const [transactionIndex, raw] of event.record.transactions.entries()) {
      const result = event.output.transactions[transactionIndex];
      const logs = (result?.logs ?? []).map((log) => log.address);
      const inIt = [event.senders[transactionIndex], decodeTransaction(raw).to, result?.contractAddress, ...logs];
      if (inIt.some((each) => each !== undefined && equalBytes(each, address)))
        places.push({ blockNumber: event.height, transactionIndex });
    }
  }
  return places;
}
