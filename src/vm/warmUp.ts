/**
 * Runs blocks of ordinary transactions on a state that is thrown away, so that the first real block meets compiled code and
 * not the many seconds in which every first opcode sends the interpreter back to be compiled again (design.md 4).
 */
import { type Bytes, EMPTY_BYTES, ZERO_32, bigIntToBytes, bytesKey, concatBytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import {
  EMPTY_ACCOUNT_RECORD,
  StoredAccountRecord,
  deployedAccountFields,
  encodeAccountRecord,
  storedCode,
} from '../protocol/accountRecord.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';
import { encodeRlp, rlpInteger } from '../protocol/rlp.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import type { SenderedTransaction } from '../protocol/transaction.ts';
import { BlockExecution } from './blockExecution.ts';
import { ABSENT, type LoadedState } from './loadedState.ts';

const BLOCKS = 20;
const TRANSACTIONS_PER_BLOCK = 120;
const GAS_LIMIT = 1_000_000n;
const PRICE = 1_000n;
const BALANCE = 10n ** 24n;
const CHAIN_ID = 1n;
const SIGNATURE_NUMBER = 1n << 254n;

const ADDRESS_START = 0x10_0000;
const CALLER = bigIntToBytes(0xca11e4n, 20);
const CALLEE = bigIntToBytes(0xca11een, 20);

/** A loop over words, memory, hashes and slots; then an event, a call with a value and the output of the callee. */
const CALLER_CODE = concatBytes(
  Uint8Array.of(0x60, 0x06, 0x5b), // six rounds, from position 2 on
  Uint8Array.of(0x80, 0x80, 0x02, 0x7f, ...new Uint8Array(32).fill(0xa7), 0x01, 0x81, 0x18), // n * n + word ^ n
  Uint8Array.of(0x60, 0x07, 0x1c, 0x60, 0x03, 0x1b, 0x80, 0x60, 0x35, 0x90, 0x06, 0x17), // shifts, % and |
  Uint8Array.of(0x61, 0x03, 0xe8, 0x90, 0x04, 0x80, 0x15, 0x19, 0x16), // / 1000, & ~!
  Uint8Array.of(0x80, 0x82, 0x10, 0x50, 0x80, 0x82, 0x11, 0x50, 0x80, 0x82, 0x12, 0x50, 0x80, 0x82, 0x14, 0x50), // comparisons
  Uint8Array.of(0x60, 0x00, 0x52, 0x33, 0x60, 0x20, 0x52), // memory: the value and the caller
  Uint8Array.of(0x60, 0x40, 0x60, 0x00, 0x20, 0x80, 0x54, 0x60, 0x01, 0x01, 0x90, 0x55), // slot of their hash + 1
  Uint8Array.of(0x5f, 0x35, 0x36, 0x01, 0x34, 0x01, 0x50, 0x60, 0x00, 0x51, 0x50), // call data, value, memory
  Uint8Array.of(0x60, 0x01, 0x90, 0x03, 0x80, 0x60, 0x02, 0x57), // n - 1, again unless zero
  Uint8Array.of(0x33, 0x30, 0x60, 0x03, 0x60, 0x40, 0x60, 0x00, 0xa3), // an event with three topics
  Uint8Array.of(0x60, 0x20, 0x5f, 0x60, 0x40, 0x5f, 0x60, 0x01, 0x73, ...CALLEE, 0x5a, 0xf1, 0x50), // a call with 1 wei
  Uint8Array.of(0x3d, 0x5f, 0x5f, 0x3e, 0x60, 0x20, 0x5f, 0xf3), // what it gave
);
/** Its slot 0 + 1, as output. */
const CALLEE_CODE = Uint8Array.of(0x5f, 0x54, 0x60, 0x01, 0x01, 0x80, 0x5f, 0x55, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3);

/** Everybody is rich, two have code. */
class WarmUpState implements LoadedState {
  readonly #records = new Map<string, StoredAccountRecord>();
  readonly #preimages = new Map<string, Bytes>();
  readonly #rich = new StoredAccountRecord(encodeAccountRecord({ ...EMPTY_ACCOUNT_RECORD, balance: BALANCE }));

  constructor() {
    for (const [address, code] of [
      [CALLER, CALLER_CODE],
      [CALLEE, CALLEE_CODE],
    ] as const) {
      const stored = storedCode(code);
      const fields = deployedAccountFields(code, stored);
      this.#preimages.set(bytesKey(fields.bytecodeHash), stored);
      const record = encodeAccountRecord({ ...fields, nonce: 1n, balance: BALANCE });
      this.#records.set(bytesKey(address), new StoredAccountRecord(record));
    }
  }

  account(address: Bytes): StoredAccountRecord {
    return this.#records.get(bytesKey(address)) ?? this.#rich;
  }

  slot(): boolean {
    return false;
  }

  preimage(hash: Bytes): Bytes | typeof ABSENT {
    return this.#preimages.get(bytesKey(hash)) ?? ABSENT;
  }
}

const CONTEXT: BlockContext = {
  chainId: CHAIN_ID,
  blockNumber: 1n,
  blockHashes: Array.from({ length: 256 }, () => ZERO_32),
  timestamp: 1n,
  eip1559BaseFee: PRICE,
  pubdataPrice: 1n,
  nativePrice: 1n,
  coinbase: bigIntToBytes(0xc01bn, 20),
  gasLimit: GAS_LIMIT * BigInt(TRANSACTIONS_PER_BLOCK),
  pubdataLimit: 1n << 40n,
  mixHash: 0n,
  executionVersion: 3,
};

/** Calls and transfers in turn, each from somebody else; nobody signed them, and the machine does not ask. */
function transaction(index: number): SenderedTransaction {
  const isCall = index % 2 === 0;
  const to = isCall ? CALLER : bigIntToBytes(BigInt(ADDRESS_START + index), 20);
  const numbers = [CHAIN_ID, 0n, 0n, PRICE, GAS_LIMIT].map(rlpInteger);
  const raw = encodeRlp([
    ...numbers,
    to,
    rlpInteger(index),
    isCall ? bigIntToBytes(BigInt(index), 36) : EMPTY_BYTES,
    [],
    rlpInteger(0),
    rlpInteger(SIGNATURE_NUMBER),
    rlpInteger(SIGNATURE_NUMBER),
  ]);
  return {
    transaction: decodeTransaction(concatBytes(Uint8Array.of(2), raw)),
    sender: bigIntToBytes(BigInt(2 * ADDRESS_START + index), 20),
  };
}

/** @param turn gives the event loop its turn; called between transactions */
export async function warmUp(turn: () => Promise<void>): Promise<void> {
  const state = new WarmUpState();
  const transactions = Array.from({ length: TRANSACTIONS_PER_BLOCK }, (_, index) => transaction(index));
  for (let block = 0; block < BLOCKS; block += 1) {
    const execution = new BlockExecution({ context: CONTEXT, state });
    for (const sendered of transactions) {
      const step = execution.start(sendered);
      assert(step.kind === 'included' && step.output.success, 'a transaction of the warm-up failed');
      await turn();
    }
    execution.finish();
  }
}
