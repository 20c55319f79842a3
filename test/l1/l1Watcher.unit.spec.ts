import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { toHex } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { silentLogger } from '../../src/common/logger.ts';
import { L1Queue } from '../../src/producers/l1Queue.ts';
import { L1Watcher } from '../../src/producers/l1Watcher.ts';
import type { L1Transaction } from '../../src/protocol/transaction.ts';
import { FakeClock } from '../support/fakeClock.ts';
import { seededRandom } from '../support/logEntries.ts';
import { SimulatedL1 } from './simulatedL1.ts';

const POLL_MS = 100;

class Watched {
  readonly l1: SimulatedL1;
  readonly queue: L1Queue;
  readonly watcher: L1Watcher;
  readonly clock = new FakeClock();
  readonly abort = new AbortController();
  readonly truncations: bigint[] = [];
  errors = 0;
  reorganisations = 0;
  readonly done: Promise<void>;

  constructor(
    l1: SimulatedL1,
    options: {
      confirmations?: number;
      included?: readonly L1Transaction[];
      capacity?: number;
      maxBlocks?: number;
    } = {},
  ) {
    this.l1 = l1;
    this.queue = new L1Queue({
      refusal: () => undefined,
      onAlarm: () => undefined,
      ...(options.capacity !== undefined && { capacity: options.capacity }),
    });
    const { included = [] } = options;
    const firstId = this.queue.begin(BigInt(included.length), included.at(-1));
    this.watcher = new L1Watcher({
      reader: l1,
      sink: {
        add: async (requests) => this.queue.add(requests.map(({ transaction }) => transaction)),
        hasRoom: async () => this.queue.hasRoom(),
        truncate: async (fromId) => {
          this.truncations.push(fromId);
          this.queue.truncate(fromId);
        },
      },
      firstId,
      includedCount: BigInt(included.length),
      confirmations: options.confirmations ?? 0,
      maxBlocksPerQuery: options.maxBlocks ?? 100,
      pollIntervalMs: POLL_MS,
      clock: this.clock,
      logger: silentLogger,
      signal: this.abort.signal,
      metrics: {
        scanned: () => undefined,
        head: () => undefined,
        error: () => (this.errors += 1),
        reorganised: () => (this.reorganisations += 1),
      },
    });
    this.done = this.watcher.run();
    this.done.catch(() => undefined);
  }

  /** Lets the watcher look at L1 until the condition holds. */
  async until(what: string, holds: () => boolean): Promise<void> {
    for (let i = 0; i < 2_000; i++) {
      if (holds()) return;
      await new Promise((resolve) => setImmediate(resolve));
      this.clock.advance(POLL_MS);
    }
    assert.fail(`not reached: ${what}; ${JSON.stringify(this.watcher.status)}`);
  }

  /** Everything confirmed was read, and once more afterwards. */
  async settle(confirmations = 0): Promise<void> {
    await this.until('all is read', () => this.watcher.status.scanned === this.l1.height - confirmations);
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      this.clock.advance(POLL_MS);
    }
  }

  hashes(): string[] {
    const found: string[] = [];
    for (let id = 0n; ; id++) {
      const request = this.queue.get(id);
      if (request === undefined) return found;
      found.push(toHex(request.hash));
    }
  }

  include(count: number): void {
    for (let i = 0; i < count; i++) {
      const request = this.queue.get(this.nextIncluded);
      assert.ok(request);
      this.queue.included([{ transaction: request, sender: request.initiator }]);
      this.nextIncluded += 1n;
    }
  }

  nextIncluded = 0n;
}

const hashesOf = (requests: readonly L1Transaction[]): string[] => requests.map(({ hash }) => toHex(hash));

