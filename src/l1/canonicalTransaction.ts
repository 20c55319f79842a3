/** Transactions that L1 wrote, from its events to the form of the log (spec: replay-record 3.2, settlement 8). */
import { type Bytes, bigIntToBytes, equalBytes, fromHex, toHex } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { L1_PRIORITY_TYPE, type L1Transaction, UPGRADE_TYPE } from '../protocol/transaction.ts';
import { encodeL1Transaction } from '../protocol/transactionCodec.ts';
import { L1ErrorCode } from './errors.ts';

type Hex = `0x${string}`;

/** The struct as viem decodes it. */
export interface CanonicalTransaction {
  readonly txType: bigint;
  readonly from: bigint;
  readonly to: bigint;
  readonly gasLimit: bigint;
  readonly gasPerPubdataByteLimit: bigint;
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
  readonly paymaster: bigint;
  readonly nonce: bigint;
  readonly value: bigint;
  readonly reserved: readonly bigint[];
  readonly data: Hex;
  readonly signature: Hex;
  readonly factoryDeps: readonly bigint[];
  readonly paymasterInput: Hex;
  readonly reservedDynamic: Hex;
}

const U64_MAX = (1n << 64n) - 1n;
const U128_MAX = (1n << 128n) - 1n;
const LOW_160_BITS = (1n << 160n) - 1n;

/**
 * The transaction with the hash of its fields. Integers that are too wide become the highest their field holds.
 * @throws NodeError L1_REQUEST_MALFORMED
 */
export function canonicalToL1Transaction(canonical: CanonicalTransaction, type: L1Transaction['type']): L1Transaction {
  const problem = problemOf(canonical, type);
  if (problem !== undefined) throw malformed(canonical, problem);
  const { reserved } = canonical;
  return encodeL1Transaction({
    type,
    initiator: addressOf(canonical.from),
    to: addressOf(canonical.to),
    gasLimit: atMost(canonical.gasLimit, U64_MAX),
    gasPerPubdataByteLimit: atMost(canonical.gasPerPubdataByteLimit, U64_MAX),
    maxFeePerGas: atMost(canonical.maxFeePerGas, U128_MAX),
    maxPriorityFeePerGas: 0n,
    nonce: atMost(canonical.nonce, U64_MAX),
    value: canonical.value,
    toMint: reserved[0] ?? 0n,
    refundRecipient: addressOf(reserved[1] ?? 0n),
    input: fromHex(canonical.data),
    factoryDeps: canonical.factoryDeps.map((dependency) => bigIntToBytes(dependency, 32)),
  });
}

/** As above, for a NewPriorityRequest event, whose hash must be that of its fields. */
export function priorityRequestToTransaction(canonical: CanonicalTransaction, txHash: Hex): L1Transaction {
  const transaction = canonicalToL1Transaction(canonical, L1_PRIORITY_TYPE);
  if (!equalBytes(transaction.hash, fromHex(txHash)))
    throw malformed(canonical, `its hash is ${toHex(transaction.hash)} but the event says ${txHash}`);
  return transaction;
}

/** As above, for a GenesisUpgrade event. */
export function genesisUpgradeToTransaction(canonical: CanonicalTransaction): L1Transaction {
  return canonicalToL1Transaction(canonical, UPGRADE_TYPE);
}

function problemOf(canonical: CanonicalTransaction, type: number): string | undefined {
  const { txType, maxPriorityFeePerGas, paymaster, reserved } = canonical;
  if (txType !== BigInt(type)) return `its type is ${txType}, not ${type}`;
  if (maxPriorityFeePerGas !== 0n) return 'it has a priority fee';
  if (paymaster !== 0n) return 'it has a paymaster';
  if (reserved[2] !== 0n || reserved[3] !== 0n) return 'a reserved field is used';
  for (const name of ['signature', 'paymasterInput', 'reservedDynamic'] as const)
    if (canonical[name] !== '0x') return `${name} is not empty`;
  return undefined;
}

function malformed(canonical: CanonicalTransaction, problem: string): NodeError {
  return new NodeError(
    'fatal',
    `L1 emitted transaction ${canonical.nonce} in a form that this node cannot take: ${problem}; check that the L1 contracts are of protocol version 29`,
    { code: L1ErrorCode.requestMalformed, nonce: canonical.nonce, problem },
  );
}

function addressOf(value: bigint): Bytes {
  return bigIntToBytes(value & LOW_160_BITS, 20);
}

function atMost(value: bigint, max: bigint): bigint {
  return value > max ? max : value;
}
