/** Every kind of corruption that the run tries, and who must notice it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { RejectedClass } from '../../src/log/chainFold.ts';
import type { BlockEntry, Entry } from '../../src/log/entry.ts';
import { ADDRESSES, BATCHES, CHAIN, MERKLE_TREE, PRIORITY_TREE, REPOSITORIES } from '../../src/store/buckets.ts';
import { logPath } from '../support/embeddedLogs.ts';
import { type HarmedChain, type StillHarmed, type StoreName, flipped } from './harmedChain.ts';

/** Where in the log what is harmed lies. */
export interface Positions {
  readonly genesis: number;
  /** Of a block in the middle. */
  readonly block: number;
  /** Of a claim, and of the first entry of its epoch. */
  readonly epoch: number;
  readonly afterEpoch: number;
  readonly seal: number;
}

export type Detection =
  /** `reprise verify` finds this target different and names the place, with these words. */
  | {
      readonly by: 'verify';
      readonly target: string;
      readonly says: RegExp;
      readonly at?: keyof Positions;
    }
  /** Every reader rejects the entry and counts it so; `verify log` names its position, or `named`, where a store had accepted it. */
  | {
      readonly by: 'acceptance';
      readonly as: RejectedClass;
      readonly at: keyof Positions;
      readonly named?: keyof Positions;
    }
  /** A node refuses to start, with exit code 1 and these words. */
  | { readonly by: 'start'; readonly says: RegExp }
  /** No promise depends on these bytes: everything is still equal. */
  | { readonly by: 'nobody' };

export interface CorruptionKind {
  readonly name: string;
  harm(chain: HarmedChain, positions: Positions): Promise<StillHarmed> | StillHarmed;
  readonly detection: Detection;
}

function inEntry(
  name: string,
  at: keyof Positions,
  change: (entry: Entry) => Entry,
  detection: Detection,
): CorruptionKind {
  return { name: `entry: ${name}`, harm: (chain, positions) => chain.changeEntry(positions[at], change), detection };
}

function asBlock(change: (block: BlockEntry) => Partial<BlockEntry>): (entry: Entry) => Entry {
  return (entry) => {
    if (entry.kind !== 'Block') throw new Error(`a block is harmed, found ${entry.kind}`);
    return { ...entry, ...change(entry) };
  };
}

function inContext(change: Partial<Record<keyof BlockEntry['record']['context'], (value: never) => unknown>>) {
  return asBlock(({ record }) => {
    const context: Record<string, unknown> = { ...record.context };
    for (const [field, next] of Object.entries(change))
      context[field] = (next as (value: unknown) => unknown)(context[field]);
    return { record: { ...record, context: context as unknown as typeof record.context } }; // the fields keep their types
  });
}

