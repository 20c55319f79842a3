/**
 * Watches a simulated world from outside and checks, with every event, what the log protocol promises. It judges no entry
 * itself: it compares what the nodes made of each and holds it against plain statements about what was accepted.
 */
import { createHash } from 'node:crypto';
import { type Bytes, bytesKey, equalBytes, toHex } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import type { ChainFold, FoldResult } from '../../src/log/chainFold.ts';
import type { BlockEntry, Entry } from '../../src/log/entry.ts';
import { type EncodedEntry, decodeEntry, entryHash } from '../../src/log/entryCodec.ts';
import type { LogEntry } from '../../src/log/eventLog.ts';
import { nextL1PriorityId } from '../../src/store/chainStore.ts';
import type { AcceptedBlock } from '../../src/workers/chain.ts';
import type { VirtualTime } from './virtualTime.ts';
import { START_MS } from './virtualTime.ts';

/** A promise was broken. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

const LINES_KEPT = 300;

/** Every event of a run in order: a hash over all, and the last ones as text. */
export class Trace {
  readonly #hash = createHash('sha256');
  readonly #time: VirtualTime;
  readonly #print: ((line: string) => void) | undefined;
  #last: string[] = [];
  lines = 0;

  constructor(time: VirtualTime, print?: (line: string) => void) {
    this.#time = time;
    this.#print = print;
  }

