/**
 * What can only be wrong when this program is (log-protocol 13), as far as it is about entries: each check throws an
 * invariant error that stops the process before anything follows from the mistake.
 */
import { type Bytes, bytesKey, equalBytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import type { ChainFold } from './chainFold.ts';
import type { Entry } from './entry.ts';
import type { EncodedEntry } from './entryCodec.ts';
import { entryHash } from './entryCodec.ts';
import type { SettlementFold } from './settlementFold.ts';

/** A1, A2: what the fold accepts makes sense. `before` undefined: not known, right after the start. */
export function checkStep(before: ChainFold | undefined, entry: Entry, after: ChainFold): void {
  if (entry.kind === 'Genesis') return;
  assert(
    after.claim !== undefined && equalBytes(entry.claim, after.claim),
    'an entry was accepted with another claim than the owner (A2)',
  );
  if (before === undefined) return;
  if (entry.kind === 'EpochStarted') {
    assert(after.epoch === before.epoch + 1n, `epoch ${after.epoch} was accepted after ${before.epoch} (A1)`);
  } else if (entry.kind === 'Block') {
    assert(after.height === before.height + 1, `block ${after.height} was accepted after ${before.height} (A1)`);
  }
}

/** A1: batches are consecutive. */
export function checkSealed(before: SettlementFold, kind: Entry['kind'], after: SettlementFold): void {
  const sealed = kind === 'BatchSealed' ? before.sealed + 1 : before.sealed;
  assert(after.sealed === sealed, `batch ${after.sealed} was sealed after ${before.sealed} by ${kind} (A1)`);
}

/** A3: only what the fold has accepted is handed on. */
export function checkPublished(height: number, accepted: ChainFold): void {
  assert(accepted.height >= height, `block ${height} is published, the fold has accepted ${accepted.height} (A3)`);
}

/** A4: at most so many blocks are unaccepted. */
export function checkQueue(blocks: number, maxAheadBlocks: number): void {
  assert(blocks <= maxAheadBlocks, `${blocks} blocks in the queue, ${maxAheadBlocks} may be (A4)`);
}

/** A4: the first block in the queue is built on what is accepted. */
export function checkFront(front: { readonly height: number; readonly parent: Bytes }, accepted: ChainFold): void {
  assert(
    front.height === accepted.height + 1 && equalBytes(front.parent, accepted.parent),
    `the front of the queue is block ${front.height}, accepted was block ${accepted.height}, which must be its parent (A4)`,
  );
}

/** A9: the log gives every entry once and in order. */
export function checkDelivered(offset: number, expected: number): void {
  assert(offset === expected, `offset ${offset} was delivered where ${expected} was expected (A9)`);
}

/** Slots that one claim's sender remembers. The queue holds far fewer. */
const SLOTS_MAX = 1024;

/** A5: one sent content per slot, for one claim. The same bytes again are fine. */
export class SentContents {
  readonly #hashes = new Map<string, string>();

  /** Before it is sent. */
  check(slot: string, { schema, bytes }: EncodedEntry): void {
    const hash = bytesKey(entryHash(schema, bytes));
    const sent = this.#hashes.get(slot);
    assert(sent === undefined || sent === hash, `${slot} is sent with a second content in one epoch (A5)`);
    this.#hashes.set(slot, hash);
    if (this.#hashes.size <= SLOTS_MAX) return;
    const [oldest] = this.#hashes.keys();
    if (oldest !== undefined) this.#hashes.delete(oldest);
  }
}

/** Where an entry of a claim's owner has its place: height, batch, (batch or from, replaces), L1 block (log-protocol 6). */
export function slotOf(entry: Entry): string {
  switch (entry.kind) {
    case 'Block':
      return `Block/${entry.height}`;
    case 'FriProved':
      return `FriProved/${entry.batch}/${replacedBy(entry.replaces)}`;
    case 'SnarkProved':
      return `SnarkProved/${entry.fromBatch}/${replacedBy(entry.replaces)}`;
    case 'L1Progress':
      return `L1Progress/${entry.l1BlockNumber}`;
    case 'BatchSealed':
      return `BatchSealed/${entry.batch}`;
    default:
      return entry.kind;
  }
}

function replacedBy(replaces: Bytes | undefined): string {
  return replaces === undefined ? '' : bytesKey(replaces);
}
