import assert from 'node:assert/strict';
import { toHex, type Bytes } from '../../src/common/bytes.ts';
import type { AddressesReader } from '../../src/projections/addressesReader.ts';
import type { RepositoriesReader } from '../../src/projections/repositoriesReader.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { addressesOf, anAddressesJournal, naiveAppearances } from '../projections/addressesJournal.ts';
import { repositoriesOf } from '../projections/repositoriesOf.ts';
import { anAddress } from '../support/factories.ts';
import { FakeChain, startTestServer, type TestServer } from './fakeBackend.ts';

interface Page {
  readonly txs: readonly { readonly hash: string; readonly blockNumber: string; readonly input: string }[];
  readonly receipts: readonly (Readonly<Record<string, unknown>> & { readonly logs: unknown })[];
  readonly firstPage: boolean;
  readonly lastPage: boolean;
}

const BLOCKS = 30;
/** Blocks beyond `latest` that both stores have already. */
const AHEAD = 5;
const LATEST = BLOCKS - AHEAD;

describe('ots methods that search', () => {
  const chain = new FakeChain();
  const journal = anAddressesJournal({ seed: 11, blocks: BLOCKS, transactionsPerBlock: 5 });
  const [never, ...often] = journal.addresses;
  let repositories: RepositoriesReader;
  let reader: AddressesReader;
  let test: TestServer;
  let indexed: number;

  before(async () => {
    [repositories, reader] = await Promise.all([repositoriesOf(journal.entries), addressesOf(journal.entries)]);
    const backend = {
      ...chain.backend(),
      repositories,
      latest: () => LATEST,
      addresses: { reader, height: () => indexed, whenReached: async () => undefined },
    };
    test = await startTestServer(chain, { backend });
  });

  beforeEach(() => {
    indexed = LATEST;
    chain.traceRequests.length = 0;
  });

  after(() => test.server.close({ timeoutMs: 500 }));

  async function page(direction: 'Before' | 'After', ...params: readonly unknown[]): Promise<Page> {
    const { error, result } = await test.call(`ots_searchTransactions${direction}`, ...params);
    assert.equal(error, undefined);
    return result as Page;
  }

  /** Newest first, up to `latest`. */
  function naive(address: Bytes): { hash: string; block: number }[] {
    return naiveAppearances(journal.entries, address)
      .filter(({ blockNumber }) => blockNumber <= LATEST)
      .toReversed()
      .map(({ blockNumber, transactionIndex }) => {
        const { event } = journal.entries[blockNumber] ?? assert.fail('no entry');
        assert.ok(event.kind === 'Block');
        const raw = event.record.transactions[transactionIndex] ?? assert.fail('no transaction');
        return { hash: toHex(decodeTransaction(raw).hash), block: blockNumber };
      });
  }

  const hashesOf = ({ txs }: Page): string[] => txs.map(({ hash }) => hash);

  it('walk from the newest transaction to the oldest and back, without repeats or gaps', async () => {
    for (const address of often) {
      const all = naive(address).map(({ hash }) => hash);
      assert.ok(all.length > 5);
      for (const size of [1, 3, 8, 500]) {
        const down: Page[] = [await page('Before', toHex(address), 0, size)];
        while (down.at(-1)?.lastPage === false) {
          const oldest = Number(down.at(-1)?.txs.at(-1)?.blockNumber);
          down.push(await page('Before', toHex(address), oldest, size));
        }
        assert.deepEqual(down.flatMap(hashesOf), all);
        const up: Page[] = [await page('After', toHex(address), 0, size)];
        while (up[0]?.firstPage === false)
          up.unshift(await page('After', toHex(address), Number(up[0].txs[0]?.blockNumber), size));
        assert.deepEqual(up.flatMap(hashesOf), all);
        for (const pages of [down, up])
          for (const [i, { firstPage, lastPage, txs }] of pages.entries()) {
            assert.deepEqual([firstPage, lastPage], [i === 0, i === pages.length - 1]);
            if (pages.length > 1 && (pages === down ? !lastPage : !firstPage)) assert.ok(txs.length >= size);
          }
      }
    }
  });

  it('tell from any block on what is newer and older', async () => {
    const address = often[0] ?? assert.fail('no address');
    const all = naive(address);
    for (let block = 1; block <= LATEST + 3; block++) {
      const older = all.filter((each) => each.block < block);
      const before = await page('Before', toHex(address), block, 500);
      assert.deepEqual(
        hashesOf(before),
        older.map(({ hash }) => hash),
      );
      assert.deepEqual([before.firstPage, before.lastPage], [older.length === all.length, true], `before ${block}`);
      const newer = all.filter((each) => each.block > block);
      const after = await page('After', toHex(address), block, 500);
      assert.deepEqual(
        hashesOf(after),
        newer.map(({ hash }) => hash),
      );
      assert.deepEqual([after.firstPage, after.lastPage], [true, newer.length === all.length], `after ${block}`);
    }
  });

  it('give transactions whole, and receipts with logs and time', async () => {
    const address = often[1] ?? assert.fail('no address');
    const { txs, receipts } = await page('Before', toHex(address), '0x0', 500);
    for (const [i, transaction] of txs.entries()) {
      assert.deepEqual(transaction, (await test.call('eth_getTransactionByHash', transaction.hash)).result);
      const { timestamp, ...receipt } = receipts[i] ?? assert.fail('no receipt');
      assert.deepEqual(receipt, (await test.call('eth_getTransactionReceipt', transaction.hash)).result);
      assert.equal(timestamp, 1_700_000_000 + Number(transaction.blockNumber));
    }
  });

  it('take tags, quantities and numbers; find nothing of an address that never appeared', async () => {
    const address = often[0] ?? assert.fail('no address');
    const latest = await page('Before', toHex(address), 'latest', 5);
    for (const block of [LATEST, `0x${LATEST.toString(16)}`])
      assert.deepEqual(await page('Before', toHex(address), block, 5), latest);
    for (const direction of ['Before', 'After'] as const)
      for (const block of [0, 7, 99])
        assert.deepEqual(await page(direction, toHex(never ?? anAddress(1)), block, 5), {
          txs: [],
          receipts: [],
          firstPage: true,
          lastPage: true,
        });
  });

  it('refuse pages of no size, or too long ones', async () => {
    for (const size of [0, 501, -3, undefined])
      assert.equal((await test.call('ots_searchTransactionsBefore', toHex(anAddress(1)), 0, size)).error?.code, -32602);
  });

  it('refuse instead of leaving out what is not indexed yet, or at all', async () => {
    const calls = [
      ['ots_searchTransactionsBefore', toHex(anAddress(1)), 0, 5],
      ['ots_searchTransactionsAfter', toHex(anAddress(1)), 0, 5],
      ['ots_getContractCreator', toHex(anAddress(1))],
    ] as const;
    for (const [method, ...params] of calls) {
      for (const height of [LATEST - 1, -1]) {
        indexed = height;
        const { error } = await test.call(method, ...params);
        assert.equal(error?.code, -32000);
        assert.match(error?.message ?? '', /^the index of addresses is at block \d+ of 25/);
      }
      const without = await startTestServer(chain);
      const { error } = await without.call(method, ...params);
      assert.equal(error?.message, 'this node keeps no index of addresses (projection_addresses_enabled)');
      await without.server.close({ timeoutMs: 500 });
    }
  });

  it('wait for an index that is a moment behind, not for one that is being built', async () => {
    const waits: number[] = [];
    let height = LATEST - 1;
    const addresses = {
      reader,
      height: () => height,
      whenReached: async (wanted: number) => {
        waits.push(wanted);
        height = wanted;
      },
    };
    const backend = { ...chain.backend(), repositories, latest: () => LATEST, addresses };
    const behind = await startTestServer(chain, { backend });
    assert.equal((await behind.call('ots_getContractCreator', toHex(anAddress(1)))).error, undefined);
    height = LATEST - 20;
    assert.equal((await behind.call('ots_getContractCreator', toHex(anAddress(1)))).error?.code, -32000);
    assert.deepEqual(waits, [LATEST]);
    await behind.server.close({ timeoutMs: 500 });
  });

  it('name the creator of a contract: its transaction, or the contract that a trace of the block finds', async () => {
    const creator = often[0] ?? assert.fail('no address');
    const contract = anAddress(0xc0de);
    const known = { kind: 'transaction', place: { blockNumber: 3, transactionIndex: 2 }, creator } as const;
    const fromContract = { kind: 'block', blockNumber: 4 } as const;
    let creation: Awaited<ReturnType<AddressesReader['creation']>>;
    const addresses = {
      reader: { ...reader, creation: async () => creation } as AddressesReader,
      height: () => LATEST,
      whenReached: async () => undefined,
    };
    const backend = { ...chain.backend(), repositories, latest: () => LATEST, addresses };
    const server = await startTestServer(chain, { backend });
    const ask = async (): Promise<unknown> => (await server.call('ots_getContractCreator', toHex(contract))).result;
    assert.equal(await ask(), null);
    creation = known;
    const hash = toHex((await repositories.blockByNumber(3))?.transactionHashes[2] ?? new Uint8Array(0));
    assert.deepEqual(await ask(), { hash, creator: toHex(creator) });
    assert.equal(chain.traceRequests.length, 0);
    creation = fromContract;
    chain.trace = async () => '[{"txHash":"0x01","result":null},{"txHash":"0x02","result":"0xfac"}]';
    assert.deepEqual(await ask(), { hash: '0x02', creator: '0xfac' });
    const tracer = { name: 'creation', config: { contract } };
    assert.deepEqual(chain.traceRequests, [{ kind: 'block', blockNumber: 4, tracer, timeoutMs: undefined }]);
    chain.trace = async () => '[{"txHash":"0x01","result":null}]';
    assert.equal(await ask(), null);
    for (const later of [
      { ...known, place: { blockNumber: LATEST + 1, transactionIndex: 0 } },
      { ...fromContract, blockNumber: LATEST + 1 },
    ]) {
      creation = later;
      assert.equal(await ask(), null);
    }
    await server.server.close({ timeoutMs: 500 });
  });
});
