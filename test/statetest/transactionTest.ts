/** TransactionTests and RLPTests, held against the node's own decoders and signature recovery. */
import { readFileSync } from 'node:fs';
import { equalBytes, fromHex, toHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { decodeRlp, encodeRlp, rlpInteger } from '../../src/protocol/rlp.ts';
import type { RlpItem } from '../../src/protocol/rlp.ts';
import { isL1Transaction } from '../../src/protocol/transaction.ts';
import type { L2Transaction } from '../../src/protocol/transaction.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { recoverSender } from '../../src/producers/senderRecovery.ts';
import { INIT_CODE_LENGTH_MAX } from '../../src/vm/gasCosts.ts';
import { intrinsicGas } from './ethereumTransaction.ts';

type Hex = string;

interface TransactionTestJson {
  readonly txbytes: Hex;
  readonly result: Readonly<
    Record<
      string,
      | { readonly hash?: Hex; readonly sender?: Hex; readonly intrinsicGas?: Hex; readonly exception?: string }
      | undefined
    >
  >;
}

type RlpJson = string | number | readonly RlpJson[];

interface RlpTestJson {
  readonly in: RlpJson;
  readonly out: Hex;
}

/** One test, ready to run: answers how it fails, undefined when it passes. */
export interface NamedTest {
  readonly name: string;
  readonly run: () => string | undefined;
}

/** Oldest first, up to the one that the machine follows; older tests say nothing about the newest forks. */
const FORKS = [
  'Frontier',
  'Homestead',
  'EIP150',
  'EIP158',
  'Byzantium',
  'Constantinople',
  'ConstantinopleFix',
  'Istanbul',
  'Berlin',
  'London',
  'Paris',
  'Shanghai',
  'Cancun',
];
const CHAIN_ID = 1n;
const NONCE_MAX = 0xffff_ffff_ffff_ffffn;
const U256 = 1n << 256n;

/** What Ethereum demands of a transaction before it looks at any state. Throws where that fails. */
function checked(transaction: L2Transaction): L2Transaction {
  const { chainId, nonce, gasLimit, maxFeePerGas, maxPriorityFeePerGas, to, input } = transaction;
  const demands: readonly (readonly [boolean, string])[] = [
    [chainId === undefined || chainId === CHAIN_ID, `chain id ${chainId}`],
    [nonce < NONCE_MAX, 'the nonce is the last one'],
    [gasLimit * maxFeePerGas < U256, 'gas limit times price overflows'],
    [maxPriorityFeePerGas <= maxFeePerGas, 'the priority fee exceeds the fee'],
    [to !== undefined || input.length <= INIT_CODE_LENGTH_MAX, 'the init code is too long'],
    [gasLimit >= intrinsicGas(transaction), 'the gas limit is below the intrinsic gas'],
  ];
  for (const [holds, problem] of demands) if (!holds) throw new Error(problem);
  return transaction;
}

function transactionDifference({ txbytes, result }: TransactionTestJson): string | undefined {
  const fork = FORKS.findLast((name) => result[name] !== undefined);
  const expected = fork === undefined ? undefined : result[fork];
  if (expected === undefined) return 'there is no result for a fork up to Cancun';
  let transaction: L2Transaction;
  let sender: Bytes;
  try {
    const decoded = decodeTransaction(fromHex(txbytes));
    if (isL1Transaction(decoded)) throw new Error('an L1 transaction');
    transaction = checked(decoded);
    sender = recoverSender(transaction);
  } catch (error) {
    return expected.exception === undefined
      ? `refused (${error instanceof Error ? error.message : String(error)}), but it is valid`
      : undefined;
  }
  if (expected.exception !== undefined) return `accepted, expected ${expected.exception}`;
  if (toHex(transaction.hash) !== expected.hash) return `hash: ${toHex(transaction.hash)}, expected ${expected.hash}`;
  if (toHex(sender) !== expected.sender) return `sender: ${toHex(sender)}, expected ${expected.sender}`;
  const gas = intrinsicGas(transaction);
  if (gas !== BigInt(expected.intrinsicGas ?? 0)) return `intrinsic gas: ${gas}, expected ${expected.intrinsicGas}`;
  return undefined;
}

function rlpItem(json: RlpJson): RlpItem {
  if (typeof json === 'number') return rlpInteger(json);
  if (typeof json !== 'string') return json.map(rlpItem);
  return json.startsWith('#') ? rlpInteger(BigInt(json.slice(1))) : new Uint8Array(Buffer.from(json, 'latin1'));
}

function rlpDifference({ in: input, out }: RlpTestJson): string | undefined {
  const bytes = fromHex(out);
  let decoded: RlpItem;
  try {
    decoded = decodeRlp(bytes);
  } catch (error) {
    return input === 'INVALID'
      ? undefined
      : `refused (${error instanceof Error ? error.message : String(error)}), but it is valid`;
  }
  if (input === 'INVALID') return 'accepted, but it is invalid';
  const encoded = encodeRlp(input === 'VALID' ? decoded : rlpItem(input));
  return equalBytes(encoded, bytes) ? undefined : `encodes to ${toHex(encoded)}, expected ${out}`;
}

function differenceOf(json: TransactionTestJson | RlpTestJson): string | undefined {
  if (typeof json === 'object' && 'txbytes' in json) return transactionDifference(json);
  if (typeof json === 'object' && 'out' in json) return rlpDifference(json);
  return 'is neither a TransactionTest nor an RLPTest';
}

/** The tests of one file of either kind. `name`: what the file is called in their names. */
export function transactionTests(path: string, name: string): NamedTest[] {
  // The suites are trusted to have their own format; what they lack fails the test.
  const tests = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, TransactionTestJson | RlpTestJson>>;
  return Object.entries(tests).map(([test, json]) => ({
    name: `${name} ${test}`,
    run: () => differenceOf(json),
  }));
}
