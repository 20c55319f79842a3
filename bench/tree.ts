/**
 * `npm run bench -- tree`: a block of 4,000 inserts and 16,000 updates on a tree of a million leaves, against the bare
 * work behind it: hashing every changed leaf and every node above one once, and reading and writing the same nodes in a second
 * store with the same content. Rounds alternate; medians and their ratio are printed. The second ratio is stricter: it leaves
 * out of the bare work what ours does not read because it is in memory.
 */
import { randomBytes, randomFillSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { equalBytes, type Bytes } from '../src/common/bytes.ts';
import { blake2s256 } from '../src/common/hash.ts';
import { createMerkleTree } from '../src/projections/merkleTree.ts';
import { LEAF_BYTES, pageKey, RADIX, readU48, U48_BYTES } from '../src/projections/merkleTreeLayout.ts';
import { getPages } from '../src/projections/merkleTreeReads.ts';
import { PendingWrites } from '../src/projections/pendingWrites.ts';
import type { JournalEntry } from '../src/projections/projection.ts';
import { TREE_DEPTH } from '../src/protocol/stateTree.ts';
import { MERKLE_TREE } from '../src/store/buckets.ts';
import { type KeyValueStore, StoreBatch } from '../src/store/keyValueStore.ts';
import { openRocksStore } from '../src/store/keyValueStore.rocks.ts';
import { entryOf } from '../test/projections/merkleTreeFactory.ts';

const WARM_UP_ROUNDS = 2;

// What the bench itself leaves behind between rounds is not part of what it measures.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

interface Round {
  readonly ourMs: number;
  readonly ourApplyMs: number;
  readonly bareMs: number;
  readonly bareHashMs: number;
  readonly bareReadMs: number;
  readonly bareOwnReadMs: number;
  readonly bareWriteMs: number;
  readonly hashes: number;
  readonly reads: number;
  readonly ownReads: number;
  readonly writes: number;
  readonly writtenBytes: number;
}

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      leaves: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '9' },
      inserts: { type: 'string', default: '4000' },
      updates: { type: 'string', default: '16000' },
    },
  });
  const directory = mkdtempSync(join(tmpdir(), 'reprise-bench-tree-'));
  try {
    const bench = await TreeBench.open(directory, 2 * Number(values.leaves) + 1_000_000);
    const say = (text: string): void => void (values.json || process.stderr.write(`${text}\n`));
    say(`building ${values.leaves} leaves …`);
    await bench.build(Number(values.leaves));
    const size = { inserts: Number(values.inserts), updates: Number(values.updates) };
    const rounds: Round[] = [];
    for (let i = 0; i < WARM_UP_ROUNDS + Number(values.rounds); i++) {
      const round = await bench.round(size);
      if (i < WARM_UP_ROUNDS) continue;
      rounds.push(round);
      say(`round ${rounds.length}: ours ${round.ourMs.toFixed(0)} ms, bare ${round.bareMs.toFixed(0)} ms`);
    }
    print(summary(rounds, bench.leafCount, size), values.json);
    await bench.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

interface BlockSize {
  readonly inserts: number;
  readonly updates: number;
}

function summary(rounds: readonly Round[], leafCount: number, size: BlockSize) {
  const of = (key: keyof Round): number => median(rounds.map((round) => round[key]));
  return {
    leafCount,
    ...size,
    rounds: rounds.length,
    ourMs: of('ourMs'),
    ourApplyMs: of('ourApplyMs'),
    bareMs: of('bareMs'),
    bareHashMs: of('bareHashMs'),
    bareReadMs: of('bareReadMs'),
    bareOwnReadMs: of('bareOwnReadMs'),
    bareWriteMs: of('bareWriteMs'),
    hashes: of('hashes'),
    reads: of('reads'),
    ownReads: of('ownReads'),
    writes: of('writes'),
    writtenBytes: of('writtenBytes'),
    ratio: median(rounds.map(({ ourMs, bareMs }) => ourMs / bareMs)),
    ratioOwnReads: median(
      rounds.map(({ ourMs, bareMs, bareReadMs, bareOwnReadMs }) => ourMs / (bareMs - bareReadMs + bareOwnReadMs)),
    ),
    goal: 2,
  };
}

function print(result: ReturnType<typeof summary>, isJson: boolean): void {
  if (isJson) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const { ratio, goal } = result;
  process.stdout.write(
    [
      `blocks of ${result.inserts} inserts and ${result.updates} updates on ${result.leafCount} leaves, medians of ${result.rounds} rounds`,
      `  ours   ${result.ourMs.toFixed(1)} ms (apply ${result.ourApplyMs.toFixed(1)}, write ${(result.ourMs - result.ourApplyMs).toFixed(1)}): ` +
        `${(1000 / result.ourMs).toFixed(1)} blocks a second one after the other`,
      `  bare   ${result.bareMs.toFixed(1)} ms (${result.hashes} hashes ${result.bareHashMs.toFixed(1)}, ${result.reads} reads ${result.bareReadMs.toFixed(1)}, ` +
        `${result.writes} writes of ${(result.writtenBytes / 1e6).toFixed(1)} MB ${result.bareWriteMs.toFixed(1)})`,
      `  ratio  ${ratio.toFixed(2)} (goal: at most ${goal})${ratio <= goal ? '' : '  MISSED'}`,
      `  ratio with the ${result.ownReads} reads that ours made (${result.bareOwnReadMs.toFixed(1)} ms)  ${result.ratioOwnReads.toFixed(2)}`,
      '',
    ].join('\n'),
  );
}

/** Newest content of the tree as flat memory, so that the measured heap is that of a node. */
class Known {
  readonly #keys: Bytes;
  readonly #leaves: Bytes;
  /** Version of each page, by level and position. */
  readonly #versions: Float64Array[];

  constructor(leavesMax: number) {
    this.#keys = new Uint8Array(leavesMax * 32);
    this.#leaves = new Uint8Array(leavesMax * LEAF_BYTES);
    this.#versions = Array.from({ length: LEVELS_MAX }, (_, level) =>
      new Float64Array(Math.ceil(leavesMax / RADIX ** (level + 1)) + 1).fill(-1),
    );
  }

  key(index: number): Bytes {
    return this.#keys.subarray(index * 32, (index + 1) * 32);
  }

  /** Sets a leaf; whether it was another one. */
  setLeaf(index: number, leaf: Bytes): boolean {
    const range = [index * LEAF_BYTES, (index + 1) * LEAF_BYTES] as const;
    if (equalBytes(this.#leaves.subarray(...range), leaf)) return false;
    this.#leaves.set(leaf, range[0]);
    return true;
  }

  /** Sets the version of a page; gives the one before, -1 if there was none. */
  setVersion(level: number, position: number, version: number): number {
    const versions = this.#versions[level];
    const before = versions?.[position] ?? -1;
    if (versions !== undefined) versions[position] = version;
    return before;
  }
}

const LEVELS_MAX = 10;

/** What a block did, and what it needs at the least. */
interface BlockWork {
  readonly hashes: { readonly leaves: number; readonly nodes: number };
  /** Keys under which the changed nodes lay before. */
  readonly nodes: readonly Bytes[];
}

class TreeBench {
  readonly #ours: KeyValueStore;
  readonly #bare: KeyValueStore;
  readonly #projection = createMerkleTree();
  readonly #known: Known;
  #keyCount = 0;
  #indexPages = 0;
  #height = -1;

  private constructor(ours: KeyValueStore, bare: KeyValueStore, leavesMax: number) {
    this.#ours = ours;
    this.#bare = bare;
    this.#known = new Known(leavesMax);
  }

  static async open(directory: string, leavesMax: number): Promise<TreeBench> {
    return new TreeBench(
      await openRocksStore(join(directory, 'ours')),
      await openRocksStore(join(directory, 'bare')),
      leavesMax,
    );
  }

  get leafCount(): number {
    return this.#keyCount + 2;
  }

  async build(leaves: number): Promise<void> {
    while (this.leafCount < leaves) {
      const { tx } = await this.#apply(this.#block({ inserts: Math.min(10_000, leaves - this.leafCount), updates: 0 }));
      await this.#ours.write(tx.batch);
      await this.#bare.write(tx.batch);
      this.#learn(tx.batch);
    }
    await this.#ours.flush();
    await this.#bare.flush();
  }

  async round(size: BlockSize): Promise<Round> {
    const entry = this.#block(size);
    collectGarbage();
    const start = performance.now();
    const { tx, reads } = await this.#apply(entry);
    const applied = performance.now();
    await this.#ours.write(tx.batch);
    const ourMs = performance.now() - start;
    const { nodes, hashes } = this.#learn(tx.batch);
    collectGarbage();
    const bare = await this.#bareWork(tx.batch, { nodes, ownReads: reads, hashes });
    return {
      ourMs,
      ourApplyMs: applied - start,
      ...bare,
      hashes: hashes.leaves + hashes.nodes,
      reads: nodes.length,
      ownReads: reads.reduce((sum, keys) => sum + keys.length, 0),
      writes: tx.batch.size,
      writtenBytes: tx.batch.sizeBytes,
    };
  }

  async close(): Promise<void> {
    await this.#ours.close();
    await this.#bare.close();
  }

  async #apply(entry: JournalEntry): Promise<{ tx: PendingWrites; reads: Bytes[][] }> {
    const reads: Bytes[][] = [];
    const tx = new PendingWrites({
      getMany: (keys) => {
        reads.push([...keys]);
        return this.#ours.getMany(keys);
      },
    });
    await this.#projection.apply(entry, tx);
    this.#height += 1;
    return { tx, reads };
  }

  #block({ inserts, updates }: BlockSize): JournalEntry {
    const chosen = new Set<number>();
    while (chosen.size < updates) chosen.add(Math.floor(Math.random() * this.#keyCount));
    for (let i = 0; i < inserts; i++) {
      randomFillSync(this.#known.key(this.#keyCount));
      chosen.add(this.#keyCount++);
    }
    const writes = [...chosen].map((index) => ({
      key: this.#known.key(index),
      value: new Uint8Array(randomBytes(32)),
    }));
    return entryOf(this.#height + 1, writes);
  }

  #learn(batch: StoreBatch): BlockWork {
    const leaves = new Set<number>();
    const nodes: Bytes[] = [];
    const indexPagesBefore = this.#indexPages;
    batch.keys.forEach((key, i) => {
      if (key[0] === MERKLE_TREE.indexPage) {
        const id = readU48(key, 1);
        if (id < indexPagesBefore) nodes.push(key);
        this.#indexPages = Math.max(this.#indexPages, id + 1);
      }
      if (key[0] !== MERKLE_TREE.page) return;
      const level = key[1 + U48_BYTES] ?? 0;
      const position = readU48(key, 2 + U48_BYTES);
      const before = this.#known.setVersion(level, position, readU48(key, 1));
      if (before >= 0) nodes.push(pageKey(before, level, position));
      const page = batch.values[i] ?? new Uint8Array(0);
      for (let slot = 0; level === 0 && slot * LEAF_BYTES < page.length; slot++) {
        const leaf = page.subarray(slot * LEAF_BYTES, (slot + 1) * LEAF_BYTES);
        if (this.#known.setLeaf(position * RADIX + slot, leaf)) leaves.add(position * RADIX + slot);
      }
    });
    return { hashes: this.#countHashes(leaves), nodes };
  }

  #countHashes(leaves: ReadonlySet<number>): { leaves: number; nodes: number } {
    let level: ReadonlySet<number> = leaves;
    let nodes = 0;
    for (let height = 1; height <= TREE_DEPTH; height++) {
      const above = new Set<number>();
      for (const position of level) above.add(Math.floor(position / 2));
      nodes += above.size;
      level = above;
    }
    return { leaves: leaves.size, nodes };
  }

  async #bareWork(
    batch: StoreBatch,
    work: {
      readonly nodes: BlockWork['nodes'];
      readonly hashes: BlockWork['hashes'];
      readonly ownReads: readonly (readonly Bytes[])[];
    },
  ) {
    const start = performance.now();
    const leaf = new Uint8Array(LEAF_BYTES);
    const branch = new Uint8Array(64);
    for (let i = 0; i < work.hashes.leaves; i++) leaf.set(blake2s256(leaf));
    for (let i = 0; i < work.hashes.nodes; i++) branch.set(blake2s256(branch));
    const hashed = performance.now();
    await getPages(this.#bare, work.nodes);
    const read = performance.now();
    await this.#bare.write(batch);
    const end = performance.now();
    for (const keys of work.ownReads) await this.#bare.getMany(keys);
    const bareOwnReadMs = performance.now() - end;
    return {
      bareMs: end - start,
      bareHashMs: hashed - start,
      bareReadMs: read - hashed,
      bareWriteMs: end - read,
      bareOwnReadMs,
    };
  }
}
