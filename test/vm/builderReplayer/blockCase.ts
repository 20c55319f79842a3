/**
 * Random work for a builder: contracts in which every opcode that reads state reads keys of its own, transactions of every
 * kind around them, and settings under which blocks end in every way. A case follows from its seed alone.
 */
import { getCreate2Address } from 'viem';
import { type Bytes, bytesKey, concatBytes, fromHex, padAddress, toHex } from '../../../src/common/bytes.ts';
import { intrinsicGas } from '../../../src/producers/poolChecks.ts';
import type { AccountView } from '../../../src/producers/mempool.ts';
import type { SequencerSettings } from '../../../src/producers/sequencer.ts';
import type { L1Transaction, L2Transaction } from '../../../src/protocol/transaction.ts';
import { creationAddress } from '../../../src/vm/creates.ts';
import { CALL, CALLCODE, CREATE2, DELEGATECALL, STATICCALL } from '../../../src/vm/opcodes.ts';
import {
  anAddress,
  anL1Transaction,
  anL2Transaction,
  aWord,
  code,
  ETHER,
  initCodeOf,
  push,
  TEST_CHAIN_ID,
} from '../../support/factories.ts';
import { seededRandom, TestState } from '../../support/testState.ts';

export interface PooledTransaction {
  readonly transaction: L2Transaction;
  readonly sender: Bytes;
  /** What the pool believes of the sender; the state knows better at times. */
  readonly view: AccountView;
}

export interface BlockCase {
  readonly settings: SequencerSettings;
  readonly state: TestState;
  readonly pooled: readonly PooledTransaction[];
  readonly l1: readonly L1Transaction[];
  /** Set: the first block is block 1. */
  readonly upgrade: L1Transaction | undefined;
  /** Entries in each generation of the builder's cache, and of the replayer's. */
  readonly cacheCapacities: readonly [number, number];
  /** Milliseconds by which the clock goes on whenever it is read. */
  readonly tickMs: number;
  /** Who reads the key of a miss: name by `missName`. Accounts that are not here are those of CREATE. */
  readonly readers: ReadonlyMap<string, string>;
}

/** What a builder does with a case beyond the random rest. */
export type CaseKind =
  'mixed' | 'poor' | 'pubdata' | 'gas' | 'size' | 'diffs' | 'count' | 'upgrade' | 'time' | 'cycles' | 'messages';

/** In turn by seed; what fills a whole block is too long to be among them. */
const KINDS: readonly CaseKind[] = ['mixed', 'poor', 'pubdata', 'gas', 'size', 'diffs', 'count', 'upgrade', 'time'];

const accountName = (address: Bytes): string => `a${bytesKey(address)}`;
const slotName = (slot: Bytes): string => `s${bytesKey(slot)}`;
const preimageName = (hash: Bytes): string => `p${bytesKey(hash)}`;
export const missNames = { account: accountName, slot: slotName, preimage: preimageName };

/** Opcodes that read an account, with the stack below its address. */
const ACCOUNT_READERS = { BALANCE: 0x31, EXTCODESIZE: 0x3b, EXTCODEHASH: 0x3f } as const;
const CALLS = { CALL, CALLCODE, DELEGATECALL, STATICCALL } as const;
const KEYS_PER_OPCODE = 4;
const CONTRACTS = 8;
const SENDERS = 7;
const SENDER_WITH_CODE = 5;
const MESSENGER = anAddress(0x8008);
const BASE_TOKEN = anAddress(0x800a);
const DEPLOYER = anAddress(0x8006);
const UPGRADER = anAddress(0x800f);
const FEE_COLLECTOR = anAddress(0xc01bba5e);
const RAW_CODE_SALT = 0x200;
const JUMP_BACK = code(push(1), 0x90, 0x03, 0x80);

/** The keys of an opcode: nobody else reads them. */
const ownAddress = (opcode: number, index: number): Bytes => {
  const address = new Uint8Array(20);
  address.set([opcode, 0xaa], 0);
  address[19] = index + 1;
  return address;
};
const ownSlot = (opcode: number, index: number): Bytes => {
  const slot = new Uint8Array(32);
  slot.set([opcode, 0xaa], 0);
  slot[31] = index;
  return slot;
};
const contractAddress = (index: number): Bytes => anAddress(0xc0de_0000 + index);
const senderAddress = (index: number): Bytes => anAddress(0x5e4d_0000 + index);

