import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { ZERO_32 } from '../../src/common/bytes.ts';
import { RisingGate } from '../../src/common/gate.ts';
import { createLogger } from '../../src/common/logger.ts';
import { ReplayServer, type ReplayServerOptions, type ReplaySource } from '../../src/consumers/replayServer.ts';
import { readRecords } from '../../src/producers/replayStream.ts';
import { GENESIS_HEADER, genesisContext, genesisRecord } from '../../src/protocol/genesis.ts';
import type { BlockContext, ReplayRecord } from '../../src/protocol/replayRecord.ts';
import { replayRequest } from '../../src/protocol/replayTransport.ts';
import type { CanonicalBlock } from '../../src/store/journal.ts';
import { encodeJournalEntry } from '../../src/store/journalCodec.ts';
import { until } from '../support/nodeProcess.ts';
import { type ChainedRecord, chainOfRecords } from '../support/replayRecords.ts';

const NODE_VERSION = '0.1.0';
const PROGRESS = { committed: 0, proved: 0, executed: 0, l1BlockNumber: 1n, l1BlockHash: ZERO_32 };

/** What the journal holds of a block; its execution is nobody's concern here. */
function canonical({ record, blockHash }: ChainedRecord, pubdata = new Uint8Array(0)): CanonicalBlock {
  const { blockHashes: _ring, ...context } = record.context;
  return {
    kind: 'Block',
    position: Number(context.blockNumber),
    height: Number(context.blockNumber),
    record: { ...record, context },
    senders: [],
    output: {
      header: { ...GENESIS_HEADER, number: context.blockNumber },
      blockHash,
      transactions: [],
      writes: [],
      preimages: [],
      pubdata,
      computationalNativeUsed: 0n,
      blockOutputHash: record.blockOutputHash,
    },
  };
}

/** Accepted blocks, with an entry of settlement after each. */
class Source implements ReplaySource {
  readonly gate = new RisingGate(0);
  readonly chain: readonly ChainedRecord[];
  blocksRead = 0;

  constructor(chain: readonly ChainedRecord[]) {
    this.chain = chain;
  }

  whenAccepted(height: number, signal: AbortSignal): Promise<void> {
    return this.gate.whenReached(height, signal);
  }

  async blockContext(height: number): Promise<BlockContext | undefined> {
    return height === 0 ? genesisContext(3) : this.chain[height - 1]?.record.context;
  }

  async readFromBlock(height: number, maxBytes: number): Promise<readonly Uint8Array[]> {
    const entries: Uint8Array[] = [];
    let bytes = 0;
    for (let at = height; at <= this.gate.value && bytes < maxBytes; at++) {
      const block = this.chain[at - 1];
      assert.ok(block, `block ${at} is asked for`);
      entries.push(encodeJournalEntry({ index: 2 * at - 1, event: canonical(block) }));
      entries.push(encodeJournalEntry({ index: 2 * at, event: { kind: 'L1Progress', position: at, ...PROGRESS } }));
      bytes += block.record.transactions.reduce((sum, { length }) => sum + length, 0);
      this.blocksRead += 1;
    }
    return entries;
  }
}