const plusOne = (value: bigint): bigint => value + 1n;
const rejected = (as: RejectedClass, at: keyof Positions = 'block'): Detection => ({ by: 'acceptance', as, at });
const executed: Detection = { by: 'verify', target: 'log', says: /cannot be executed as it is: Block #/, at: 'block' };
/** It executes to the same output; the record that the node has stored is another one. */
const recorded = (says: RegExp): Detection => ({ by: 'verify', target: 'state', says });
const damagedLog = (says: RegExp, at?: keyof Positions): Detection =>
  at === undefined ? { by: 'verify', target: 'log', says } : { by: 'verify', target: 'log', says, at };

const ENTRIES: readonly CorruptionKind[] = [
  inEntry('logId', 'block', (entry) => ({ ...entry, logId: flipped(entry.logId, 3) }), rejected('foreign')),
  inEntry('claim', 'block', (entry) => ({ ...entry, claim: flipped(entry.claim, 3) }), rejected('foreign')),
  inEntry(
    'height',
    'block',
    asBlock(({ height }) => ({ height: height + 4n })),
    rejected('gap'),
  ),
  inEntry(
    'parent',
    'block',
    asBlock(({ parent }) => ({ parent: flipped(parent, 9) })),
    rejected('gap'),
  ),
  inEntry('block number', 'block', inContext({ blockNumber: plusOne }), rejected('garbage')),
  inEntry('timestamp', 'block', inContext({ timestamp: plusOne }), executed),
  inEntry('base fee', 'block', inContext({ eip1559BaseFee: plusOne }), executed),
  inEntry('native price', 'block', inContext({ nativePrice: plusOne }), recorded(/nativePrice/)),
  inEntry('coinbase', 'block', inContext({ coinbase: (bytes: Uint8Array) => flipped(bytes, 0) }), executed),
  inEntry('gas limit', 'block', inContext({ gasLimit: plusOne }), executed),
  inEntry('mix hash', 'block', inContext({ mixHash: plusOne }), recorded(/mixHash/)),
  inEntry(
    'transaction',
    'block',
    asBlock(({ record }) => ({
      record: { ...record, transactions: record.transactions.map((raw) => flipped(raw, -1)) },
    })),
    executed,
  ),
  inEntry(
    'starting L1 priority id',
    'block',
    asBlock(({ record }) => ({ record: { ...record, startingL1PriorityId: record.startingL1PriorityId + 1n } })),
    executed,
  ),
  inEntry(
    'previous block timestamp',
    'block',
    asBlock(({ record }) => ({ record: { ...record, previousBlockTimestamp: record.previousBlockTimestamp + 1n } })),
    executed,
  ),
  inEntry(
    'output hash',
    'block',
    asBlock(({ record }) => ({ record: { ...record, blockOutputHash: flipped(record.blockOutputHash, 0) } })),
    { by: 'verify', target: 'log', says: /was accepted when the chain store read it, and is rejected now \(gap\)/ },
  ),
  inEntry(
    'node version',
    'block',
    asBlock(({ record }) => ({ record: { ...record, nodeVersion: `${record.nodeVersion}x` } })),
    recorded(/nodeVersion/),
  ),
  inEntry('epoch of a claim', 'epoch', (entry) => ({ ...entry, epoch: entry.epoch + 16n }), {
    by: 'acceptance',
    as: 'gap',
    at: 'epoch',
    named: 'afterEpoch',
  }),
  inEntry('rules of a claim', 'epoch', (entry) => (entry.kind === 'EpochStarted' ? { ...entry, rules: 3 } : entry), {
    by: 'verify',
    target: 'log',
    says: /stops every reader: upgrade_needed/,
    at: 'epoch',
  }),
  inEntry(
    'stored batch hash of a seal',
    'seal',
    (entry) =>
      entry.kind === 'BatchSealed' ? { ...entry, storedBatchHash: flipped(entry.storedBatchHash, 1) } : entry,
    { by: 'verify', target: 'state', says: /settlement|journal/ },
  ),
  inEntry(
    'last block of a seal',
    'seal',
    (entry) => (entry.kind === 'BatchSealed' ? { ...entry, lastBlock: entry.lastBlock + 4096n } : entry),
    rejected('gap', 'seal'),
  ),
  {
    name: 'entry: chain id of Genesis',
    harm: (chain) =>
      chain.changeEntry(0, (entry) => (entry.kind === 'Genesis' ? { ...entry, chainId: entry.chainId + 1n } : entry)),
    detection: damagedLog(/stops every reader: foreign_genesis/, 'genesis'),
  },
  {
    name: 'entry: schema header',
    harm: (chain, { block }) =>
      chain.changeLog((entries) => entries.map((entry, i) => (i === block ? { ...entry, schema: 2 } : entry))),
    detection: rejected('garbage'),
  },
  {
    name: 'entry: cut short',
    harm: (chain, { block }) =>
      chain.changeLog((entries) =>
        entries.map((entry, i) => (i === block ? { ...entry, bytes: entry.bytes.slice(0, -3) } : entry)),
      ),
    detection: rejected('garbage'),
  },
  {
    name: 'entry: a byte too many',
    harm: (chain, { block }) =>
      chain.changeLog((entries) =>
        entries.map((entry, i) => (i === block ? { ...entry, bytes: Uint8Array.of(...entry.bytes, 0) } : entry)),
      ),
    detection: rejected('garbage'),
  },
  {
    name: 'entry: registry id before it',
    harm: (chain, { block }) =>
      chain.changeLog((entries) =>
        entries.map((entry, i) => (i === block ? { ...entry, bytes: flipped(entry.bytes, 4) } : entry)),
      ),
    detection: { by: 'nobody' },
  },
  inEntry('nodeId', 'block', (entry) => ({ ...entry, nodeId: flipped(entry.nodeId, 0) }), { by: 'nobody' }),
  inEntry('bootId', 'block', (entry) => ({ ...entry, bootId: flipped(entry.bootId, 0) }), { by: 'nobody' }),
  inEntry(
    'epoch of a block, which only its claim decides',
    'block',
    (entry) => ({ ...entry, epoch: entry.epoch + 1n }),
    {
      by: 'nobody',
    },
  ),
];

const LOG_FILES: readonly CorruptionKind[] = [
  {
    name: 'log file: a bit in an entry',
    harm: async (chain, { block }) => {
      const entry = (await chain.entries())[block];
      return chain.changeFile(chain.logFile, (bytes) =>
        Buffer.from(flipped(bytes, bytes.indexOf(Buffer.from(entry?.bytes ?? [])) + 40)),
      );
    },
    detection: damagedLog(/does not match its checksum: the file is damaged/, 'block'),
  },
  {
    name: 'log file: a bit in the key of an entry',
    harm: async (chain, { block }) => {
      const entry = (await chain.entries())[block];
      return chain.changeFile(chain.logFile, (bytes) =>
        Buffer.from(flipped(bytes, bytes.indexOf(Buffer.from(entry?.bytes ?? [])) - 1)),
      );
    },
    detection: damagedLog(/does not match its checksum: the file is damaged/, 'block'),
  },
  {
    name: 'log file: its first bytes',
    harm: (chain) => chain.changeFile(chain.logFile, (bytes) => Buffer.from(flipped(bytes, 3))),
    detection: damagedLog(/the file of the log at .* is damaged/),
  },
  {
    name: 'log file: cut in the middle',
    harm: (chain) => chain.changeFile(chain.logFile, (bytes) => bytes.subarray(0, 65_536 + 4_096)),
    detection: damagedLog(/the file of the log at .* is damaged|the log ends at position \d+, but/),
  },
  {
    name: 'log file: emptied',
    harm: (chain) => {
      chain.changeFile(chain.logFile, (bytes) => bytes.subarray(0, 0));
      // Opening it makes it a log without entries; nobody puts a Genesis there.
      return async () => assert.deepEqual(await chain.entries(), []);
    },
    detection: { by: 'start', says: /log truncated or replaced/ },
  },
  {
    name: 'log: the last entry lost',
    harm: (chain) => chain.changeLog((entries) => entries.slice(0, -1)),
    detection: { by: 'start', says: /log truncated or replaced: it ends at position/ },
  },
  {
    name: 'log: an entry lost in the middle, the others moved up',
    harm: (chain, { block }) => chain.changeLog((entries) => entries.filter((_, i) => i !== block)),
    detection: damagedLog(/rejected now|log ends at position/),
  },
  {
    name: 'log: two blocks exchanged',
    harm: (chain) =>
      chain.changeLog((entries) => {
        const [first = -1, second = -1] = entries
          .flatMap(({ key }, at) => (key.startsWith('Block/') ? [at] : []))
          .slice(-2);
        const [one, two] = [entries[first], entries[second]];
        if (one === undefined || two === undefined) throw new Error('two blocks are exchanged');
        return entries.with(first, two).with(second, one);
      }),
    detection: damagedLog(/rejected now|accepted, but the chain store has not applied it/),
  },
  {
    name: 'log: that of another chain',
    harm: (chain) => chain.swap(logPath(chain.dataPath), logPath(chain.otherPath)),
    detection: { by: 'start', says: /log truncated or replaced/ },
  },
];

/** The stored bytes of a key, changed by the store's own means: only their meaning can tell. */
function inStore(name: string, store: StoreName, bucket: number, says: RegExp): CorruptionKind {
  return {
    name: `${store}: ${name}`,
    harm: (chain) => chain.changeKey(store, bucket, (key, value) => [[key, flipped(value, -1)]]),
    detection: { by: 'verify', target: store === 'chainStore' ? 'state' : store, says },
  };
}

const STORES: readonly CorruptionKind[] = [
  inStore('newest value of a slot', 'chainStore', CHAIN.latest, /^latest, flat key 0x/),
  inStore('older value of a slot', 'chainStore', CHAIN.history, /^history, flat key 0x/),
  inStore('preimage', 'chainStore', CHAIN.preimage, /^preimage/),
  inStore('journal entry', 'chainStore', CHAIN.journal, /journal/),
  inStore('block hash', 'chainStore', CHAIN.blockHash, /^block ?[hH]ash/),
  inStore('settlement row', 'chainStore', CHAIN.settlement, /settlement/),
  {
    name: 'chainStore: a key with a flipped bit',
    harm: (chain) =>
      chain.changeKey('chainStore', CHAIN.latest, (key, value) => [
        [key, undefined],
        [flipped(key, 7), value],
      ]),
    detection: {
      by: 'verify',
      target: 'state',
      says: /^latest, flat key 0x.* (is missing|is stored and should not be)/,
    },
  },
  {
    name: 'chainStore: entry hash in the checkpoint',
    harm: (chain) => changeCheckpoint(chain, (value) => flipped(value, 4 + 16 + 9)),
    detection: { by: 'start', says: /log truncated or replaced|the checkpoint/ },
  },
  {
    name: 'chainStore: claim in the checkpoint',
    harm: (chain) => changeCheckpoint(chain, (value) => flipped(value, -80)),
    detection: { by: 'verify', target: 'log', says: /the checkpoint of the chain store says/ },
  },
  {
    name: 'chainStore: checkpoint cut short',
    harm: (chain) => changeCheckpoint(chain, (value) => value.slice(0, 50)),
    detection: { by: 'verify', target: 'state', says: /the checkpoint cannot be read|checkpoint/ },
  },
  inStore('block', 'repositories', REPOSITORIES.block, /block/),
  inStore('receipts', 'repositories', REPOSITORIES.receipts, /receipts/),
  inStore('appearance', 'addresses', ADDRESSES.appearance, /appearance/),
  inStore('page', 'merkleTree', MERKLE_TREE.page, /page/),
  inStore('batch', 'batches', BATCHES.batch, /batch/),
  inStore('state', 'priorityTree', PRIORITY_TREE.state, /state/),
  inStore('checkpoint of a projection', 'repositories', 0, /checkpoint/),
];

/** Of the engine's files: its checksums tell. */
function inStoreFile(name: string, file: RegExp, change: (bytes: Buffer) => Buffer): CorruptionKind {
  return {
    name: `store file: ${name}`,
    harm: (chain) => chain.changeFile(chain.storeFile('chainStore', file), change),
    detection: { by: 'verify', target: 'state', says: /store is damaged.*chainStore/ },
  };
}

const STORE_FILES: readonly CorruptionKind[] = [
  {
    name: 'store file: a bit in a table',
    harm: (chain) =>
      chain.changeFile(chain.storeFile('chainStore', /\.sst$/), (bytes) => Buffer.from(flipped(bytes, 300))),
    detection: { by: 'verify', target: 'state', says: /store is damaged/ },
  },
  inStoreFile('a table cut short', /\.sst$/, (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2))),
  inStoreFile('a bit in the manifest', /^MANIFEST/, (bytes) => Buffer.from(flipped(bytes, 20))),
  inStoreFile('CURRENT', /^CURRENT$/, (bytes) => Buffer.from(flipped(bytes, 3))),
  {
    name: 'store file: a table missing',
    harm: (chain) => chain.remove(chain.storeFile('chainStore', /\.sst$/)),
    detection: { by: 'verify', target: 'state', says: /the store in .*chainStore/ },
  },
  {
    name: 'store file: the format mark',
    harm: (chain) =>
      chain.changeFile(join(chain.storePath('repositories'), 'REPRISE_FORMAT'), (bytes) =>
        Buffer.from(flipped(bytes, 0)),
      ),
    detection: { by: 'start', says: /directory .*repositories.* has format/ },
  },
  {
    name: 'directories of two projections swapped',
    harm: (chain) => chain.swap(chain.storePath('repositories'), chain.storePath('batches')),
    detection: { by: 'verify', target: 'repositories', says: /./ },
  },
  {
    name: 'projection of another chain in its place',
    harm: (chain) => chain.swap(chain.storePath('repositories'), chain.storePath('repositories', chain.otherPath)),
    detection: { by: 'start', says: /was filled from another log/ },
  },
  {
    name: 'chain store of another chain in its place',
    harm: (chain) => chain.swap(chain.storePath('chainStore'), chain.storePath('chainStore', chain.otherPath)),
    detection: damagedLog(/the entry at position \d+ .*chain store|log ends at position/),
  },
];

const CHECKPOINT = new TextEncoder().encode('checkpoint');

function changeCheckpoint(chain: HarmedChain, change: (value: Uint8Array) => Uint8Array): Promise<StillHarmed> {
  const key = Uint8Array.of(CHAIN.meta, ...CHECKPOINT);
  return chain.changeValue('chainStore', key, change);
}

export const CORRUPTION_KINDS: readonly CorruptionKind[] = [...ENTRIES, ...LOG_FILES, ...STORES, ...STORE_FILES];
