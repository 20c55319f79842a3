/** Where a projection stands: written in the same atomic batch as its data, by its runner alone. */
import type { Bytes } from '../common/bytes.ts';
import { PROJECTION_CHECKPOINT } from '../store/buckets.ts';
import { ByteReader } from '../store/byteReader.ts';
import { ByteWriter } from '../store/byteWriter.ts';
import { StoreError } from '../store/errors.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';

const LAYOUT = 1;
const LOG_ID_BYTES = 16;
const HASH = 32;

export interface Checkpoint {
  readonly logId: Bytes;
  /** Index of the next journal entry. */
  readonly nextIndex: number;
  /** Of the last applied block. */
  readonly height: number;
  readonly blockHash: Bytes;
}

/** undefined: nothing was applied yet. Throws STORE_FORMAT when another version of this program wrote it. */
export async function readCheckpoint(store: KeyValueStore): Promise<Checkpoint | undefined> {
  const value = await store.get(PROJECTION_CHECKPOINT);
  return value === undefined ? undefined : decodeCheckpoint(value);
}

/** Throws STORE_FORMAT when another version of this program wrote it. */
export function decodeCheckpoint(value: Bytes): Checkpoint {
  const reader = new ByteReader(value);
  const layout = reader.byte();
  if (layout !== LAYOUT) {
    throw new StoreError(
      'fatal',
      'STORE_FORMAT',
      `Failed to deserialize context: the checkpoint has layout ${layout}, this version reads ${LAYOUT}`,
      { layout },
    );
  }
  const logId = reader.fixedCopy(LOG_ID_BYTES);
  const nextIndex = reader.varint();
  const height = reader.varint();
  const blockHash = reader.fixedCopy(HASH);
  reader.finish();
  return { logId, nextIndex, height, blockHash };
}

const writer = new ByteWriter();

export function encodeCheckpoint(checkpoint: Checkpoint): Bytes {
  writer.reset();
  writer.byte(LAYOUT);
  writer.fixed(checkpoint.logId, LOG_ID_BYTES);
  writer.varint(checkpoint.nextIndex);
  writer.varint(checkpoint.height);
  writer.fixed(checkpoint.blockHash, HASH);
  return writer.take();
}
