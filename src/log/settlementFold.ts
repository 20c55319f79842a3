/**
 * Which settlement entries count (log-protocol 4): a pure function beside the fold of blocks, which never depends on it.
 * What it accepts stays accepted; nothing un-seals a batch.
 */
import { type Bytes, equalBytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import { type ChainFold, type RejectedClass, type Software, isOwners } from './chainFold.ts';
import {
  type BatchSealedEntry,
  type FriProvedEntry,
  type L1ProgressEntry,
  type SettlementEntry,
  type SnarkProvedEntry,
  isSettlementEntry,
} from './entry.ts';
import type { Entry } from './entry.ts';

export interface SealedBatch {
  readonly lastBlock: number;
  readonly storedBatchHash: Bytes;
  /** Hash of the accepted FRI proof, zero for a fake; undefined: none yet. */
  readonly friProof: Bytes | undefined;
}

export interface SnarkRange {
  readonly toBatch: number;
  readonly proof: Bytes;
}

export interface SettlementCounters {
  /** The newest sealed batch; 0: none. */
  readonly sealed: number;
  readonly committed: number;
  readonly proved: number;
  readonly executed: number;
  /** Of the accepted L1Progress. */
  readonly l1Block: bigint;
}

/**
 * Batches in chunks, so that a step copies one chunk and the list of chunks, however many batches wait. Batches below
 * `executed` are not kept; batch 0 has no record.
 */
export interface KeptBatches {
  readonly firstChunk: number;
  readonly chunks: readonly (readonly (SealedBatch | undefined)[])[];
}

export interface SettlementFold extends SettlementCounters {
  readonly batches: KeptBatches;
  /** By first batch; those above `executed`. */
  readonly snarks: ReadonlyMap<number, SnarkRange>;
}

export const CHUNK_BATCHES = 64;

export const EMPTY_SETTLEMENT: SettlementFold = {
  sealed: 0,
  committed: 0,
  proved: 0,
  executed: 0,
  l1Block: 0n,
  batches: { firstChunk: 0, chunks: [] },
  snarks: new Map(),
};

export interface SettlementResult {
  readonly verdict: 'accepted' | 'rejected';
  readonly state: SettlementFold;
  /** With `rejected`; for metrics only. */
  readonly rejectedClass?: RejectedClass;
}

/**
 * One entry (spec: log-protocol 4); undefined: it does not decode.
 * @param chain the fold of blocks at that position
 */
export function foldSettlement(
  state: SettlementFold,
  entry: Entry | undefined,
  chain: ChainFold,
  software: Software,
): SettlementResult {
  if (entry === undefined || !isSettlementEntry(entry)) return rejected(state, 'garbage');
  if (!isOwners(chain, entry, software)) return rejected(state, 'foreign');
  return judge(state, entry, chain);
}

function judge(state: SettlementFold, entry: SettlementEntry, chain: ChainFold): SettlementResult {
  switch (entry.kind) {
    case 'BatchSealed':
      return seal(state, entry, chain);
    case 'FriProved':
      return proveBatch(state, entry);
    case 'SnarkProved':
      return proveRange(state, entry);
    case 'L1Progress':
      return progress(state, entry);
  }
}

function seal(state: SettlementFold, entry: BatchSealedEntry, chain: ChainFold): SettlementResult {
  const batch = state.sealed + 1;
  if (entry.batch !== BigInt(batch)) return rejected(state, entry.batch > BigInt(batch) ? 'gap' : 'stale');
  const first = BigInt(lastBlockOf(state, state.sealed)) + 1n;
  if (entry.firstBlock !== first || entry.lastBlock < first) return rejected(state, 'gap');
  if (entry.lastBlock > BigInt(chain.height)) return rejected(state, 'gap');
  const sealed = {
    lastBlock: Number(entry.lastBlock),
    storedBatchHash: entry.storedBatchHash,
    friProof: undefined,
  };
  return accepted({ ...state, sealed: batch, batches: withBatch(state.batches, batch, sealed) });
}

function proveBatch(state: SettlementFold, entry: FriProvedEntry): SettlementResult {
  if (entry.batch <= BigInt(state.executed)) return rejected(state, 'stale');
  if (entry.batch > BigInt(state.sealed)) return rejected(state, 'gap');
  const batch = Number(entry.batch);
  const sealed = keptBatch(state, batch);
  if (!equalBytes(entry.storedBatchHash, sealed.storedBatchHash)) return rejected(state, 'garbage');
  if (!mayReplace(sealed.friProof, entry.replaces)) return rejected(state, 'stale');
  const batches = withBatch(state.batches, batch, { ...sealed, friProof: entry.proof.hash });
  return accepted({ ...state, batches });
}

function proveRange(state: SettlementFold, entry: SnarkProvedEntry): SettlementResult {
  if (entry.fromBatch <= BigInt(state.executed)) return rejected(state, 'stale');
  if (entry.fromBatch > entry.toBatch) return rejected(state, 'garbage');
  if (entry.toBatch > BigInt(state.committed)) return rejected(state, 'gap');
  const from = Number(entry.fromBatch);
  const toBatch = Number(entry.toBatch);
  for (let batch = from; batch <= toBatch; batch++)
    if (keptBatch(state, batch).friProof === undefined) return rejected(state, 'gap');
  if (!mayReplace(state.snarks.get(from)?.proof, entry.replaces)) return rejected(state, 'stale');
  const snarks = new Map(state.snarks).set(from, { toBatch, proof: entry.proof.hash });
  return accepted({ ...state, snarks });
}

function progress(state: SettlementFold, entry: L1ProgressEntry): SettlementResult {
  const { committed, proved, executed, l1BlockNumber } = entry;
  if (l1BlockNumber <= state.l1Block || executed < BigInt(state.executed)) return rejected(state, 'stale');
  if (executed > proved || proved > committed) return rejected(state, 'garbage');
  if (committed > BigInt(state.sealed)) return rejected(state, 'gap');
  const next = { committed: Number(committed), proved: Number(proved), executed: Number(executed) };
  const snarks =
    next.executed === state.executed
      ? state.snarks
      : new Map([...state.snarks].filter(([fromBatch]) => fromBatch > next.executed));
  const batches = batchesFrom(state.batches, next.executed);
  return accepted({ ...state, ...next, l1Block: l1BlockNumber, batches, snarks });
}

/** Compare-and-set: no proof yet and none named, or the entry names the one it replaces. */
function mayReplace(present: Bytes | undefined, replaces: Bytes | undefined): boolean {
  if (present === undefined) return replaces === undefined;
  return replaces !== undefined && equalBytes(replaces, present);
}

function accepted(state: SettlementFold): SettlementResult {
  return { verdict: 'accepted', state };
}

function rejected(state: SettlementFold, rejectedClass: RejectedClass): SettlementResult {
  return { verdict: 'rejected', state, rejectedClass };
}

/** Of a batch from `executed` to `sealed`; undefined: it is not kept, or batch 0. */
export function sealedBatch({ batches }: Pick<SettlementFold, 'batches'>, batch: number): SealedBatch | undefined {
  return batches.chunks[Math.floor(batch / CHUNK_BATCHES) - batches.firstChunk]?.[batch % CHUNK_BATCHES];
}

/** Last block of batch 0 or of a batch from `executed` to `sealed`. */
export function lastBlockOf(state: SettlementFold, batch: number): number {
  return batch === 0 ? 0 : keptBatch(state, batch).lastBlock;
}

function keptBatch(state: SettlementFold, batch: number): SealedBatch {
  const found = sealedBatch(state, batch);
  assert(found !== undefined, `batch ${batch} is not kept: ${state.executed} to ${state.sealed} are`);
  return found;
}

/** Up to where the chain is settled, by batch and block at once: both come from one accepted L1Progress. */
export interface Finality {
  /** The newest accepted seal. */
  readonly sealedBatch: number;
  readonly sealedBlock: number;
  /** L1 holds it: `safe`. */
  readonly committedBatch: number;
  readonly committedBlock: number;
  readonly provedBatch: number;
  readonly provedBlock: number;
  /** L1 has executed it: `finalized`. */
  readonly executedBatch: number;
  readonly executedBlock: number;
}

/** A reading of the fold (spec: rpc 3, log-protocol 4). */
export function finalityOf(state: SettlementFold): Finality {
  return {
    sealedBatch: state.sealed,
    sealedBlock: lastBlockOf(state, state.sealed),
    committedBatch: state.committed,
    committedBlock: lastBlockOf(state, state.committed),
    provedBatch: state.proved,
    provedBlock: lastBlockOf(state, state.proved),
    executedBatch: state.executed,
    executedBlock: lastBlockOf(state, state.executed),
  };
}

/** A11. Throws an invariant error. */
export function checkSettlement(state: SettlementFold): void {
  const { sealed, committed, proved, executed } = state;
  assert(
    executed <= proved && proved <= committed && committed <= sealed,
    `settlement is at sealed ${sealed}, committed ${committed}, proved ${proved}, executed ${executed} (A11)`,
  );
}

/** With the record of a batch set; batches come in order. */
export function withBatch(batches: KeptBatches, batch: number, sealed: SealedBatch): KeptBatches {
  const isFirst = batches.chunks.length === 0;
  const chunk = Math.floor(batch / CHUNK_BATCHES);
  const firstChunk = isFirst ? chunk : batches.firstChunk;
  const index = chunk - firstChunk;
  assert(index >= 0 && index <= batches.chunks.length, `batch ${batch} does not follow those kept`);
  const items = [...(batches.chunks[index] ?? [])];
  while (items.length < batch % CHUNK_BATCHES) items.push(undefined);
  items[batch % CHUNK_BATCHES] = sealed;
  const chunks = [...batches.chunks];
  chunks[index] = items;
  return { firstChunk, chunks };
}

function batchesFrom(batches: KeptBatches, batch: number): KeptBatches {
  const dropped = Math.max(0, Math.floor(batch / CHUNK_BATCHES) - batches.firstChunk);
  const [first, ...rest] = batches.chunks.slice(dropped);
  if (first === undefined) return batches;
  const keep = batch - (batches.firstChunk + dropped) * CHUNK_BATCHES;
  if (dropped === 0 && first.slice(0, Math.max(0, keep)).every((item) => item === undefined)) return batches;
  const items = first.map((item, i) => (i < keep ? undefined : item));
  return { firstChunk: batches.firstChunk + dropped, chunks: [items, ...rest] };
}
