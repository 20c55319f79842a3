/** Values for tests, complete unless told otherwise. */
import { privateKeyToAccount } from 'viem/accounts';
import type { PrivateKeyAccount } from 'viem/accounts';
import { bigIntToBytes, concatBytes, fromHex, toHex, ZERO_32 } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import type { BlockContext } from '../../src/protocol/replayRecord.ts';
import { encodeRlp, rlpInteger } from '../../src/protocol/rlp.ts';
import type { RlpItem } from '../../src/protocol/rlp.ts';
import type {
  AccessListItem,
  L1Transaction,
  L2Transaction,
  SenderedTransaction,
} from '../../src/protocol/transaction.ts';
import { decodeTransaction, encodeL1Transaction } from '../../src/protocol/transactionCodec.ts';
import type { L1TransactionFields } from '../../src/protocol/transactionCodec.ts';

export const TEST_CHAIN_ID = 270n;
export const ETHER = 10n ** 18n;

/** A 20-byte address that ends in this number. */
export function anAddress(number: number | bigint): Bytes {
  return bigIntToBytes(BigInt(number), 20);
}

/** A 32-byte word. */
export function aWord(value: number | bigint): Bytes {
  return bigIntToBytes(BigInt.asUintN(256, BigInt(value)), 32);
}

/** Block 1 of the test chain with the defaults of the specification. */
export function aBlockContext(overrides: Partial<BlockContext> = {}): BlockContext {
  return {
    chainId: TEST_CHAIN_ID,
    blockNumber: 1n,
    blockHashes: Array.from({ length: 256 }, () => ZERO_32),
    timestamp: 1_700_000_000n,
    eip1559BaseFee: 1_000n,
    pubdataPrice: 1n,
    nativePrice: 1n,
    coinbase: anAddress(0xc01bba5e),
    gasLimit: 100_000_000n,
    pubdataLimit: 110_000n,
    mixHash: 0n,
    executionVersion: 3,
    ...overrides,
  };
}

export interface L2Options {
  readonly type?: 0 | 1 | 2;
  readonly chainId?: bigint;
  readonly nonce?: bigint;
  readonly maxFeePerGas?: bigint;
  /** Legacy and 2930: ignored, equal to maxFeePerGas. */
  readonly maxPriorityFeePerGas?: bigint;
  readonly gasLimit?: bigint;
  /** null: a creation. */
  readonly to?: Bytes | null;
  readonly value?: bigint;
  readonly input?: Bytes;
  readonly accessList?: readonly AccessListItem[];
}

const SIGNATURE_NUMBER = (1n << 255n) - 19n;

/** A transaction with a signature of full length that is nobody's: the VM does not look at it. */
export function anL2Transaction(options: L2Options = {}): L2Transaction {
  const {
    type = 2,
    chainId = TEST_CHAIN_ID,
    nonce = 0n,
    maxFeePerGas = 1_000n,
    gasLimit = 100_000n,
    value = 0n,
  } = options;
  const { maxPriorityFeePerGas = 0n, input = new Uint8Array(0), accessList = [], to = anAddress(0xb0b) } = options;
  const list: RlpItem = accessList.map((item) => [item.address, [...item.slots]]);
  const body: RlpItem[] = [rlpInteger(gasLimit), to ?? new Uint8Array(0), rlpInteger(value), input];
  const signature = [rlpInteger(SIGNATURE_NUMBER), rlpInteger(SIGNATURE_NUMBER)];
  const head = [rlpInteger(nonce)];
  let raw: Bytes;
  if (type === 0) {
    raw = encodeRlp([...head, rlpInteger(maxFeePerGas), ...body, rlpInteger(35n + 2n * chainId), ...signature]);
  } else {
    const fees = type === 1 ? [rlpInteger(maxFeePerGas)] : [rlpInteger(maxPriorityFeePerGas), rlpInteger(maxFeePerGas)];
    const items = [rlpInteger(chainId), ...head, ...fees, ...body, list, rlpInteger(0), ...signature];
    raw = concatBytes(Uint8Array.of(type), encodeRlp(items));
  }
  const transaction = decodeTransaction(raw);
  if (transaction.type > 2) throw new Error('a factory made a transaction of another type');
  return transaction as L2Transaction; // narrowed by the line above
}

/** `anL2Transaction` with its sender. */
export function from(sender: Bytes, options: L2Options = {}): SenderedTransaction {
  return { transaction: anL2Transaction(options), sender };
}

