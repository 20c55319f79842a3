/**
 * Which entries count (log-protocol 3): a pure function of the fold's state and the entry. No clock, configuration,
 * other topic, execution or local data may influence a verdict, so what a prefix of the log accepts stays accepted.
 */
import { type Bytes, ZERO_32, bytesKey, equalBytes } from '../common/bytes.ts';
import type { Entry } from './entry.ts';

export interface ChainFold {
  /** undefined: no Genesis yet. */
  readonly logId: Bytes | undefined;
  /** Chain id. */
  readonly chain: bigint | undefined;
  readonly rules: number;
  /** 0: nobody has led yet. */
  readonly epoch: bigint;
  readonly claim: Bytes | undefined;
  readonly height: number;
  /** block_output_hash of `height`; zero at height 0. */
  readonly parent: Bytes;
  /** Of the last accepted EpochStarted. Kept beside the rest, never judged. */
  readonly leaderNodeId: Bytes | undefined;
}

export const EMPTY_FOLD: ChainFold = {
  logId: undefined,
  chain: undefined,
  rules: 1,
  epoch: 0n,
  claim: undefined,
  height: 0,
  parent: ZERO_32,
  leaderNodeId: undefined,
};

/** Newest schema and newest acceptance rules that the software knows. */
export interface Software {
  readonly schema: number;
  readonly rules: number;
}

/** For metrics only. */
export type RejectedClass = 'duplicate' | 'stale' | 'foreign' | 'gap' | 'garbage';
/** `upgrade_needed`: an epoch with rules above ours. `foreign_genesis`: the log of another chain than configured. */
export type StopReason = 'upgrade_needed' | 'foreign_genesis';

export interface FoldResult {
  readonly verdict: 'accepted' | 'rejected' | 'stop';
  readonly state: ChainFold;
  /** Absent for a settlement entry whose envelope is right: the fold of settlement judges it. */
  readonly rejectedClass?: RejectedClass;
  readonly stopReason?: StopReason;
}

/**
 * One entry (spec: log-protocol 3).
 * @param entry undefined: does not decode
 * @param configuredChain chain id; another one in the log stops this reader
 * @param isDuplicate an entry with the same hash was accepted lately; names the class of a rejection, never judges
 */
export function foldChain(
  state: ChainFold,
  entry: Entry | undefined,
  software: Software,
  configuredChain?: bigint,
  isDuplicate = false,
): FoldResult {
  const rejected = (rejectedClass: RejectedClass): FoldResult => ({
    verdict: 'rejected',
    state,
    rejectedClass: isDuplicate ? 'duplicate' : rejectedClass,
  });
  if (entry === undefined || entry.schema > software.schema) return rejected('garbage');

  if (entry.kind === 'Genesis') {
    if (state.logId !== undefined) return rejected('foreign');
    if (entry.schema !== 1) return rejected('garbage');
    const next: ChainFold = { ...state, logId: entry.logId, chain: entry.chainId };
    const isForeign = configuredChain !== undefined && configuredChain !== entry.chainId;
    return isForeign
      ? { verdict: 'stop', state: next, stopReason: 'foreign_genesis' }
      : { verdict: 'accepted', state: next };
  }

  if (state.logId === undefined || !equalBytes(entry.logId, state.logId)) return rejected('foreign');

  if (entry.kind === 'EpochStarted') {
    if (entry.schema !== 1) return rejected('garbage');
    if (entry.epoch !== state.epoch + 1n) return rejected(classOfEpoch(entry.epoch, state.epoch));
    if (entry.rules < state.rules) return rejected('stale');
    const { head } = entry;
    if (head !== undefined && (head.height !== BigInt(state.height) || !equalBytes(head.parent, state.parent))) {
      return rejected(head.height > BigInt(state.height) ? 'gap' : 'stale');
    }
    if (entry.rules > software.rules) return { verdict: 'stop', state, stopReason: 'upgrade_needed' };
    const { epoch, claim, rules, nodeId } = entry;
    return { verdict: 'accepted', state: { ...state, epoch, claim, rules, leaderNodeId: nodeId } };
  }

  if (entry.schema > newestSchemaOf(state.rules)) return rejected('garbage');
  if (!isOwners(state, entry, software)) return rejected(entry.epoch < state.epoch ? 'stale' : 'foreign');
  if (entry.kind !== 'Block') return isDuplicate ? rejected('duplicate') : { verdict: 'rejected', state };

  if (entry.height !== BigInt(state.height) + 1n || !equalBytes(entry.parent, state.parent)) return rejected('gap');
  if (entry.record.context.blockNumber !== entry.height) return rejected('garbage');
  return { verdict: 'accepted', state: { ...state, height: state.height + 1, parent: entry.record.blockOutputHash } };
}

/** The envelope of an entry that is neither Genesis nor a claim is that of the log's owner (log-protocol 3). */
export function isOwners(
  state: ChainFold,
  entry: Pick<Entry, 'schema' | 'logId' | 'claim'>,
  software: Software,
): boolean {
  if (entry.schema > software.schema || entry.schema > newestSchemaOf(state.rules)) return false;
  if (state.logId === undefined || state.claim === undefined) return false;
  return equalBytes(entry.logId, state.logId) && equalBytes(entry.claim, state.claim);
}

/** Each version of the rules fixes the newest schema that its epochs allow. */
export function newestSchemaOf(rules: number): number {
  return rules;
}

/** Of a claim for another epoch than the next. */
function classOfEpoch(epoch: bigint, current: bigint): RejectedClass {
  if (epoch > current) return 'gap';
  return epoch === current ? 'foreign' : 'stale';
}

/** Hashes of the entries accepted last: a bounded memory that tells copies from other rejects. Never part of a verdict. */
export class AcceptedHashes {
  readonly #capacity: number;
  readonly #hashes = new Set<string>();

  constructor(capacity = 1024) {
    this.#capacity = capacity;
  }

  add(hash: Bytes): void {
    this.#hashes.add(bytesKey(hash));
    if (this.#hashes.size <= this.#capacity) return;
    const [oldest] = this.#hashes;
    if (oldest !== undefined) this.#hashes.delete(oldest);
  }

  has(hash: Bytes): boolean {
    return this.#hashes.has(bytesKey(hash));
  }
}
