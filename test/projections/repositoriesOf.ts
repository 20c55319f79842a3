/** The `repositories` of a journal, in memory. */
import { PendingWrites } from '../../src/projections/pendingWrites.ts';
import type { JournalEntry } from '../../src/projections/projection.ts';
import { repositories } from '../../src/projections/repositories.ts';
import type { RepositoriesReader } from '../../src/projections/repositoriesReader.ts';
import type { KeyValueStore } from '../../src/store/keyValueStore.ts';
import { MemoryStore } from '../../src/store/keyValueStore.memory.ts';

export async function repositoriesOf(entries: readonly JournalEntry[]): Promise<RepositoriesReader> {
  const store = new MemoryStore();
  await applyRepositories(store, entries);
  return repositories.reader(store);
}

export async function applyRepositories(store: KeyValueStore, entries: readonly JournalEntry[]): Promise<void> {
  for (const entry of entries) {
    const tx = new PendingWrites(store);
    await repositories.apply(entry, tx);
    await store.write(tx.batch);
  }
}
