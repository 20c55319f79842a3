/** Where a store stands in the log, and whether it is still that log (log-protocol 12). */
import { type Bytes, equalBytes, toHex } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { AvroError, AvroReader, AvroWriter } from './avro.ts';
import type { ChainFold } from './chainFold.ts';
import type { SettlementCounters } from './settlementFold.ts';
import { ID_BYTES } from './entry.ts';
import { decodeEntry, entryHash } from './entryCodec.ts';
import type { EventLog } from './eventLog.ts';

/** Written in one atomic batch with the data it speaks of. */
export interface Checkpoint {
  readonly logId: Bytes;
  /** Of the last entry read. */
  readonly position: number;
  /** `entryHash` of the entry there. */
  readonly entryHash: Bytes;
  /** The whole state after that entry. */
  readonly fold: ChainFold;
  /** Of the fold of settlement; its batches lie in rows beside (settlementRows.ts). */
  readonly settlement: SettlementCounters;
}

/** 1 had no state of settlement. */
const FORMAT = 2;
const writer = new AvroWriter();

export function encodeCheckpoint({ logId, position, entryHash: hash, fold, settlement }: Checkpoint): Bytes {
  writer.reset();
  writer.u32(FORMAT);
  writer.fixed(logId, ID_BYTES);
  writer.u64(BigInt(position));
  writer.fixed(hash, 32);
  writer.optional(fold.logId, (id) => writer.fixed(id, ID_BYTES));
  writer.optional(fold.chain, (chain) => writer.u64(chain));
  writer.u32(fold.rules);
  writer.u64(fold.epoch);
  writer.optional(fold.claim, (claim) => writer.fixed(claim, ID_BYTES));
  writer.u64(BigInt(fold.height));
  writer.fixed(fold.parent, 32);
  writer.optional(fold.leaderNodeId, (id) => writer.fixed(id, ID_BYTES));
  writer.u64(BigInt(settlement.sealed));
  writer.u64(BigInt(settlement.committed));
  writer.u64(BigInt(settlement.proved));
  writer.u64(BigInt(settlement.executed));
  writer.u64(settlement.l1Block);
  return writer.finish();
}

/** Throws a NodeError CHECKPOINT_DAMAGED, or CHECKPOINT_FORMAT for one that another version wrote. */
export function decodeCheckpoint(bytes: Bytes): Checkpoint {
  const input = new AvroReader(bytes, 0);
  try {
    const format = input.u32();
    if (format !== FORMAT) throw otherFormat(format);
    const checkpoint: Checkpoint = {
      logId: input.fixed(ID_BYTES),
      position: Number(input.u64()),
      entryHash: input.fixed(32),
      fold: {
        logId: input.optional(() => input.fixed(ID_BYTES)),
        chain: input.optional(() => input.u64()),
        rules: input.u32(),
        epoch: input.u64(),
        claim: input.optional(() => input.fixed(ID_BYTES)),
        height: Number(input.u64()),
        parent: input.fixed(32),
        leaderNodeId: input.optional(() => input.fixed(ID_BYTES)),
      },
      settlement: {
        sealed: Number(input.u64()),
        committed: Number(input.u64()),
        proved: Number(input.u64()),
        executed: Number(input.u64()),
        l1Block: input.u64(),
      },
    };
    if (!input.atEnd) throw new AvroError('trailing bytes');
    return checkpoint;
  } catch (error) {
    if (!(error instanceof AvroError)) throw error;
    throw new NodeError(
      'fatal',
      `the checkpoint cannot be read (${error.message}): rebuild the store, the log has everything`,
      { code: 'CHECKPOINT_DAMAGED' },
      { cause: error },
    );
  }
}

function otherFormat(format: number): NodeError {
  const age = format < FORMAT ? 'older' : 'newer or damaged';
  return new NodeError(
    'fatal',
    `the checkpoint has the ${age} format ${format}, this version reads ${FORMAT}: build the store again from the log with \`reprise rebuild state\``,
    { code: 'CHECKPOINT_FORMAT', format },
  );
}

/**
 * At start, on reconnect, before every claim. Throws a NodeError LOG_REPLACED when the log is not the one of the checkpoint,
 * or lost part of it (A12); touches nothing. Without a checkpoint there is nothing to compare.
 */
export async function checkLogIdentity(
  log: Pick<EventLog, 'start' | 'end' | 'entryAt'>,
  checkpoint: Checkpoint | undefined,
): Promise<void> {
  if (checkpoint === undefined) return;
  const { position } = checkpoint;
  const [start, entry] = await Promise.all([log.start(), log.entryAt(position)]);
  if (start > 0) throw replaced(checkpoint, `its history below position ${start} was deleted`);
  if (entry === undefined)
    throw replaced(checkpoint, `it ends at position ${await log.end()}, before the checkpoint's ${position}`);
  const hash = entryHash(entry.schema, entry.bytes);
  if (!equalBytes(hash, checkpoint.entryHash)) {
    throw replaced(
      checkpoint,
      `the entry at position ${position} is ${toHex(hash)}, the checkpoint has ${toHex(checkpoint.entryHash)}`,
    );
  }
  await checkGenesis(log, checkpoint);
}

/** The first entry that decodes as Genesis fixes the log's id; garbage may lie before it. */
async function checkGenesis(log: Pick<EventLog, 'entryAt'>, checkpoint: Checkpoint): Promise<void> {
  for (let position = 0; position <= checkpoint.position; position++) {
    const entry = await log.entryAt(position);
    if (entry === undefined) break;
    const decoded = decodeEntry(entry.schema, entry.bytes);
    if (decoded?.kind !== 'Genesis') continue;
    if (equalBytes(decoded.logId, checkpoint.logId)) return;
    throw replaced(
      checkpoint,
      `its Genesis has log id ${toHex(decoded.logId)}, the checkpoint ${toHex(checkpoint.logId)}`,
    );
  }
  throw replaced(checkpoint, 'it has no Genesis');
}

function replaced(checkpoint: Checkpoint, what: string): NodeError {
  return new NodeError(
    'fatal',
    `log truncated or replaced: ${what}. Nothing was changed here. Restore the log, or point this node at the right one; to follow this log instead, delete the data folder`,
    { code: 'LOG_REPLACED', position: checkpoint.position, logId: toHex(checkpoint.logId) },
  );
}
