import assert from 'node:assert/strict';
import type { Bytes } from '../../src/common/bytes.ts';
import { RpcError } from '../../src/rpc/errors.ts';
import type { ChainService } from '../../src/workers/chainWorker.ts';
import { PendingListeners, localPool } from '../../src/workers/pools.ts';
import type { Remote } from '../../src/workers/threadPort.ts';
import { aWord, anAddress } from '../support/factories.ts';

describe('localPool', () => {
  it('refuses what is too large before it is decoded anywhere', async () => {
    const asked: number[] = [];
    const chain = { submit: () => Promise.resolve(aWord(1)) };
    const recover = (raw: Bytes): Promise<Bytes> => {
      asked.push(raw.length);
      return Promise.resolve(anAddress(1));
    };
    const pool = localPool(chain as unknown as Remote<ChainService>, recover, new PendingListeners(), 1_000);
    await assert.rejects(
      pool.submit(new Uint8Array(1_001)),
      (error) =>
        error instanceof RpcError &&
        error.rpcCode === -32602 &&
        error.message === 'oversized data: input data too large: 1001 bytes, limit 1000',
    );
    assert.deepEqual(await pool.submit(new Uint8Array(1_000)), aWord(1));
    assert.deepEqual(asked, [1_000]);
  });
});
