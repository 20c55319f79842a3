/** State after a block, asked of the chain worker; what is asked in one turn for one block travels and is read together. */
import type { Bytes } from '../common/bytes.ts';
import type { StateAtBlock } from '../rpc/backend.ts';
import type { MissingKey } from '../vm/loadedState.ts';

interface StateSource {
  readStateAt(keys: readonly MissingKey[], height: number): Promise<(Bytes | undefined)[]>;
}

interface Waiting {
  readonly keys: MissingKey[];
  readonly resolves: ((value: Bytes | undefined) => void)[];
  readonly rejects: ((error: unknown) => void)[];
}

export function remoteState(source: StateSource): StateAtBlock {
  const waiting = new Map<number, Waiting>();

  const flush = (height: number): void => {
    const batch = waiting.get(height);
    waiting.delete(height);
    if (batch === undefined) return;
    source.readStateAt(batch.keys, height).then(
      (values) => batch.resolves.forEach((resolve, index) => resolve(values[index])),
      (error: unknown) => batch.rejects.forEach((reject) => reject(error)),
    );
  };

  const read = (key: MissingKey, height: number): Promise<Bytes | undefined> =>
    new Promise((resolve, reject) => {
      let batch = waiting.get(height);
      if (batch === undefined) {
        batch = { keys: [], resolves: [], rejects: [] };
        waiting.set(height, batch);
        queueMicrotask(() => flush(height));
      }
      batch.keys.push(key);
      batch.resolves.push(resolve);
      batch.rejects.push(reject);
    });

  return {
    account: (address, blockNumber) => read({ kind: 'account', address }, blockNumber),
    slot: (address, slot, blockNumber) => read({ kind: 'slot', address, slot }, blockNumber),
    preimage: (hash) => read({ kind: 'preimage', hash }, 0),
  };
}
