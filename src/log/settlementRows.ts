/**
 * The fold of settlement as rows of the chain store. Counters lie in the checkpoint; batches and ranges are rows of their
 * own, so that a step writes what it changed and not everything that waits for L1.
 */
import { type Bytes, concatBytes, readU64be, u64be } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { AvroError, AvroReader, AvroWriter } from './avro.ts';
import {
  CHUNK_BATCHES,
  EMPTY_SETTLEMENT,
  type KeptBatches,
  type SealedBatch,
  type SettlementCounters,
  type SettlementFold,
  type SnarkRange,
  checkSettlement,
  sealedBatch,
  withBatch,
} from './settlementFold.ts';

/** Key below the bucket; undefined value: the row goes. */
export interface SettlementRow {
  readonly key: Bytes;
  readonly value: Bytes | undefined;
}

/** -> u64 last block, stored batch hash, hash of the FRI proof if there is one */
const BATCH = 0;
/** -> u64 last batch, hash of the SNARK proof */
const SNARK = 1;
const writer = new AvroWriter();

/** What one step changed. */
export function changedRows(before: SettlementFold, after: SettlementFold): SettlementRow[] {
  const rows: SettlementRow[] = [];
  if (before.batches !== after.batches) {
    // Below the new `executed` rows go, above it a step adds or changes one at a time.
    for (let batch = before.executed; batch < after.executed; batch++)
      if (sealedBatch(before, batch) !== undefined) rows.push({ key: rowKey(BATCH, batch), value: undefined });
    const { firstChunk, chunks } = after.batches;
    chunks.forEach((chunk, i) => {
      const known = before.batches.chunks[firstChunk + i - before.batches.firstChunk];
      if (chunk === known) return;
      chunk.forEach((sealed, at) => {
        if (sealed === undefined || sealed === known?.[at]) return;
        rows.push({ key: rowKey(BATCH, (firstChunk + i) * CHUNK_BATCHES + at), value: encodeBatch(sealed) });
      });
    });
  }
  if (before.snarks !== after.snarks) {
    for (const [from, range] of after.snarks)
      if (before.snarks.get(from) !== range) rows.push({ key: rowKey(SNARK, from), value: encodeSnark(range) });
    for (const from of before.snarks.keys())
      if (!after.snarks.has(from)) rows.push({ key: rowKey(SNARK, from), value: undefined });
  }
  return rows;
}

/** From the checkpoint's counters and all rows, in the order of their keys. Throws a NodeError SETTLEMENT_STATE_DAMAGED. */
export function restoreSettlement(
  counters: SettlementCounters,
  rows: Iterable<readonly [key: Bytes, value: Bytes]>,
): SettlementFold {
  let batches: KeptBatches = EMPTY_SETTLEMENT.batches;
  const snarks = new Map<number, SnarkRange>();
  let kept = 0;
  try {
    for (const [key, value] of rows) {
      const number = Number(readU64be(key, 1));
      const input = new AvroReader(value, 0);
      if (key[0] === BATCH) {
        batches = withBatch(batches, number, {
          lastBlock: Number(input.u64()),
          storedBatchHash: input.fixed(32),
          friProof: input.optional(() => input.fixed(32)),
        });
        kept += 1;
      } else {
        snarks.set(number, { toBatch: Number(input.u64()), proof: input.fixed(32) });
      }
      if (!input.atEnd) throw new AvroError('trailing bytes');
    }
    const state: SettlementFold = { ...counters, batches, snarks };
    checkSettlement(state);
    const expected = counters.sealed - Math.max(1, counters.executed) + 1;
    if (kept !== Math.max(0, expected)) throw new AvroError(`${kept} batches where ${expected} are kept`);
    for (let batch = Math.max(1, counters.executed); batch <= counters.sealed; batch++)
      if (sealedBatch(state, batch) === undefined) throw new AvroError(`batch ${batch} is missing`);
    return state;
  } catch (error) {
    throw new NodeError(
      'fatal',
      `the settlement state of the chain store is damaged: ${error instanceof Error ? error.message : String(error)}. Build it again from the log with \`reprise rebuild state\`.`,
      { code: 'SETTLEMENT_STATE_DAMAGED' },
      { cause: error },
    );
  }
}

function rowKey(kind: number, number: number): Bytes {
  return concatBytes(Uint8Array.of(kind), u64be(number));
}

function encodeBatch(sealed: SealedBatch): Bytes {
  writer.reset();
  writer.u64(BigInt(sealed.lastBlock));
  writer.fixed(sealed.storedBatchHash, 32);
  writer.optional(sealed.friProof, (hash) => writer.fixed(hash, 32));
  return writer.finish();
}

function encodeSnark(range: SnarkRange): Bytes {
  writer.reset();
  writer.u64(BigInt(range.toBatch));
  writer.fixed(range.proof, 32);
  return writer.finish();
}