describe('L1Watcher', () => {
  let l1: SimulatedL1;
  let watched: Watched | undefined;

  beforeEach(() => {
    l1 = new SimulatedL1();
    watched = undefined;
  });

  afterEach(async () => {
    watched?.abort.abort();
    await watched?.done.catch(() => undefined);
  });

  function watch(options: ConstructorParameters<typeof Watched>[1] = {}): Watched {
    watched = new Watched(l1, options);
    return watched;
  }

  it('hands on every request in order, of old blocks and of new ones', async () => {
    for (const count of [0, 3, 0, 1]) l1.mine(count);
    const node = watch();
    await node.settle();
    assert.deepEqual(node.hashes(), hashesOf(l1.requests));
    l1.mine(100);
    await node.settle();
    assert.equal(node.hashes().length, 104);
    assert.deepEqual(node.hashes(), hashesOf(l1.requests));
    assert.deepEqual(node.truncations, []);
  });

  it('waits for the confirmation depth', async () => {
    l1.mine(1);
    for (let i = 0; i < 7; i++) l1.mine();
    const node = watch({ confirmations: 8 });
    await node.until('block 0 read', () => node.watcher.status.scanned === 0);
    assert.deepEqual(node.hashes(), []);
    l1.mine();
    await node.settle(8);
    assert.equal(node.hashes().length, 1);
  });

  it('starts at the block of the first wanted request, without reading the blocks before', async () => {
    for (let i = 0; i < 300; i++) l1.mine(1);
    const included = l1.requestsUpTo(290);
    const node = watch({ included, maxBlocks: 5 });
    await node.settle();
    assert.ok(l1.queries <= 3, `${l1.queries} queries`);
    assert.equal(node.queue.nextId, 300n);
    assert.equal(node.queue.get(290n)?.nonce, 290n);
    assert.equal(node.queue.status.alarm, undefined);
  });

  it('reads all of an L1 that keeps no history', async () => {
    for (let i = 0; i < 30; i++) l1.mine(1);
    l1.oldestState = 25;
    const node = watch({ included: l1.requestsUpTo(9), maxBlocks: 10 });
    await node.settle();
    assert.equal(l1.queries, 4);
    assert.equal(node.queue.nextId, 30n);
  });

  it('follows reorganisations within the depth without a trace', async () => {
    const node = watch({ confirmations: 8 });
    for (let depth = 1; depth <= 7; depth++) {
      for (let i = 0; i < 10; i++) l1.mine(i % 3);
      await node.settle(8);
      l1.rollBack(depth);
      for (let i = 0; i < depth + 1; i++) l1.mine(i % 2);
      await node.settle(8);
    }
    for (let i = 0; i < 8; i++) l1.mine();
    await node.settle(8);
    assert.deepEqual(node.hashes(), hashesOf(l1.requests));
    assert.deepEqual([node.truncations, node.reorganisations], [[], 0]);
  });

  it('goes back when L1 reorganises below the depth, and hands on what is there now', async () => {
    for (let i = 0; i < 12; i++) l1.mine(1);
    const node = watch({ confirmations: 2 });
    await node.settle(2);
    assert.equal(node.hashes().length, 10);
    l1.rollBack(6);
    for (let i = 0; i < 8; i++) l1.mine(2);
    await node.settle(2);
    assert.deepEqual(node.hashes(), hashesOf(l1.requestsUpTo(l1.height - 2)));
    assert.equal(node.reorganisations, 1);
    assert.equal(node.truncations.length, 1);
  });

  it('raises an alarm when an included request was replaced, until it is back', async () => {
    for (let i = 1; i <= 5; i++) l1.mine(1, i);
    const node = watch();
    await node.settle();
    node.include(4);
    l1.rollBack(3);
    l1.mine(1, 900);
    for (let i = 0; i < 4; i++) l1.mine(1);
    await node.settle();
    const { alarm } = node.queue.status;
    assert.equal(alarm?.code, 'L1_REQUEST_CHANGED');
    assert.equal(alarm?.id, 2n);
    assert.equal(node.queue.has(4n), false, 'no new one meanwhile');
    l1.rollBack(5);
    for (let i = 3; i <= 5; i++) l1.mine(1, i);
    for (let i = 0; i < 4; i++) l1.mine();
    await node.settle();
    assert.equal(node.queue.status.alarm, undefined);
    assert.equal(node.queue.has(4n), true);
  });

  it('raises an alarm when an included request is gone, and takes new ones once it is back', async () => {
    for (let i = 1; i <= 4; i++) l1.mine(1, i);
    const node = watch();
    await node.settle();
    node.include(4);
    l1.rollBack(2);
    for (let i = 0; i < 3; i++) l1.mine();
    await node.settle();
    assert.equal(node.queue.status.alarm?.code, 'L1_REQUEST_DROPPED');
    for (let i = 3; i <= 5; i++) l1.mine(1, i);
    await node.settle();
    assert.equal(node.queue.status.alarm, undefined);
    assert.deepEqual(hashesOf(l1.requests).slice(4), [toHex(node.queue.get(4n)?.hash ?? new Uint8Array())]);
  });

  it('does not take a range that was torn by a reorganisation', async () => {
    for (let i = 0; i < 5; i++) l1.mine(1);
    l1.duringQuery = () => {
      l1.rollBack(3);
      for (let i = 0; i < 4; i++) l1.mine(1);
    };
    const node = watch();
    await node.settle();
    assert.deepEqual(node.hashes(), hashesOf(l1.requests));
    assert.deepEqual(node.truncations, []);
  });

  it('does not join a range to what it read of another branch, left right before it', async () => {
    for (let i = 0; i < 3; i++) l1.mine(1);
    const node = watch();
    await node.settle();
    l1.mine(1);
    l1.mine(1);
    const read = l1.block.bind(l1);
    l1.block = (number) => {
      if (number === 5) {
        l1.block = read;
        // Below and in the range, with as many requests in each block.
        l1.rollBack(4);
        for (let i = 0; i < 4; i++) l1.mine(1);
      }
      return read(number);
    };
    await node.until('it has reorganised', () => l1.block === read);
    await node.settle();
    assert.deepEqual(node.hashes(), hashesOf(l1.requests));
    assert.deepEqual(node.truncations, [1n]);
  });

  it('reads again when an answer leaves a request out', async () => {
    for (let i = 0; i < 3; i++) l1.mine(2);
    l1.leavesOneOut = true;
    const node = watch();
    await node.settle();
    assert.deepEqual(node.hashes(), hashesOf(l1.requests));
    assert.equal(node.errors, 1);
  });

  it('notices later what was left out at the end of an answer', async () => {
    l1.mine(1);
    l1.leavesOneOut = true;
    const node = watch();
    await node.settle();
    assert.deepEqual(node.hashes(), []);
    l1.mine(1);
    await node.until('both are there', () => node.hashes().length === 2);
    assert.deepEqual(node.hashes(), hashesOf(l1.requests));
  });

  it('goes on when L1 answers again', async () => {
    l1.mine(1);
    l1.failure = new NodeError('retryable', 'no answer', { code: 'L1_UNREACHABLE' });
    const node = watch();
    await node.until('the problem is known', () => node.watcher.status.problem === 'no answer');
    l1.failure = undefined;
    await node.settle();
    assert.equal(node.watcher.status.problem, undefined);
    assert.equal(node.hashes().length, 1);
  });

  it('ends with what no later attempt cures', async () => {
    l1.failure = new NodeError('fatal', 'unknown form', { code: 'L1_REQUEST_MALFORMED' });
    const node = watch();
    await assert.rejects(node.done, { code: 'L1_REQUEST_MALFORMED' });
  });

  it('waits, and says so, while L1 is behind the blocks or was rolled back', async () => {
    for (let i = 1; i <= 3; i++) l1.mine(1, i);
    const included = l1.requests;
    l1.rollBack(2);
    const node = watch({ included });
    await node.until('the problem is known', () => /does not hold/.test(node.watcher.status.problem ?? ''));
    for (let i = 2; i <= 4; i++) l1.mine(1, i);
    await node.settle();
    assert.equal(node.watcher.status.problem, undefined);
    assert.equal(node.queue.nextId, 4n);
    l1.rollBack(1);
    await node.until('the roll-back is known', () => /rolled back/.test(node.watcher.status.problem ?? ''));
    assert.deepEqual(node.truncations, [], 'it may be a lagging endpoint');
    l1.mine(1, 77);
    l1.mine();
    await node.settle();
    assert.deepEqual(node.truncations, [3n]);
    assert.deepEqual(hashesOf(l1.requests).slice(3), [toHex(node.queue.get(3n)?.hash ?? new Uint8Array())]);
  });

  it('waits, and says so, while L1 lacks just the newest request that blocks include', async () => {
    for (let i = 1; i <= 3; i++) l1.mine(1, i);
    const included = l1.requests;
    l1.rollBack(1);
    l1.mine();
    const node = watch({ included });
    await node.until('the problem is known', () =>
      /does not hold priority request 2, which the log does/.test(node.watcher.status.problem ?? ''),
    );
    l1.mine(1, 3);
    l1.mine(1, 4);
    await node.settle();
    assert.equal(node.watcher.status.problem, undefined);
    assert.equal(node.queue.status.alarm, undefined);
    assert.equal(node.queue.nextId, 4n);
  });

  it('takes a block that one of the servers behind an endpoint does not have yet for no reorganisation', async () => {
    for (let i = 0; i < 3; i++) l1.mine(2);
    const node = watch();
    await node.settle();
    node.include(6);
    const answer = l1.block.bind(l1);
    l1.block = async () => undefined;
    l1.mine();
    await node.until('the problem is known', () => /endpoint lags/.test(node.watcher.status.problem ?? ''));
    l1.block = answer;
    l1.mine(1);
    await node.settle();
    assert.equal(node.reorganisations, 0);
    assert.deepEqual(node.truncations, []);
    assert.equal(node.watcher.status.problem, undefined);
    assert.equal(node.queue.nextId, 7n);
  });

  it('stops reading while the queue is full, but still follows reorganisations', async () => {
    for (let i = 0; i < 10; i++) l1.mine(2);
    const node = watch({ capacity: 5, maxBlocks: 1 });
    await node.until('full', () => !node.queue.hasRoom());
    for (let i = 0; i < 50; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      node.clock.advance(POLL_MS);
    }
    assert.equal(node.queue.nextId, 6n);
    l1.rollBack(9);
    for (let i = 0; i < 10; i++) l1.mine(2);
    await node.until('the reorganisation is followed', () => node.truncations.length === 1);
    for (let taken = 0; taken < 20; taken += 2) {
      await node.until('two more', () => node.queue.has(BigInt(taken + 1)));
      assert.deepEqual(toHex(node.queue.get(BigInt(taken))?.hash ?? new Uint8Array()), hashesOf(l1.requests)[taken]);
      node.include(2);
    }
    assert.equal(node.queue.status.alarm, undefined);
  });

  it('never loses, doubles or reorders, whatever L1 does within the depth', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed);
      l1 = new SimulatedL1();
      const confirmations = Math.floor(random() * 5);
      const node = new Watched(l1, { confirmations, maxBlocks: 1 + Math.floor(random() * 4) });
      for (let step = 0; step < 60; step++) {
        if (random() < 0.25) {
          // What was confirmed is deeper than what is dropped, at any moment.
          l1.rollBack(Math.min(l1.height, Math.floor(random() * (confirmations + 1))));
          for (let i = 0; i < confirmations + 1; i++) l1.mine(Math.floor(random() * 3));
        } else {
          l1.mine(Math.floor(random() * 3));
        }
        for (let i = Math.floor(random() * 20); i > 0; i--) {
          await new Promise((resolve) => setImmediate(resolve));
          node.clock.advance(POLL_MS);
        }
      }
      for (let i = 0; i < confirmations; i++) l1.mine();
      await node.settle(confirmations);
      node.abort.abort();
      await node.done;
      assert.deepEqual(node.hashes(), hashesOf(l1.requests), `seed ${seed}`);
      assert.deepEqual(node.truncations, [], `seed ${seed}`);
    }
  });

  it('ends at the last branch, whatever L1 does at any depth', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(1_000 + seed);
      l1 = new SimulatedL1();
      const node = new Watched(l1, { confirmations: Math.floor(random() * 2), maxBlocks: 2 });
      for (let step = 0; step < 40; step++) {
        if (random() < 0.3) l1.rollBack(Math.min(l1.height, Math.floor(random() * 6)));
        l1.mine(Math.floor(random() * 3));
        for (let i = Math.floor(random() * 20); i > 0; i--) {
          await new Promise((resolve) => setImmediate(resolve));
          node.clock.advance(POLL_MS);
        }
      }
      for (let i = 0; i < 8; i++) l1.mine();
      await node.until('all is read', () => node.queue.nextId === BigInt(l1.requests.length));
      await node.until('the last branch is read', () => (node.watcher.status.scanned ?? 0) >= l1.height - 1);
      node.abort.abort();
      await node.done;
      assert.deepEqual(node.hashes(), hashesOf(l1.requests), `seed ${seed}`);
    }
  });
});
