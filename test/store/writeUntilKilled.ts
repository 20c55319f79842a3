/** A process that writes batches of two keys which must agree, and says how far it is, until it is killed. */
import { u32be } from '../../src/common/bytes.ts';
import { StoreBatch } from '../../src/store/keyValueStore.ts';
import { openRocksStore } from '../../src/store/keyValueStore.rocks.ts';

const store = await openRocksStore(process.argv[2] ?? '');
for (let i = 1; ; i++) {
  const batch = new StoreBatch();
  batch.put(u32be(0), u32be(i));
  for (let n = 1; n <= 200; n++) batch.put(u32be(n), u32be(i));
  await store.write(batch);
  process.stdout.write(`${i}\n`);
}
