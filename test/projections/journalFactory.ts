/** Journals with blocks of random but well-formed transactions, receipts and state, from a seed. */
import { createHash } from 'node:crypto';
import { concatBytes, padAddress, u32be, ZERO_32, ZERO_ADDRESS, type Bytes } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { EMPTY_OMMERS_HASH, headerHash } from '../../src/protocol/blockHeader.ts';
import type {
  BlockHeader,
  BlockOutput,
  L2ToL1Log,
  Log,
  Preimage,
  StorageWrite,
  TransactionOutput,
} from '../../src/protocol/blockOutput.ts';
import { LogsBloom, BLOOM_LENGTH } from '../../src/protocol/bloom.ts';
import type { BlockRecord } from '../../src/protocol/replayRecord.ts';
import { encodeRlp, rlpInteger, type RlpItem } from '../../src/protocol/rlp.ts';
import { ACCOUNT_PROPERTIES_ADDRESS } from '../../src/protocol/systemAddresses.ts';
import { encodeL1Transaction } from '../../src/protocol/transactionCodec.ts';
import type { CanonicalBlock, GenesisEvent, JournalEntry } from '../../src/store/journal.ts';

/** The same numbers for the same seed. */
export class Random {
  readonly #seed: number;
  #counter = 0;
  #pool: Buffer = Buffer.alloc(0);
  #offset = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  bytes(count: number): Bytes {
    const out = new Uint8Array(count);
    for (let i = 0; i < count; i++) out[i] = this.#byte();
    return out;
  }

  below(limit: number): number {
    return Buffer.from(this.bytes(4)).readUInt32BE(0) % limit;
  }

  chance(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  #byte(): number {
    if (this.#offset === this.#pool.length) {
      this.#pool = createHash('sha512').update(u32be(this.#seed)).update(u32be(this.#counter++)).digest();
      this.#offset = 0;
    }
    return this.#pool[this.#offset++] ?? 0;
  }
}

export interface JournalShape {
  readonly seed: number;
  readonly blocks: number;
  readonly transactionsPerBlock: number;
  /** Mean number of logs of a transaction. */
  readonly logsPerTransaction: number;
  /** Of transactions with 9 kB of input. */
  readonly largeInputShare: number;
  /** Few of them make filters match often. */
  readonly addresses: readonly Bytes[];
  readonly topics: readonly Bytes[];
}

export const CHAIN_ID = 270n;

export function aJournalShape(changes: Partial<JournalShape> = {}): JournalShape {
  const random = new Random(changes.seed ?? 1);
  const addresses = Array.from({ length: 6 }, () => random.bytes(20));
  const topics = Array.from({ length: 6 }, () => random.bytes(32));
  return {
    seed: 1,
    blocks: 12,
    transactionsPerBlock: 5,
    logsPerTransaction: 1,
    largeInputShare: 0.05,
    addresses,
    topics,
    ...changes,
  };
}

/** Genesis and the blocks after it. */
export function aJournal(changes: Partial<JournalShape> = {}): JournalEntry[] {
  const shape = aJournalShape(changes);
  const random = new Random(shape.seed);
  const genesis = aGenesis();
  const entries: JournalEntry[] = [{ index: 0, event: genesis }];
  let parentHash = genesis.blockHash;
  for (let height = 1; height <= shape.blocks; height++) {
    const event = aBlock(random, shape, { height, parentHash });
    parentHash = event.output.blockHash;
    entries.push({ index: height, event });
  }
  return entries;
}

export function aGenesis(): GenesisEvent {
  const header = aHeader({ number: 0n });
  const writes = [1, 2, 3].map((n) => ({ flatKey: keccak256(u32be(n)), value: keccak256(u32be(n + 1)) }));
  writes.sort((a, b) => Buffer.compare(a.flatKey, b.flatKey));
  return { kind: 'Genesis', position: 0, chainId: CHAIN_ID, header, blockHash: headerHash(header), writes };
}

