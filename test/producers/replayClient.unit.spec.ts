import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { systemClock, systemRandom } from '../../src/common/clock.ts';
import { createLogger } from '../../src/common/logger.ts';
import { ReplayClient, type ReplayTarget } from '../../src/producers/replayClient.ts';
import { checkContinuity, expectedAfter } from '../../src/producers/replayContinuity.ts';
import { readRecords } from '../../src/producers/replayStream.ts';
import { EMPTY_FOLD } from '../../src/log/chainFold.ts';
import { BLOCK_1_BLOCK_HASHES } from '../../src/protocol/genesis.ts';
import { nextBlockHashes } from '../../src/protocol/blockHeader.ts';
import type { BlockRecord, ReplayRecord } from '../../src/protocol/replayRecord.ts';
import { readReplayRequest, u32Frame } from '../../src/protocol/replayTransport.ts';
import { decodeReplayRecord, encodeReplayRecord } from '../../src/protocol/replayWireFormat.ts';
import { type ChainHead, nextL1PriorityId } from '../../src/store/chainStore.ts';
import { TEST_CHAIN_ID } from '../support/factories.ts';
import { until } from '../support/nodeProcess.ts';
import { type ChainedRecord, chainOfRecords } from '../support/replayRecords.ts';

type Serve = (socket: Socket, first: number, connection: number) => void;

function frame(record: ReplayRecord): Buffer {
  const payload = encodeReplayRecord(record);
  return Buffer.concat([u32Frame(payload.length), payload]);
}

/** A server that does what a test tells it with each connection. */
class ScriptedServer {
  readonly asked: number[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #serve: Serve;

  constructor(serve: Serve) {
    this.#serve = serve;
    this.#server = createServer((socket) => this.#connected(socket));
  }

  async listen(port = 0): Promise<number> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port; // it listens on TCP
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    let received: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      const first = readReplayRequest(received);
      if (first === undefined) return;
      socket.off('data', onData).resume();
      this.asked.push(Number(first));
      this.#serve(socket, Number(first), this.asked.length);
    };
    socket.on('data', onData);
  }
}

/** A log that accepts and executes at once what is appended. */
class Target implements ReplayTarget {
  readonly appended: BlockRecord[] = [];
  alive = true;
  onAccepted: () => void = () => undefined;
  readonly #chain: readonly ChainedRecord[];
  #blockHashes = BLOCK_1_BLOCK_HASHES;

  constructor(chain: readonly ChainedRecord[]) {
    this.#chain = chain;
  }

  get height(): number {
    return this.appended.length;
  }

  get head() {
    return { ...EMPTY_FOLD, height: this.height };
  }

  get chainHead(): ChainHead {
    const last = this.appended.at(-1);
    return {
      height: this.height,
      blockHash: this.#blockHashes.at(-1) ?? new Uint8Array(32),
      timestamp: last?.context.timestamp ?? 0n,
      nextL1PriorityId: last === undefined ? 0n : nextL1PriorityId(last),
      blockHashes: this.#blockHashes,
    };
  }

  whenDrained(): Promise<void> {
    return Promise.resolve();
  }

  whenRoom(): Promise<void> {
    return Promise.resolve();
  }

  append({ record }: { readonly record: BlockRecord }) {
    this.appended.push(record);
    const executed = this.#chain[this.height - 1];
    assert.ok(executed);
    this.#blockHashes = nextBlockHashes(this.#blockHashes, executed.blockHash);
    this.onAccepted();
    const bytes = new Uint8Array(0);
    return { height: this.height, parent: bytes, entryHash: bytes, bytes, payload: undefined };
  }
}