  add(text: string): void {
    const line = `${((this.#time.now - START_MS) / 1000).toFixed(3)} ${text}`;
    this.#hash.update(line).update('\n');
    this.#last.push(line);
    if (this.#last.length > 2 * LINES_KEPT) this.#last = this.#last.slice(-LINES_KEPT);
    this.lines += 1;
    this.#print?.(line);
  }

  get last(): readonly string[] {
    return this.#last.slice(-LINES_KEPT);
  }

  digest(): string {
    return toHex(this.#hash.copy().digest());
  }
}

interface Judged {
  readonly verdict: string;
  /** With the class of a rejection, which is the first reader's. */
  readonly text: string;
  readonly state: string;
  readonly by: string;
}

/** An accepted block, as the log has it. */
export interface Canonical {
  readonly entry: BlockEntry;
  readonly position: number;
  /** Of the first node that published it. */
  blockHash: Bytes | undefined;
}

export class Audit {
  readonly #trace: Trace;
  readonly #judged: Judged[] = [];
  /** By height. */
  readonly blocks: (Canonical | undefined)[] = [];
  readonly #epochs: { readonly claim: string; readonly bootId: Bytes }[] = [];
  /** Height by hash of transaction, of everything that some node has published. */
  readonly publishedTransactions = new Map<string, number>();
  readonly #accepted: string[] = [];
  readonly #sent = new Map<string, string>();
  violation: Violation | undefined;

  constructor(trace: Trace) {
    this.#trace = trace;
  }

  get epochs(): number {
    return this.#epochs.length;
  }

  get height(): number {
    return this.blocks.length - 1;
  }

  /** Verdict on the entry at a position, once somebody has read it. */
  verdictAt(position: number): string | undefined {
    return this.#judged[position]?.text;
  }

  fail(invariant: string, detail: string): void {
    if (this.violation !== undefined) return;
    this.violation = new Violation(invariant, detail);
    this.#trace.add(`VIOLATION ${this.violation.message}`);
  }

  /** One content for each slot of a claim; the same bytes again are fine. @param sender one life of a node */
  sent(sender: string, { schema, key, bytes }: EncodedEntry): void {
    const entry = decodeEntry(1, bytes);
    if (entry === undefined || entry.kind === 'Genesis') return;
    const slot = `${sender} ${bytesKey(entry.claim)} ${key}`;
    const hash = bytesKey(entryHash(schema, bytes));
    if ((this.#sent.get(slot) ?? hash) !== hash)
      this.fail('one sent content per claim and slot (A5)', `${sender} sends another ${key}`);
    this.#sent.set(slot, hash);
  }

  /** @param mayStop the node is one that this entry may stop */
  folded(node: string, logEntry: LogEntry, result: FoldResult, mayStop: boolean): void {
    const { position } = logEntry;
    const text = result.verdict === 'rejected' ? `rejected ${result.rejectedClass ?? 'unfit'}` : result.verdict;
    this.#trace.add(`${node} reads ${position} ${logEntry.key}: ${text}`);
    if (result.verdict === 'stop') {
      if (!mayStop) this.fail('no legal append stops a reader', `${node} stops at ${position} ${logEntry.key}`);
      return;
    }
    const state = foldKey(result.state);
    const known = this.#judged[position];
    if (known === undefined) {
      this.#judged[position] = { verdict: result.verdict, text, state, by: node };
      if (result.verdict === 'accepted') this.#onAccepted(logEntry);
    } else if (known.verdict !== result.verdict || known.state !== state) {
      this.fail(
        'folds agree on every prefix',
        `entry ${position} ${logEntry.key} is ${known.verdict} for ${known.by} and ${result.verdict} for ${node}${known.verdict === result.verdict ? ', with another state' : ''}`,
      );
    }
  }

  /** @param foldHeight how far the node has read accepted blocks */
  published(node: string, block: AcceptedBlock, foldHeight: number): void {
    const { height, blockHash } = block;
    this.#trace.add(`${node} publishes ${height} ${toHex(blockHash).slice(0, 12)}`);
    const canonical = this.blocks[height];
    if (foldHeight < height || canonical === undefined)
      return this.fail(
        'nothing is published that is not accepted',
        `${node} publishes block ${height}, its log has ${foldHeight}`,
      );
    canonical.blockHash ??= blockHash;
    if (!equalBytes(canonical.blockHash, blockHash))
      return this.fail(
        'one content per height',
        `${node} publishes block ${height} as ${toHex(blockHash)}, others as ${toHex(canonical.blockHash)}`,
      );
    this.#answer(canonical, height);
  }

  /** A node was started with these blocks in its stores: whoever asks for them gets them. */
  opened(node: string, height: number): void {
    for (let each = 1; each <= height; each++) {
      const canonical = this.blocks[each];
      if (canonical === undefined)
        return this.fail('nothing is published that is not accepted', `${node} starts with block ${each}`);
      this.#answer(canonical, each);
    }
  }

  #answer({ entry }: Canonical, height: number): void {
    for (const raw of entry.record.transactions) this.publishedTransactions.set(bytesKey(raw), height);
  }

  /** What does not depend on any node: how often each transaction is in an accepted block. */
  checkIncludedOnce(): void {
    const seen = new Map<string, number>();
    for (const { entry } of this.blocks.filter((block) => block !== undefined)) {
      for (const raw of entry.record.transactions) {
        const key = bytesKey(raw);
        const before = seen.get(key);
        if (before !== undefined)
          this.fail('no transaction is included twice', `one is in blocks ${before} and ${entry.height}`);
        seen.set(key, Number(entry.height));
      }
    }
    for (const [key, height] of this.publishedTransactions)
      if (seen.get(key) !== height)
        this.fail(
          'no published transaction is lost',
          `one published in block ${height} is in ${seen.get(key) ?? 'none'}`,
        );
  }

  #onAccepted(logEntry: LogEntry): void {
    const { position } = logEntry;
    const entry = decodeEntry(1, logEntry.bytes);
    if (entry === undefined) return this.fail('what is accepted decodes', `entry ${position} does not`);
    const hash = bytesKey(entryHash(logEntry.schema, logEntry.bytes));
    if (this.#accepted.includes(hash))
      this.fail('no entry counts twice', `entry ${position} ${logEntry.key} is a copy`);
    this.#accepted.push(hash);
    if (entry.kind === 'EpochStarted') this.#onEpoch(entry, position);
    else if (entry.kind !== 'Genesis') this.#onOwned(entry, logEntry);
  }

  #onEpoch(entry: Entry & { kind: 'EpochStarted' }, position: number): void {
    const claim = bytesKey(entry.claim);
    if (entry.epoch !== BigInt(this.#epochs.length + 1))
      this.fail('epochs are consecutive', `entry ${position} opens ${entry.epoch} after ${this.#epochs.length}`);
    if (this.#epochs.some((epoch) => epoch.claim === claim))
      this.fail(
        'an epoch is opened once and never resumed',
        `entry ${position} opens ${entry.epoch} with a claim that led before`,
      );
    this.#epochs.push({ claim, bootId: entry.bootId });
  }

  #onOwned(entry: Entry, logEntry: LogEntry): void {
    const epoch = this.#epochs.at(-1);
    const { position, key } = logEntry;
    if (
      epoch === undefined ||
      bytesKey(entry.claim) !== epoch.claim ||
      entry.epoch !== BigInt(this.#epochs.length) ||
      !equalBytes(entry.bootId, epoch.bootId)
    )
      this.fail(
        'only the owner of the epoch is followed',
        `entry ${position} ${key} of epoch ${entry.epoch} counts in epoch ${this.#epochs.length}`,
      );
    if (entry.kind !== 'Block') return;
    const height = Number(entry.height);
    if (this.blocks[height] !== undefined || height !== Math.max(this.blocks.length, 1))
      return this.fail('no height is doubled or left out', `entry ${position} is block ${height} after ${this.height}`);
    const parent = this.blocks[height - 1]?.entry.record;
    if (parent !== undefined && !equalBytes(parent.blockOutputHash, entry.parent))
      this.fail('a block counts on the parent it was built on', `block ${height} at ${position} does not follow`);
    if (parent !== undefined && parent.context.timestamp > entry.record.context.timestamp)
      this.fail('time never falls', `block ${height} is older than its parent`);
    if (entry.record.startingL1PriorityId !== (parent === undefined ? 0n : nextL1PriorityId(parent)))
      this.fail(
        'priority requests are in order, each once',
        `block ${height} begins at ${entry.record.startingL1PriorityId}`,
      );
    this.blocks[height] = { entry, position, blockHash: undefined };
  }

  /** A node ended; `isExpected`: it had to. */
  stopped(node: string, error: unknown, isExpected: boolean): void {
    const text = error instanceof NodeError ? `${error.code} ${error.message}` : String(error);
    this.#trace.add(`${node} stops: ${text.slice(0, 200)}`);
    if (!isExpected) this.fail('nobody stops who need not', `${node}: ${text}`);
  }
}

function foldKey({ logId, chain, rules, epoch, claim, height, parent }: ChainFold): string {
  const hex = (bytes: Bytes | undefined): string => (bytes === undefined ? '-' : toHex(bytes));
  return `${hex(logId)} ${chain} ${rules} ${epoch} ${hex(claim)} ${height} ${hex(parent)}`;
}
