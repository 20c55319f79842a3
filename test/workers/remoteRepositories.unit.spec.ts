import assert from 'node:assert/strict';
import { MessageChannel } from 'node:worker_threads';
import type { RepositoriesReader } from '../../src/projections/repositoriesReader.ts';
import {
  type RepositoriesService,
  remoteRepositories,
  servedRepositories,
} from '../../src/workers/remoteRepositories.ts';
import { ThreadPort } from '../../src/workers/threadPort.ts';
import { aJournal } from '../projections/journalFactory.ts';
import { repositoriesOf } from '../projections/repositoriesOf.ts';

const MANY = { fromBlock: 1, toBlock: 6, addresses: [], topics: [], maxResults: 1e6 };

describe('workers/remoteRepositories', () => {
  for (const logsPerTransaction of [0.2, 40]) {
    describe(`with about ${logsPerTransaction} logs in a transaction`, () => {
      const entries = aJournal({ blocks: 6, logsPerTransaction, seed: 8 });
      const { port1, port2 } = new MessageChannel();
      let reader: RepositoriesReader;
      let remote: RepositoriesReader;

      before(async () => {
        reader = await repositoriesOf(entries);
        new ThreadPort(port1).serve<RepositoriesService>('repositories', servedRepositories(reader));
        remote = remoteRepositories(new ThreadPort(port2).remote<RepositoriesService>('repositories'));
      });

      after(() => port1.close());

      it('answers what the reader answers', async () => {
        assert.deepEqual(await remote.logs(MANY), await reader.logs(MANY));
        assert.deepEqual(await remote.logs({ ...MANY, maxResults: 1 }), await reader.logs({ ...MANY, maxResults: 1 }));
        for (let height = 0; height <= 7; height++) {
          const receipts = await reader.receiptsOfBlock(height);
          assert.deepEqual(await remote.receiptsOfBlock(height), receipts);
          assert.deepEqual(await remote.blockByNumber(height), await reader.blockByNumber(height));
          assert.deepEqual(await remote.transactionsOfBlock(height), await reader.transactionsOfBlock(height));
          for (const { transactionHash, meta } of receipts ?? []) {
            assert.deepEqual(await remote.receiptByHash(transactionHash), await reader.receiptByHash(transactionHash));
            assert.equal(await remote.blockNumberByHash(meta.blockHash), height);
          }
          const places = [9, 0, 1].map((transactionIndex) => ({ blockNumber: height, transactionIndex }));
          assert.deepEqual(await remote.transactionsAt(places), await reader.transactionsAt(places));
          assert.equal(await remote.feesOfBlock(height), await reader.feesOfBlock(height));
        }
        assert.equal(await remote.receiptByHash(new Uint8Array(32)), undefined);
      });
    });
  }

  it('many logs cross as one piece of memory', async () => {
    const entries = aJournal({ blocks: 6, logsPerTransaction: 40, seed: 8 });
    const served = servedRepositories(await repositoriesOf(entries));
    const search = await served.logs(MANY);
    assert.ok(search.kind === 'found' && search.logs.kind === 'packed');
    assert.equal((await served.receiptsOfBlock(2))?.kind, 'packed');
  });
});