function aHeader(changes: Partial<BlockHeader>): BlockHeader {
  return {
    parentHash: ZERO_32,
    ommersHash: EMPTY_OMMERS_HASH,
    beneficiary: ZERO_ADDRESS,
    stateRoot: ZERO_32,
    transactionsRoot: ZERO_32,
    receiptsRoot: ZERO_32,
    logsBloom: new Uint8Array(BLOOM_LENGTH),
    difficulty: 0n,
    number: 0n,
    gasLimit: 100_000_000n,
    gasUsed: 0n,
    timestamp: 0n,
    extraData: new Uint8Array(0),
    mixHash: ZERO_32,
    nonce: new Uint8Array(8),
    baseFeePerGas: 1000n,
    ...changes,
  };
}

interface Included {
  readonly raw: Bytes;
  readonly sender: Bytes;
  readonly output: TransactionOutput;
}

function aBlock(random: Random, shape: JournalShape, at: { height: number; parentHash: Bytes }): CanonicalBlock {
  const { height, parentHash } = at;
  const included = Array.from({ length: shape.transactionsPerBlock }, (_, i) =>
    anIncluded(random, shape, { nonce: height * 10_000 + i, index: i }),
  );
  const bloom = new LogsBloom();
  for (const { output } of included) for (const log of output.logs) bloom.add(log);
  const timestamp = 1_700_000_000n + BigInt(height);
  const header = aHeader({
    parentHash,
    number: BigInt(height),
    timestamp,
    logsBloom: bloom.bytes,
    gasUsed: included.reduce((sum, { output }) => sum + output.gasUsed, 0n),
  });
  const { writes, preimages } = aStateChange(random, shape.transactionsPerBlock);
  const blockOutputHash = random.bytes(32);
  const output: BlockOutput = {
    header,
    blockHash: headerHash(header),
    transactions: included.map((transaction) => transaction.output),
    writes,
    preimages,
    pubdata: random.bytes(40),
    computationalNativeUsed: 123_456_789_012n,
    blockOutputHash,
  };
  const record: BlockRecord = {
    context: {
      chainId: CHAIN_ID,
      blockNumber: BigInt(height),
      timestamp,
      eip1559BaseFee: 1000n,
      pubdataPrice: 2n ** 70n,
      nativePrice: 1n,
      coinbase: random.bytes(20),
      gasLimit: 100_000_000n,
      pubdataLimit: 110_000n,
      mixHash: 2n ** 255n,
      executionVersion: 4,
    },
    startingL1PriorityId: 0n,
    transactions: included.map(({ raw }) => raw),
    previousBlockTimestamp: height === 1 ? 0n : timestamp - 1n,
    nodeVersion: '0.1.0-ü',
    blockOutputHash,
  };
  return { kind: 'Block', position: height * 2, height, record, output, senders: included.map(({ sender }) => sender) };
}

function anIncluded(random: Random, shape: JournalShape, at: { nonce: number; index: number }): Included {
  const sender = random.bytes(20);
  const isL1 = random.chance(0.15);
  const isCreation = !isL1 && random.chance(0.2);
  const raw = isL1
    ? anL1Transaction(random, sender, at.nonce)
    : anL2Transaction(random, shape, { nonce: at.nonce, isCreation });
  const logCount = Math.floor(shape.logsPerTransaction) + (random.chance(shape.logsPerTransaction % 1) ? 1 : 0);
  const output: TransactionOutput = {
    success: random.chance(0.9),
    gasUsed: 21_000n + BigInt(random.below(1_000_000)),
    gasRefunded: random.chance(0.1) ? 5n : 0n,
    nativeUsed: BigInt(random.below(2 ** 31)) * 64n,
    computationalNativeUsed: BigInt(random.below(2 ** 31)),
    pubdataUsed: BigInt(random.below(500)),
    returnData: random.bytes(random.below(40)),
    contractAddress: isCreation ? random.bytes(20) : undefined,
    effectiveGasPrice: random.chance(0.1) ? 2n ** 100n : 1000n,
    logs: Array.from({ length: logCount }, () => aLog(random, shape)),
    l2ToL1Logs: isL1 ? [anL2ToL1Log(random, at.index)] : [],
    messages: random.chance(0.1) ? [{ sender: random.bytes(20), data: random.bytes(50) }] : [],
  };
  return { raw, sender, output };
}

