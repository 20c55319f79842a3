/** A process that may not write large files: it writes a few keys over and over, waits while there is no room, and says how often that was. */
import { u32be } from '../../src/common/bytes.ts';
import { StoreError } from '../../src/store/errors.ts';
import { StoreBatch } from '../../src/store/keyValueStore.ts';
import { openRocksStore } from '../../src/store/keyValueStore.rocks.ts';

const [path = '', batches = '0'] = process.argv.slice(2);
const KEYS = 10;
const VALUE_BYTES = 30_000;
const ATTEMPTS = 20;

const store = await openRocksStore(path);
let refused = 0;
for (let i = 0; i < Number(batches); i++) {
  const batch = new StoreBatch();
  batch.put(u32be(i % KEYS), new Uint8Array(VALUE_BYTES).fill(i));
  for (let attempt = 1; ; attempt++) {
    try {
      await store.write(batch);
      break;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'STORE_DISK_FULL' || attempt === ATTEMPTS) throw error;
      refused += 1;
      // Reading goes on all the time.
      const before = await store.get(u32be((i + KEYS - 1) % KEYS));
      if (before?.[0] !== (i - 1) % 256) throw new Error(`write ${i - 1} is gone`, { cause: error });
    }
  }
}
await store.close();
process.stdout.write(`${refused}\n`);
