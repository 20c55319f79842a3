/** Figures of the specification and comparisons for blocks that are worked out by hand. Nothing here comes from src/vm. */
import assert from 'node:assert/strict';
import { type Bytes, concatBytes, fromHex, toHex, u32be } from '../../src/common/bytes.ts';
import type { ExecutedBlock } from '../../src/commands/executeBlock.ts';
import { decodeAccountRecord } from '../../src/protocol/accountRecord.ts';
import type { TransactionOutput } from '../../src/protocol/blockOutput.ts';
import { accountFlatKey, accountSlot, flatKey } from '../../src/protocol/stateKey.ts';
import { anAddress } from '../support/factories.ts';

/** acct(x) of an account that is loaded (native 4.3). */
export const LOADED = 4_000;
/** acct_write(x) of such an account. */
export const WRITE = LOADED + 1_000;
/** transfer(a, b) between two of them. */
export const MOVE = 2 * WRITE;
/** acct(x), first in the block: 4,000, slot_read 4,000 + 121,120, preimage 500 + 800 + 340 x ceil(124 / 64). */
export const FIRST = 4_000 + (4_000 + 121_120) + (500 + 800 + 340 * 2);
/** The same of an account that does not exist: 4,000, slot_read 4,000 + 242,240, no record to hash. */
export const FIRST_ABSENT = 4_000 + (4_000 + 242_240);
/** code(x), first in the block, of code that is at most 64 bytes with its padding and jump map. */
export const SHORT_CODE = 500 + 800 + 340;
/** keccak(n) of at most 136 bytes, and of at most 272. */
export const KECCAK_1 = 2_500 + 17_500;
export const KECCAK_2 = 2_500 + 17_500 * 2;
/** The hashed form of a deposit without input: 25 words, 800 bytes, 6 rounds. */
export const DEPOSIT_HASH = 2_500 + 17_500 * 6;
export const SIGNATURE = 522_000;

/** Native of native 7, steps 1 to 10, of the first L2 transaction of a block: price = maxFee, existing sender. */
export function validation(options: { readonly calldata: number; readonly hashes: number }): number {
  return (
    30_000 + // I, and a byte of calldata each
    options.calldata +
    FIRST + // 1 sender
    options.hashes + // 4
    LOADED + // 6 balance
    SIGNATURE + // 7
    WRITE + // 8 nonce
    FIRST_ABSENT + // 9 the balance of 0x8001
    (MOVE + LOADED) // 10 prepayment, 0x8001 again
  );
}

export interface WorkedTransaction {
  readonly success: boolean;
  readonly gas: number;
  readonly native: number;
  readonly computational: number;
  readonly pubdata: number;
}

export interface WorkedWrite {
  /** Contract slot; undefined: the account record. */
  readonly slot?: Bytes;
  readonly address: Bytes;
  /** Of a slot its value, of an account its balance. */
  readonly value: bigint;
  readonly nonce?: bigint;
  /** The diff behind its key in the pubdata, hex with spaces. */
  readonly diff: string;
}

export function outputs({ attempts }: ExecutedBlock): TransactionOutput[] {
  return attempts.flatMap((attempt) => (attempt.status === 'included' ? [attempt.output] : []));
}

/** What is counted of every included transaction. */
export function assertFigures(executed: ExecutedBlock, expected: readonly WorkedTransaction[]): void {
  assert.deepEqual(
    outputs(executed).map((output) => ({
      success: output.success,
      gas: Number(output.gasUsed),
      native: Number(output.nativeUsed),
      computational: Number(output.computationalNativeUsed),
      pubdata: Number(output.pubdataUsed),
    })),
    expected,
  );
  assert.equal(
    executed.output?.computationalNativeUsed,
    BigInt(expected.reduce((sum, transaction) => sum + transaction.computational, 0)),
  );
  assert.equal(
    executed.output?.header.gasUsed,
    BigInt(expected.reduce((sum, transaction) => sum + transaction.gas, 0)),
  );
}

/** Every write with its value, and the pubdata of the block byte for byte (state 7). */
export function assertWrites(
  { output }: ExecutedBlock,
  writes: readonly WorkedWrite[],
  messages: readonly Bytes[] = [],
): void {
  assert.ok(output !== undefined, 'there is a block');
  assert.deepEqual(
    output.writes.map((write) => {
      const record = write.accountRecord === undefined ? undefined : decodeAccountRecord(write.accountRecord);
      return [
        toHex(write.flatKey),
        toHex(write.address),
        toHex(write.slot),
        record?.balance ?? BigInt(toHex(write.value)),
        record?.nonce ?? 0n,
      ];
    }),
    writes.map(({ address, slot, value, nonce = 0n }) => [
      toHex(slot === undefined ? accountFlatKey(address) : flatKey(address, slot)),
      toHex(slot === undefined ? anAddress(0x8003) : address),
      toHex(slot ?? accountSlot(address)),
      value,
      nonce,
    ]),
  );
  const logs = output.transactions.flatMap((transaction) => transaction.l2ToL1Logs);
  const pubdata = concatBytes(
    output.blockHash,
    u32be(writes.length),
    ...writes.flatMap(({ address, slot, diff }) => [
      slot === undefined ? accountFlatKey(address) : flatKey(address, slot),
      fromHex(diff.replaceAll(' ', '')),
    ]),
    u32be(logs.length),
    // shard 0, service 1, number in the block, sender, key, value
    ...logs.flatMap((log) => [
      Uint8Array.of(0, 1, log.txNumberInBlock >> 8, log.txNumberInBlock & 255),
      ...[log.sender, log.key, log.value],
    ]),
    u32be(messages.length),
    ...messages.flatMap((message) => [u32be(message.length), message]),
  );
  assert.equal(toHex(output.pubdata), toHex(pubdata));
}