describe('replay server', () => {
  const sockets: Socket[] = [];
  let server: ReplayServer | undefined;
  let counts: { clients: number; sent: number; refused: number };

  async function start(source: Source, options: Partial<ReplayServerOptions> = {}): Promise<ReplayServer> {
    counts = { clients: 0, sent: 0, refused: 0 };
    server = await ReplayServer.start({
      host: '127.0.0.1',
      port: 0,
      maxClients: 10,
      source,
      nodeVersion: NODE_VERSION,
      logger: createLogger({ format: 'json', filter: { level: 'silent', components: {} }, useColor: false }),
      metrics: {
        clients: (open) => (counts.clients = open),
        sent: () => (counts.sent += 1),
        refused: () => (counts.refused += 1),
      },
      ...options,
    });
    return server;
  }

  function client(first: number): { socket: Socket; records: AsyncGenerator<ReplayRecord> } {
    assert.ok(server);
    const socket = connect(server.address.port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(replayRequest(BigInt(first)));
    return { socket, records: readRecords(socket) };
  }

  async function take(records: AsyncGenerator<ReplayRecord>, count: number): Promise<ReplayRecord[]> {
    const taken: ReplayRecord[] = [];
    while (taken.length < count) {
      const next = await records.next();
      assert.ok(next.done !== true);
      taken.push(next.value);
    }
    return taken;
  }

  const recordsOf = (chain: readonly ChainedRecord[]): ReplayRecord[] => chain.map(({ record }) => record);

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await server?.close();
    server = undefined;
  });

  it('gives accepted blocks from any height on, ring included, and then new ones as they are accepted', async () => {
    const source = new Source(chainOfRecords(300));
    source.gate.rise(280);
    await start(source);
    for (const first of [1, 2, 257, 280]) {
      const { records } = client(first);
      assert.deepEqual(
        await take(records, 281 - first),
        recordsOf(source.chain.slice(first - 1, 280)),
        `from ${first}`,
      );
    }
    const { records } = client(281);
    const coming = take(records, 3);
    source.gate.rise(281);
    source.gate.rise(283);
    assert.deepEqual(await coming, recordsOf(source.chain.slice(280, 283)));
    assert.equal(source.gate.value, 283);
  });

  it('has a record of block 0 too', async () => {
    const source = new Source(chainOfRecords(2));
    source.gate.rise(2);
    await start(source);
    const { records } = client(0);
    assert.deepEqual(await take(records, 3), [genesisRecord(3, NODE_VERSION), ...recordsOf(source.chain)]);
  });

  it('gives nothing that is not accepted', async () => {
    const source = new Source(chainOfRecords(5));
    source.gate.rise(2);
    await start(source);
    const { records } = client(1);
    await take(records, 2);
    const third = take(records, 1);
    const other = client(2);
    await take(other.records, 1);
    assert.equal(counts.sent, 3);
    source.gate.rise(3);
    assert.deepEqual(await third, recordsOf(source.chain.slice(2, 3)));
  });

  it('keeps little for a client that does not read, and nothing is lost when it reads again', async () => {
    const large = chainOfRecords(200).map(({ record, blockHash }) => ({
      blockHash,
      record: { ...record, transactions: [new Uint8Array(200_000).fill(2)] },
    }));
    const source = new Source(large);
    source.gate.rise(200);
    await start(source);
    const { socket, records } = client(1);
    await once(socket, 'connect');
    await take(records, 1);
    const quick = client(1);
    await take(quick.records, 200);
    // The first one has read nothing more meanwhile: what is prepared for it is what sockets hold.
    assert.ok(source.blocksRead - 200 < 100, `${source.blocksRead - 200} blocks were read for the slow one`);
    assert.deepEqual(await take(records, 199), recordsOf(source.chain.slice(1)));
  });

  it('cuts a client that takes nothing for too long', async () => {
    const large = chainOfRecords(200).map(({ record, blockHash }) => ({
      blockHash,
      record: { ...record, transactions: [new Uint8Array(200_000).fill(2)] },
    }));
    const source = new Source(large);
    source.gate.rise(200);
    await start(source, { stallLimitMs: 100 });
    client(1).socket.pause();
    await until('it was connected', () => (counts.sent > 0 ? true : undefined));
    await until('it is cut', () => (counts.clients === 0 ? true : undefined));
    assert.ok(counts.sent < 200);
  });

  it('takes so many clients and refuses more', async () => {
    const source = new Source(chainOfRecords(1));
    source.gate.rise(1);
    const running = await start(source, { maxClients: 2 });
    const [first, second] = [client(1), client(1)];
    await Promise.all([take(first.records, 1), take(second.records, 1)]);
    const third = client(1);
    await once(third.socket, 'close');
    assert.deepEqual([counts.refused, running.clients], [1, 2]);
    first.socket.destroy();
    await until('there is room', () => (running.clients === 1 ? true : undefined));
    assert.equal((await take(client(1).records, 1)).length, 1);
  });

  it('ends a connection that asks nothing sensible', async () => {
    const source = new Source(chainOfRecords(1));
    await start(source);
    assert.ok(server);
    for (const nonsense of [Buffer.alloc(9_000, 0x41), Buffer.from(replayRequest(2n ** 64n - 1n))]) {
      const socket = connect(server.address.port, '127.0.0.1');
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.write(nonsense);
      socket.resume();
      await once(socket, 'close');
    }
  });

  it('ends all connections when it closes', async () => {
    const source = new Source(chainOfRecords(1));
    source.gate.rise(1);
    const running = await start(source);
    const { socket, records } = client(1);
    await take(records, 1);
    await running.close();
    if (!socket.closed) await once(socket, 'close');
    assert.equal(running.clients, 0);
  });
});
