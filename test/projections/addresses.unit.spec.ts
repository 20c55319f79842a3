import assert from 'node:assert/strict';
import { bytesKey, type Bytes } from '../../src/common/bytes.ts';
import { addresses } from '../../src/projections/addresses.ts';
import type { AddressesReader, AppearanceQuery, Creation } from '../../src/projections/addressesReader.ts';
import type { TransactionPlace } from '../../src/projections/transactionPlace.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import type { CanonicalBlock, JournalEntry } from '../../src/store/journal.ts';
import { anAddress, code } from '../support/factories.ts';
import { projectionContract } from '../contracts/projection.contract.ts';
import { accountWrite, addressesOf, anAddressesJournal, codePreimage, naiveAppearances } from './addressesJournal.ts';
import { aJournal } from './journalFactory.ts';

const HEAD = 2 ** 40;

describe('projections/addresses', () => {
  describe('as every projection', () => {
    projectionContract(addresses, anAddressesJournal({ seed: 3, blocks: 24 }).entries);
  });

  describe('appearances', () => {
    /** Page after page from one end to the other; at most `size` but for the block in which a page ends. */
    async function walked(
      reader: AddressesReader,
      query: { address: Uint8Array; newestFirst: boolean; size: number },
    ): Promise<TransactionPlace[]> {
      const found: TransactionPlace[] = [];
      let [fromBlock, toBlock] = [0, HEAD];
      for (let pages = 0; pages < 10_000; pages++) {
        const { places, isComplete } = await reader.appearances({ ...query, fromBlock, toBlock });
        const last = places.at(-1);
        const beforeLastBlock = places.filter(({ blockNumber }) => blockNumber !== last?.blockNumber);
        assert.ok(beforeLastBlock.length < query.size, 'a page goes on after it was long enough');
        found.push(...places);
        if (isComplete) return found;
        assert.ok(places.length >= query.size && last !== undefined, 'a page is short and not the last');
        if (query.newestFirst) toBlock = last.blockNumber - 1;
        else fromBlock = last.blockNumber + 1;
      }
      return assert.fail('no end');
    }

    it('are what a search of everything finds, in both directions and pages of any size', async () => {
      let pages = 0;
      for (const seed of [1, 2, 3, 4]) {
        const journal = anAddressesJournal({ seed, blocks: 25, transactionsPerBlock: seed * 2 });
        const reader = await addressesOf(journal.entries);
        for (const address of journal.addresses) {
          const naive = naiveAppearances(journal.entries, address);
          for (const size of [1, 2, 7, 25, 1000]) {
            assert.deepEqual(await walked(reader, { address, newestFirst: false, size }), naive);
            assert.deepEqual(await walked(reader, { address, newestFirst: true, size }), naive.toReversed());
            pages += naive.length / size;
          }
        }
      }
      assert.ok(pages > 500, `${pages} pages`);
    });

    it('hold recipients and created contracts that appear once', async () => {
      const entries = aJournal({ seed: 9, blocks: 10 });
      const reader = await addressesOf(entries);
      for (const { event } of entries) {
        if (event.kind !== 'Block') continue;
        for (const [transactionIndex, raw] of event.record.transactions.entries()) {
          const contractAddress: Bytes | undefined = event.output.transactions[transactionIndex]?.contractAddress;
          const place: TransactionPlace = { blockNumber: event.height, transactionIndex };
          for (const address of [decodeTransaction(raw).to, contractAddress])
            if (address !== undefined) {
              const query: AppearanceQuery = { address, fromBlock: 0, toBlock: HEAD, newestFirst: true, size: 5 };
              assert.deepEqual(await reader.appearances(query), { places: [place], isComplete: true });
            }
        }
      }
    });

    it('stay within the blocks asked for', async () => {
      const { entries, addresses: known } = anAddressesJournal({ seed: 5, blocks: 30 });
      const reader = await addressesOf(entries);
      const address = known[1] ?? assert.fail('no address');
      const all = naiveAppearances(entries, address);
      for (const [fromBlock, toBlock] of [
        [3, 9],
        [7, 7],
        [9, 3],
        [31, 50],
      ] as const) {
        const { places } = await reader.appearances({ address, fromBlock, toBlock, newestFirst: false, size: 1000 });
        assert.deepEqual(
          places,
          all.filter(({ blockNumber }) => blockNumber >= fromBlock && blockNumber <= toBlock),
        );
      }
    });
  });

  describe('creations', () => {
    const CODE = code(0x60, 0x01);
    const FACTORY_MADE = anAddress(0xfac);
    const OLDER = anAddress(0x01d);

    /** The journal with these accounts and code written in a block besides what it writes anyway. */
    function withAccounts(
      entries: readonly JournalEntry[],
      height: number,
      accounts: readonly Uint8Array[],
      isDeployed: boolean,
    ): JournalEntry[] {
      return entries.map((entry) => {
        const { event } = entry;
        if (event.kind !== 'Block' || event.height !== height) return entry;
        const writes = [...event.output.writes, ...accounts.map((account) => accountWrite(account, CODE))];
        const preimages = [...event.output.preimages, ...(isDeployed ? [codePreimage(CODE)] : [])];
        const changed: CanonicalBlock = { ...event, output: { ...event.output, writes, preimages } };
        return { ...entry, event: changed };
      });
    }

    it('of transactions without recipient that succeed are theirs', async () => {
      const { entries } = anAddressesJournal({ seed: 6, blocks: 20 });
      const reader = await addressesOf(entries);
      let found = 0;
      for (const { event } of entries) {
        if (event.kind !== 'Block') continue;
        for (const [transactionIndex, { contractAddress, success }] of event.output.transactions.entries()) {
          if (contractAddress === undefined) continue;
          const place: TransactionPlace = { blockNumber: event.height, transactionIndex };
          const creator: Bytes | undefined = event.senders[transactionIndex];
          assert.ok(creator !== undefined);
          const expected: Creation | undefined = success ? { kind: 'transaction', place, creator } : undefined;
          assert.deepEqual(await reader.creation(contractAddress), expected);
          found += success ? 1 : 0;
        }
      }
      assert.ok(found > 5, `${found} creations`);
    });

    it('of contracts are known by block, as soon as their account has code that the block deploys', async () => {
      let entries: readonly JournalEntry[] = aJournal({ seed: 2, blocks: 9 });
      entries = withAccounts(entries, 4, [FACTORY_MADE], true);
      // Its balance changes, and nothing is deployed; then the same code is deployed elsewhere.
      entries = withAccounts(entries, 6, [FACTORY_MADE, OLDER], false);
      entries = withAccounts(entries, 8, [FACTORY_MADE, anAddress(0xb)], true);
      const reader = await addressesOf(entries);
      assert.deepEqual(await reader.creation(FACTORY_MADE), { kind: 'block', blockNumber: 4 });
      assert.deepEqual(await reader.creation(anAddress(0xb)), { kind: 'block', blockNumber: 8 });
      assert.equal(await reader.creation(OLDER), undefined);
    });

    it('of the transaction itself are not replaced by its account', async () => {
      const [plain] = anAddressesJournal({ seed: 6, blocks: 20 }).entries.flatMap(({ event }) =>
        event.kind === 'Block'
          ? event.output.transactions
              .filter(({ contractAddress, success }) => success && contractAddress !== undefined)
              .map(({ contractAddress }) => ({
                height: event.height,
                contractAddress: contractAddress ?? anAddress(1),
              }))
          : [],
      );
      assert.ok(plain !== undefined);
      const { entries } = anAddressesJournal({ seed: 6, blocks: 20 });
      const reader = await addressesOf(withAccounts(entries, plain.height, [plain.contractAddress], true));
      assert.equal((await reader.creation(plain.contractAddress))?.kind, 'transaction');
      assert.notEqual(bytesKey(plain.contractAddress), bytesKey(FACTORY_MADE));
    });
  });
});