export function aBlockCase(seed: number, kind: CaseKind = KINDS[seed % KINDS.length] ?? 'mixed'): BlockCase {
  return new CaseMaker(seed, kind).make();
}

class CaseMaker {
  readonly #random: () => number;
  readonly #seed: number;
  readonly #kind: CaseKind;
  readonly #state = new TestState();
  readonly #readers = new Map<string, string>();
  readonly #baseFee: bigint;

  constructor(seed: number, kind: CaseKind) {
    this.#seed = seed;
    this.#kind = kind;
    this.#random = seededRandom(seed);
    // With so little native per gas transactions run out of it, in validation and in execution.
    this.#baseFee = kind === 'poor' ? BigInt(this.#below(90) + 20) : 1_000n;
  }

  make(): BlockCase {
    this.#putAccounts();
    const isLong = this.#kind === 'cycles' || this.#kind === 'messages';
    const pooled = isLong ? this.#fillingBlock() : this.#pooled();
    return {
      settings: this.#settings(),
      state: this.#state,
      pooled,
      // An L1 transaction that fits no block stops a chain.
      l1: isLong || this.#kind === 'pubdata' ? [] : this.#l1Transactions(),
      upgrade: this.#kind === 'upgrade' ? this.#upgrade() : undefined,
      cacheCapacities: [1 + this.#below(24), 1 + this.#below(24)],
      tickMs: this.#kind === 'time' ? 2 : 0,
      readers: this.#readers,
    };
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<Item>(items: readonly Item[]): Item {
    const item = items[this.#below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  #settings(): SequencerSettings {
    const kind = this.#kind;
    const isMessages = kind === 'messages';
    return {
      chainId: TEST_CHAIN_ID,
      feeCollector: FEE_COLLECTOR,
      blockGasLimit: isMessages ? 1_000_000_000n : kind === 'gas' ? 900_000n : 100_000_000n,
      blockPubdataLimitBytes: isMessages ? 1n << 40n : kind === 'pubdata' ? BigInt(350 + this.#below(300)) : 110_000n,
      baseFee: this.#baseFee,
      pubdataPrice: this.#pick([0n, 1n, 1n, 40n]),
      blockTimeMs: 50,
      maxTransactionsInBlock: kind === 'count' ? 1 + this.#below(4) : 1_000,
      blockSizeLimitBytes: kind === 'size' ? 400 + this.#below(900) : 6 * 1024 * 1024,
      nodeVersion: '0.0.0',
    };
  }

  #put(reader: string, address: Bytes, program?: Bytes): void {
    this.#readers.set(accountName(address), reader);
    if (program === undefined) {
      if (this.#chance(0.5))
        this.#state.put(address, { balance: BigInt(this.#below(3)), nonce: BigInt(this.#below(2)) });
      return;
    }
    this.#state.put(address, { nonce: 1n, code: program });
    this.#readers.set(preimageName(this.#state.record(address).bytecodeHash), `code of ${reader}`);
  }

  #putAccounts(): void {
    const fixed = [MESSENGER, BASE_TOKEN, DEPLOYER, UPGRADER, FEE_COLLECTOR, anAddress(0x8001)];
    for (const address of fixed) this.#readers.set(accountName(address), 'fixed');
    for (let i = 0; i < KEYS_PER_OPCODE; i += 1) {
      for (const [name, opcode] of Object.entries(ACCOUNT_READERS)) this.#put(name, ownAddress(opcode, i));
      for (const [name, opcode] of Object.entries(CALLS)) {
        const program = i % 2 === 0 ? this.#callee(opcode, i) : undefined;
        this.#put(name, ownAddress(opcode, i), program);
      }
      this.#put('EXTCODECOPY', ownAddress(0x3c, i), this.#salted(code(0x5b), 0x3c00 + i));
      this.#put('SELFDESTRUCT', ownAddress(0xff, i));
      this.#put('transaction', ownAddress(0x70, i));
      this.#readers.set(slotName(ownSlot(0x54, i)), 'SLOAD');
      this.#readers.set(slotName(ownSlot(0x55, i)), 'SSTORE');
    }
    for (let i = 0; i < SENDERS; i += 1) {
      const hasCode = i === SENDER_WITH_CODE;
      this.#state.put(senderAddress(i), { balance: ETHER, ...(hasCode ? { code: this.#salted(code(0x00), i) } : {}) });
      this.#readers.set(accountName(senderAddress(i)), 'sender');
    }
    for (let i = 0; i < CONTRACTS; i += 1) {
      const address = contractAddress(i);
      const program = this.#salted(this.#kind === 'pubdata' ? this.#publisher() : this.#program(address), i);
      const slots = [0x54, 0x55].flatMap((opcode) =>
        Array.from({ length: KEYS_PER_OPCODE }, (_, n) => [ownSlot(opcode, n), aWord(this.#below(3))] as const),
      );
      const known = slots.filter(() => this.#chance(0.5));
      this.#state.put(address, { nonce: 1n, balance: BigInt(this.#below(20)), code: program, slots: known });
      this.#readers.set(accountName(address), 'transaction');
      this.#readers.set(preimageName(this.#state.record(address).bytecodeHash), 'code of transaction');
    }
  }

  /** Nobody else's: codes are cached by content for the whole process. */
  #salted(program: Bytes, salt: number): Bytes {
    return concatBytes(program, code(0x00), push(aWord((BigInt(this.#seed) << 32n) + BigInt(salt))));
  }

  #callee(opcode: number, index: number): Bytes {
    const write = opcode === STATICCALL ? '' : code(push(this.#below(3)), push(7), 0x55);
    return this.#salted(
      code(push(7), 0x54, 0x50, write, this.#pick([code(0x00), code(0x5f, 0x5f, 0xfd), code(0xfe)])),
      index,
    );
  }

  #callOf(opcode: number, target: Bytes, input: Bytes, value: number): Bytes {
    const takesValue = opcode === CALL || opcode === CALLCODE;
    return code(push(32), push(0), input, takesValue ? push(value) : '', push(target), push(60_000), opcode, 0x50);
  }

  /** A few of everything, and an end. */
  #program(self: Bytes): Bytes {
    const parts = Array.from({ length: 2 + this.#below(7) }, () => this.#piece(self));
    const end = this.#pick([
      code(0x00),
      code(0x00),
      code(push(32), push(0), 0xf3),
      code(push(32), push(0), 0xfd),
      code(0xfe),
      code(push(ownAddress(0xff, this.#below(KEYS_PER_OPCODE))), 0xff),
      code(0x5b, push(parts.reduce((length, part) => length + part.length, 0)), 0x56),
    ]);
    return concatBytes(...parts, end);
  }

  /** Publishes a little, and with input more than the block takes. */
  #publisher(): Bytes {
    const common = code(
      code(push(1), 0x5c, push(0), 0x52, push(7), push(32), push(0), 0xa1),
      code(push(1), push(ownSlot(0x55, this.#below(KEYS_PER_OPCODE))), 0x55),
      code(push(9), push(1), 0x5d),
    );
    const large = Array.from({ length: 8 }, (_, i) => code(push(aWord(-1 - i)), push(ownSlot(0x54, i)), 0x55));
    const rest = concatBytes(...large);
    const check = (end: number): Bytes => code(0x36, 0x15, 0x61, end >> 8, end & 0xff, 0x57);
    const end = common.length + check(0).length + rest.length;
    return concatBytes(common, check(end), rest, code(0x5b));
  }

  #piece(self: Bytes): Bytes {
    const index = this.#below(KEYS_PER_OPCODE);
    const small = this.#below(3);
    switch (this.#below(14)) {
      case 0:
        return code(push(ownSlot(0x54, index)), 0x54, 0x50);
      case 1:
      case 2:
        return code(push(small), push(ownSlot(0x55, index)), 0x55);
      case 3: {
        const opcode = this.#pick(Object.values(ACCOUNT_READERS));
        return code(push(ownAddress(opcode, index)), opcode, 0x50);
      }
      case 4:
        return code(push(40), push(0), push(this.#below(200)), push(ownAddress(0x3c, index)), 0x3c);
      case 5:
      case 6:
      case 7: {
        const opcode = this.#pick(Object.values(CALLS));
        return this.#callOf(opcode, ownAddress(opcode, index), code(push(32), push(0)), small === 2 ? 1 : 0);
      }
      case 8: {
        const created = code(
          push(this.#pick([code(0x5f, 0x5f, 0xf3), code(push(1), push(3), 0x55), code(0xfe)])),
          push(0),
          0x52,
        );
        return code(created, push(32), push(0), push(small === 2 ? 1 : 0), 0xf0, 0x50);
      }
      case 9: {
        const word = aWord(BigInt(0x5f5ff3) + BigInt(index));
        const salt = aWord(index);
        this.#readers.set(
          accountName(fromHex(getCreate2Address({ from: toHex(self), salt: toHex(salt), bytecode: toHex(word) }))),
          'CREATE2',
        );
        return code(push(word), push(0), 0x52, push(index), push(32), push(0), push(0), CREATE2, 0x50);
      }
      case 10:
        return this.#message();
      default:
        // What lies in transient storage goes into the event, then something else lies there.
        return code(push(index), 0x5c, push(0), 0x52, push(7), push(32), push(0), 0xa1, push(small), push(index), 0x5d);
    }
  }

  /** A message to L1 or a withdrawal. */
  #message(): Bytes {
    if (this.#chance(0.5)) {
      const input = code(push(0x51cff8d9), push(224), 0x1b, push(0), 0x52, push(0xbeef), push(4), 0x52);
      return code(input, this.#callOf(CALL, BASE_TOKEN, code(push(36), push(0)), this.#below(2)));
    }
    const input = code(
      push(0x62f84b24),
      push(224),
      0x1b,
      push(0),
      0x52,
      push(32),
      push(4),
      0x52,
      push(0),
      push(36),
      0x52,
    );
    return code(input, this.#callOf(CALL, MESSENGER, code(push(68), push(0)), 0));
  }

  #pooled(): PooledTransaction[] {
    const pooled: PooledTransaction[] = [];
    for (let i = 0; i < SENDERS; i += 1) {
      const sender = senderAddress(i);
      // The pool may believe in another nonce.
      const nonce = this.#chance(0.12) ? 1n : 0n;
      const view = { nonce, balance: 10n * ETHER, hasCode: false };
      const count = 1 + this.#below(4);
      for (let n = 0; n < count; n += 1)
        pooled.push({ transaction: this.#l2Transaction(i, nonce + BigInt(n)), sender, view });
    }
    return pooled;
  }

  #l2Transaction(senderIndex: number, nonce: bigint): L2Transaction {
    // What publishes too much offers most, so that others come after it.
    const publishes = this.#kind === 'pubdata' && senderIndex < 2;
    const type = publishes ? 0 : this.#pick([0, 1, 2] as const);
    const to = publishes ? contractAddress(this.#below(2)) : this.#target();
    const input = publishes ? aWord(senderIndex + 1) : to === null ? this.#initCode(senderIndex) : this.#input(to);
    const accessList = type === 0 ? [] : this.#accessList();
    // More than the sender has, at times.
    const value = this.#chance(0.08) ? 5n * ETHER : this.#chance(0.5) ? 0n : BigInt(this.#below(3));
    const intrinsic = intrinsicGas({ to: to ?? undefined, input, accessList });
    const spare = this.#pick([0, 3_000, 30_000, 150_000, 600_000]);
    const highest = this.#kind === 'gas' ? 700_000n : 2_000_000n;
    const wanted = intrinsic + BigInt(this.#kind === 'pubdata' ? 400_000 : this.#below(spare + 1));
    const margin = publishes ? 2_000n : BigInt(this.#below(this.#kind === 'poor' ? 10 : 2_000));
    const fee = !publishes && this.#chance(0.05) ? this.#baseFee - 1n : this.#baseFee + margin;
    if (to === null)
      this.#readers.set(accountName(creationAddress(senderAddress(senderIndex), nonce)), 'creation transaction');
    return anL2Transaction({
      type,
      nonce,
      to,
      input,
      value,
      accessList,
      // No two senders make the same transaction: nobody signs here.
      gasLimit: (wanted > highest ? highest : wanted) + BigInt(senderIndex),
      maxFeePerGas: fee,
      maxPriorityFeePerGas: BigInt(this.#below(Number(fee))),
    });
  }

  #target(): Bytes | null {
    const choice = this.#random();
    // Where transactions are taken back for what they publish, they meet in two contracts.
    if (choice < 0.65) return contractAddress(this.#below(this.#kind === 'pubdata' ? 2 : CONTRACTS));
    if (choice < 0.8) return ownAddress(0x70, this.#below(KEYS_PER_OPCODE));
    return choice < 0.9 ? null : this.#pick([MESSENGER, BASE_TOKEN, DEPLOYER]);
  }

  #input(to: Bytes): Bytes {
    if (to === MESSENGER) return concatBytes(fromHex('62f84b24'), aWord(32), aWord(32), aWord(this.#below(9)));
    if (to === BASE_TOKEN) return concatBytes(fromHex('51cff8d9'), padAddress(senderAddress(0)));
    return new Uint8Array(this.#chance(0.4) ? 0 : this.#below(40)).fill(1);
  }

  #initCode(senderIndex: number): Bytes {
    const constructor = code(push(this.#below(3)), push(ownSlot(0x55, 0)), 0x55);
    return this.#pick([
      initCodeOf(this.#salted(code(0x5b), 0x100 + senderIndex)),
      concatBytes(constructor, code(0x00)),
      concatBytes(constructor, code(0x5f, 0x5f, 0xfd)),
    ]);
  }

  #accessList(): { address: Bytes; slots: Bytes[] }[] {
    return Array.from({ length: this.#below(3) }, () => {
      if (this.#chance(0.4))
        return {
          address: ownAddress(this.#pick(Object.values(ACCOUNT_READERS)), this.#below(KEYS_PER_OPCODE)),
          slots: [],
        };
      const slots = [0x54, 0x55].map((opcode) => ownSlot(opcode, this.#below(KEYS_PER_OPCODE)));
      return { address: contractAddress(this.#below(CONTRACTS)), slots };
    });
  }

  #l1Transactions(): L1Transaction[] {
    const isPoor = this.#kind === 'diffs';
    return Array.from({ length: isPoor ? 3 : this.#below(4) }, (_, nonce) =>
      anL1Transaction({
        nonce: BigInt(nonce),
        initiator: ownAddress(0x70, this.#below(KEYS_PER_OPCODE)),
        to: this.#target() ?? ownAddress(0x70, 0),
        value: BigInt(this.#below(3)),
        input: new Uint8Array(this.#below(8)),
        refundRecipient: ownAddress(0x70, this.#below(KEYS_PER_OPCODE)),
        // Just enough for itself, and not for what others left on the accounts it touches.
        ...(isPoor && nonce > 0
          ? { gasLimit: 110_000n, gasPerPubdataByteLimit: 1_000n, value: 0n }
          : { gasLimit: BigInt(this.#pick([150_000, 400_000, 800_000])) }),
      }),
    );
  }

  /** Deploys by force, from the one who may. */
  #upgrade(): L1Transaction {
    const raw = this.#salted(code(0x5b, 0x00), RAW_CODE_SALT);
    const hash = this.#state.putRawCode(raw);
    const target = anAddress(0x1_0002);
    this.#readers.set(accountName(target), 'force deployment').set(preimageName(hash), 'code of force deployment');
    return anL1Transaction({
      type: 0x7e,
      initiator: UPGRADER,
      to: DEPLOYER,
      gasLimit: 10_000_000n,
      maxFeePerGas: 0n,
      toMint: 0n,
      nonce: 29n,
      refundRecipient: new Uint8Array(20),
      input: concatBytes(fromHex('f6eca0b0'), padAddress(target), hash, aWord(raw.length), aWord(1)),
    });
  }

  /** Storage writes until the cycles of a block are used up, or messages until it has no room for another. */
  #fillingBlock(): PooledTransaction[] {
    const isCycles = this.#kind === 'cycles';
    const address = contractAddress(CONTRACTS);
    const body = isCycles ? code(push(1), push(0), 0x55) : this.#messageOfNothing();
    const head = isCycles ? code(push(120_000), 0x5b) : code(push(4_096), 0x5b);
    const program = concatBytes(head, body, JUMP_BACK, code(push(head.length - 1), 0x57));
    this.#state.put(address, { nonce: 1n, code: this.#salted(program, CONTRACTS) });
    this.#readers.set(accountName(address), 'transaction');
    const gasLimit = isCycles ? 20_000_000n : 30_000_000n;
    return Array.from({ length: isCycles ? 6 : 5 }, (_, n) => ({
      transaction: anL2Transaction({ to: address, gasLimit, nonce: BigInt(n) }),
      sender: senderAddress(0),
      view: { nonce: 0n, balance: ETHER, hasCode: false },
    }));
  }

  #messageOfNothing(): Bytes {
    const input = code(push(0x62f84b24), push(224), 0x1b, push(0), 0x52, push(32), push(4), 0x52);
    return code(input, push(0), push(0), push(68), push(0), push(0), push(MESSENGER), 0x5a, CALL, 0x50);
  }
}