function anL2Transaction(
  random: Random,
  shape: JournalShape,
  { nonce, isCreation }: { nonce: number; isCreation: boolean },
): Bytes {
  const to = isCreation ? new Uint8Array(0) : random.bytes(20);
  const scalar = (): Bytes => concatBytes(Uint8Array.of(0x11), random.bytes(31));
  const input = random.bytes(random.chance(shape.largeInputShare) ? 9000 : random.below(80));
  const value = rlpInteger(10n ** 18n);
  const price = rlpInteger(5_000_000_000n);
  const gas = rlpInteger(1_000_000n);
  const type = random.below(3);
  if (type === 0)
    return encodeRlp([
      rlpInteger(nonce),
      price,
      gas,
      to,
      value,
      input,
      rlpInteger(35n + 2n * CHAIN_ID),
      scalar(),
      scalar(),
    ]);
  const fees: RlpItem[] = type === 1 ? [price] : [rlpInteger(0n), price];
  const fields = [
    rlpInteger(CHAIN_ID),
    rlpInteger(nonce),
    ...fees,
    gas,
    to,
    value,
    input,
    [],
    rlpInteger(1n),
    scalar(),
    scalar(),
  ];
  return concatBytes(Uint8Array.of(type), encodeRlp(fields));
}

function anL1Transaction(random: Random, initiator: Bytes, nonce: number): Bytes {
  return encodeL1Transaction({
    type: 0x7f,
    initiator,
    to: random.bytes(20),
    gasLimit: 300_000n,
    gasPerPubdataByteLimit: 800n,
    maxFeePerGas: 250_000_000n,
    maxPriorityFeePerGas: 0n,
    nonce: BigInt(nonce),
    value: 50n,
    toMint: 10n ** 18n,
    refundRecipient: initiator,
    input: random.bytes(10),
    factoryDeps: [],
  }).raw;
}

function aLog(random: Random, shape: JournalShape): Log {
  return {
    address: random.pick(shape.addresses),
    topics: Array.from({ length: random.below(5) }, () => random.pick(shape.topics)),
    data: random.bytes(random.below(70)),
  };
}

function anL2ToL1Log(random: Random, index: number): L2ToL1Log {
  return {
    shardId: 0,
    isService: true,
    txNumberInBlock: index,
    sender: random.bytes(20),
    key: random.bytes(32),
    value: random.bytes(32),
  };
}

/** Two accounts a transaction, some slots, some code. */
function aStateChange(random: Random, transactions: number): { writes: StorageWrite[]; preimages: Preimage[] } {
  const writes: StorageWrite[] = [];
  const preimages: Preimage[] = [];
  for (let i = 0; i < transactions * 2; i++) {
    const accountRecord = random.bytes(124);
    const value = keccak256(accountRecord);
    const slot = padAddress(random.bytes(20));
    writes.push({ flatKey: random.bytes(32), value, address: ACCOUNT_PROPERTIES_ADDRESS, slot, accountRecord });
    preimages.push({ hash: value, bytes: accountRecord.slice() });
    if (i % 4 === 0) {
      writes.push({
        flatKey: random.bytes(32),
        value: random.bytes(32),
        address: random.bytes(20),
        slot: random.bytes(32),
        accountRecord: undefined,
      });
    }
  }
  const code = random.bytes(100);
  preimages.push({ hash: keccak256(code), bytes: code });
  preimages.sort((a, b) => Buffer.compare(a.hash, b.hash));
  return { writes, preimages };
}