describe('replay client', () => {
  const CHAIN = chainOfRecords(40);
  let server: ScriptedServer | undefined;
  let client: ReplayClient | undefined;
  let target: Target;
  let fatal: unknown;

  function follow(port: number, chainId = TEST_CHAIN_ID): ReplayClient {
    target = new Target(CHAIN);
    fatal = undefined;
    const made = new ReplayClient({
      host: '127.0.0.1',
      port,
      chainId,
      head: () => target.chainHead,
      serverHead: async () => CHAIN.length,
      clock: systemClock,
      random: systemRandom,
      logger: createLogger({ format: 'json', filter: { level: 'silent', components: {} }, useColor: false }),
      onFatal: (error) => (fatal = error),
    });
    client = made;
    target.onAccepted = () => made.workArrived();
    made.lead(target);
    return made;
  }

  async function serve(script: Serve): Promise<number> {
    server = new ScriptedServer(script);
    return server.listen();
  }

  /** The version and the blocks of the chain from the one asked for. */
  function answer(socket: Socket, first: number, { version = 3, to = CHAIN.length } = {}): void {
    socket.write(u32Frame(version));
    for (const { record } of CHAIN.slice(first - 1, to)) socket.write(frame(record));
  }

  const whenFollowed = (): Promise<true> =>
    until('all blocks', () => (target.height === CHAIN.length ? true : undefined));

  function assertFollowed(): void {
    assert.equal(fatal, undefined);
    assert.deepEqual(
      target.appended.map(({ blockOutputHash }) => blockOutputHash),
      CHAIN.map(({ record }) => record.blockOutputHash),
    );
  }

  afterEach(async () => {
    await client?.stop();
    await server?.close();
    [client, server] = [undefined, undefined];
  });

  for (const version of [2, 3])
    it(`takes records of version ${version} and appends them in order, without their ring`, async () => {
      const followed = follow(await serve((socket, first) => answer(socket, first, { version })));
      await whenFollowed();
      assertFollowed();
      assert.ok(target.appended.every(({ context }) => !('blockHashes' in context)));
      await until('it knows where the other node is', () => (followed.status.hasReachedServer ? true : undefined));
      const { isConnected, problem, received, connections } = followed.status;
      assert.deepEqual([isConnected, problem, received, connections], [true, undefined, CHAIN.length, 1]);
    });

  it('goes on from its own height after a disconnection, in the middle of a frame too', async () => {
    follow(
      await serve((socket, first, connection) => {
        if (connection > 4) return answer(socket, first);
        answer(socket, first, { to: first + 4 });
        const next = CHAIN[first + 4];
        assert.ok(next);
        // Half a frame, half a length, nothing, nearly all.
        const bytes = frame(next.record);
        socket.end(bytes.subarray(0, [bytes.length >> 1, 2, 0, bytes.length - 1][connection - 1]));
      }),
    );
    await whenFollowed();
    assertFollowed();
    assert.deepEqual(server?.asked, [1, 6, 11, 16, 21]);
  });

  it('waits for a server that is not there yet, and says so', async () => {
    const unused = new ScriptedServer(() => undefined);
    const port = await unused.listen();
    await unused.close();
    const waiting = follow(port);
    await until('it says so', () => waiting.status.problem);
    assert.match(waiting.status.problem ?? '', /cannot be reached/);
    assert.equal(waiting.status.isConnected, false);
    server = new ScriptedServer((socket, first) => answer(socket, first));
    await server.listen(port);
    await whenFollowed();
    assertFollowed();
    assert.equal(waiting.status.problem, undefined);
  });

  it('has no problem once it is connected again, also when no block comes', async () => {
    const script: Serve = (socket, first) => answer(socket, first);
    const port = await serve(script);
    const followed = follow(port);
    await whenFollowed();
    await server?.close();
    await until('it says so', () => followed.status.problem);
    server = new ScriptedServer(script);
    await server.listen(port);
    await until('it is connected', () => (followed.status.isConnected ? true : undefined));
    await until('no problem is left', () => (followed.status.problem === undefined ? true : undefined), 2_000);
    assert.equal(target.height, CHAIN.length);
  });

  const second = CHAIN[1]?.record;
  assert.ok(second);
  const wrongSeconds: Record<string, readonly [RegExp, Buffer]> = {
    'a block of another height': [/sent block 3 where block 2 comes next/, frame(CHAIN[2]?.record ?? second)],
    'the same block again': [/sent block 1 where block 2 comes next/, frame(CHAIN[0]?.record ?? second)],
    'another timestamp before it': [
      /its previous timestamp is 5, not 1001/,
      frame({ ...second, previousBlockTimestamp: 5n }),
    ],
    'another L1 priority id': [/its L1 priority id is 9, not 0/, frame({ ...second, startingL1PriorityId: 9n })],
    'hashes that are not those of before': [
      /its hash of block 0 is 0x[0-9a-f]+, not 0x/,
      frame({ ...second, context: { ...second.context, blockHashes: CHAIN[0]?.record.context.blockHashes ?? [] } }),
    ],
    'a frame that is too large': [/a frame of 8388609 bytes is announced/, Buffer.from(u32Frame(8 * 1024 * 1024 + 1))],
    'a frame that holds no record': [/cannot be read: malformed replay record/, Buffer.from([0, 0, 0, 2, 1, 2])],
    'an empty frame': [/cannot be read: malformed replay record/, Buffer.from([0, 0, 0, 0])],
  };
  for (const [what, [problem, bytes]] of Object.entries(wrongSeconds))
    it(`appends nothing of ${what}, and connects anew`, async () => {
      const followed = follow(
        await serve((socket, first, connection) => {
          if (connection === 2) return; // until the test has looked
          answer(socket, first, connection === 1 ? { to: 1 } : {});
          if (connection === 1) socket.write(bytes);
        }),
      );
      await until('a second connection', () => server?.asked[1]);
      assert.equal(target.height, 1);
      assert.match(followed.status.problem ?? '', problem);
      assert.deepEqual(server?.asked, [1, 2]);
    });

  it('says that a newer format needs an upgrade, and tries again', async () => {
    const followed = follow(
      await serve((socket, first, connection) => answer(socket, first, { version: connection === 1 ? 4 : 3 })),
    );
    await whenFollowed();
    assertFollowed();
    assert.ok((server?.asked.length ?? 0) >= 2);
    assert.equal(followed.status.problem, undefined);
  });

  it('stops for good on another chain, before anything is appended', async () => {
    follow(await serve((socket, first) => answer(socket, first)), 271n);
    await until('the end', () => fatal);
    assert.match(String(fatal), /serves chain 270, this node is configured for chain 271/);
    assert.equal(target.height, 0);
  });

  it('stops for good when the server has another history, and appends nothing of it', async () => {
    const other = chainOfRecords(40, 1);
    follow(
      await serve((socket, first, connection) => {
        if (connection === 1) {
          answer(socket, first, { to: 3 });
          socket.end();
          return;
        }
        socket.write(u32Frame(3));
        for (const { record } of other.slice(first - 1)) socket.write(frame(record));
      }),
    );
    await until('the end', () => fatal);
    assert.match(String(fatal), /block 4 of the replay server 127.0.0.1:\d+ does not follow the blocks of this node/);
    assert.equal(target.height, 3);
  });

  it('lets go when leadership ends, and goes on with the next one', async () => {
    const followed = follow(await serve((socket, first) => answer(socket, first, { to: first < 10 ? 10 : 40 })));
    await until('ten blocks', () => (target.height === 10 ? true : undefined));
    target.alive = false;
    followed.doubt();
    await until('it is disconnected', () => (followed.status.isConnected ? undefined : true));
    assert.equal(server?.asked.length, 1);
    target.alive = true;
    followed.lead(target);
    await whenFollowed();
    assertFollowed();
    assert.deepEqual(server?.asked, [1, 11]);
  });

  it('stops while it waits for the server', async () => {
    const followed = follow(await serve((socket) => void socket.write(u32Frame(3))));
    await until('it is connected', () => server?.asked[0]);
    await followed.stop();
    assert.equal(followed.status.isConnected, false);
    assert.equal(followed.hasWork(), false);
  });
});