/** A priority transaction that mints what it needs, from 0x…a11ce to 0x…b0b. */
export function anL1Transaction(overrides: Partial<L1TransactionFields> = {}): L1Transaction {
  const gasLimit = overrides.gasLimit ?? 1_000_000n;
  const maxFeePerGas = overrides.maxFeePerGas ?? 250_000_000n;
  const value = overrides.value ?? 0n;
  return encodeL1Transaction({
    type: 0x7f,
    initiator: anAddress(0xa11ce),
    to: anAddress(0xb0b),
    gasPerPubdataByteLimit: 800n,
    maxPriorityFeePerGas: 0n,
    nonce: 0n,
    toMint: value + gasLimit * maxFeePerGas,
    refundRecipient: anAddress(0xa11ce),
    input: new Uint8Array(0),
    factoryDeps: [],
    ...overrides,
    gasLimit,
    maxFeePerGas,
    value,
  });
}

/** `anL1Transaction` with its sender, the initiator. */
export function fromL1(overrides: Partial<L1TransactionFields> = {}): SenderedTransaction {
  const transaction = anL1Transaction(overrides);
  return { transaction, sender: transaction.initiator };
}

/** Accounts whose keys are known, for tests that need real signatures. */
export function aSigner(number: number): PrivateKeyAccount {
  return privateKeyToAccount(toHex(bigIntToBytes(BigInt(number) + 1n, 32)));
}

/** A transaction signed by `aSigner(number)`. */
export async function aSignedTransaction(number: number, options: L2Options = {}): Promise<SenderedTransaction> {
  const {
    type = 2,
    chainId = TEST_CHAIN_ID,
    nonce = 0n,
    maxFeePerGas = 1_000n,
    gasLimit = 100_000n,
    value = 0n,
  } = options;
  const { maxPriorityFeePerGas = 0n, input = new Uint8Array(0), accessList = [], to = anAddress(0xb0b) } = options;
  const signer = aSigner(number);
  const common = {
    chainId: Number(chainId),
    nonce: Number(nonce),
    gas: gasLimit,
    value,
    data: toHex(input),
    ...(to === null ? {} : { to: toHex(to) }),
  };
  const list = accessList.map((item) => ({
    address: toHex(item.address),
    storageKeys: item.slots.map((slot) => toHex(slot)),
  }));
  const raw =
    type === 0
      ? await signer.signTransaction({ ...common, type: 'legacy', gasPrice: maxFeePerGas })
      : type === 1
        ? await signer.signTransaction({ ...common, type: 'eip2930', gasPrice: maxFeePerGas, accessList: list })
        : await signer.signTransaction({
            ...common,
            type: 'eip1559',
            maxFeePerGas,
            maxPriorityFeePerGas,
            accessList: list,
          });
  return { transaction: decodeTransaction(fromHex(raw)), sender: fromHex(signer.address) };
}

/** A plain transfer signed by `aSigner(number)`. */
export async function aTransfer(
  number: number,
  options: Pick<L2Options, 'to' | 'value' | 'nonce' | 'maxFeePerGas'> = {},
): Promise<SenderedTransaction> {
  return aSignedTransaction(number, { gasLimit: 21_000n, value: 1n, ...options });
}

/** Bytecode from bytes, hex strings and pushed numbers: `code(push(1), 0x50, '6001')`. */
export function code(...parts: readonly (number | string | Bytes)[]): Bytes {
  return concatBytes(
    ...parts.map((part) =>
      typeof part === 'number' ? Uint8Array.of(part) : typeof part === 'string' ? fromHex(part) : part,
    ),
  );
}

/** Byte strings one behind the other. */
export const concat = concatBytes;

/** The shortest PUSH of a value, PUSH1 at least. */
export function push(value: number | bigint | Bytes): Bytes {
  const bytes =
    value instanceof Uint8Array
      ? value
      : fromHex(value.toString(16).padStart(value.toString(16).length + (value.toString(16).length % 2), '0'));
  return concatBytes(Uint8Array.of(0x5f + bytes.length), bytes);
}

/** Init code that deploys `runtime`. */
export function initCodeOf(runtime: Bytes): Bytes {
  // PUSH2 length, DUP1, PUSH1 12, PUSH0, CODECOPY, PUSH0, RETURN
  const length = fromHex(runtime.length.toString(16).padStart(4, '0'));
  const head = code(0x61, length, 0x80, 0x60, 0x0a, 0x5f, 0x39, 0x5f, 0xf3);
  return concatBytes(head, runtime);
}