describe('continuity of replay records', () => {
  it('holds from block to block, over L1 transactions and through the whole ring', () => {
    const chain = chainOfRecords(300);
    let expected = {
      chainId: TEST_CHAIN_ID,
      height: 1,
      isAfterOwn: true,
      blockHashes: BLOCK_1_BLOCK_HASHES as readonly (Uint8Array | undefined)[],
      previousTimestamp: 0n,
      nextL1PriorityId: 0n,
    };
    for (const { record } of chain) {
      checkContinuity(record, expected, 'here');
      expected = expectedAfter(record, expected);
    }
    assert.deepEqual([expected.height, expected.nextL1PriorityId], [301, 100n]);
  });
});

describe('stream of replay records', () => {
  for (const version of [1, 2, 3])
    it(`takes the recorded block of version ${version}`, async () => {
      const name = `../fixtures/vectors/replay/encoded_replay_v${version}.bin`;
      const payload = new Uint8Array(readFileSync(new URL(name, import.meta.url)));
      async function* chunks(): AsyncGenerator<Uint8Array> {
        yield Buffer.concat([u32Frame(version), u32Frame(payload.length), payload]);
      }
      const first = await readRecords(chunks()).next();
      assert.ok(first.done !== true);
      assert.deepEqual(first.value, decodeReplayRecord(payload, version));
      assert.ok(first.value.transactions.length > 0);
    });

  it('is the same however the bytes are cut', async () => {
    const chain = chainOfRecords(3);
    const bytes = Buffer.concat([u32Frame(3), ...chain.map(({ record }) => frame(record))]);
    for (const size of [1, 7, 8_192, bytes.length]) {
      async function* chunks(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      }
      const records: ReplayRecord[] = [];
      await assert.rejects(
        async () => {
          for await (const record of readRecords(chunks())) records.push(record);
        },
        { code: 'REPLAY_CONNECTION_LOST' },
      );
      assert.deepEqual(
        records,
        chain.map(({ record }) => record),
        `cut to ${size}`,
      );
    }
  });
});
