/** Files of GeneralStateTests, read into what the machine takes (format: ethereum/tests). */
import { readFileSync } from 'node:fs';
import { bigIntToBytes, bytesKey, fromHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { decodeRlp } from '../../src/protocol/rlp.ts';
import type { RlpItem } from '../../src/protocol/rlp.ts';
import type { AccessListItem } from '../../src/protocol/transaction.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { recoverSender } from '../../src/producers/senderRecovery.ts';
import { isL1Transaction } from '../../src/protocol/transaction.ts';
import type { EthereumEnvironment, EthereumTransaction } from './ethereumTransaction.ts';

/** One account of a state in memory. */
export interface PlainAccount {
  readonly address: Bytes;
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly code: Bytes;
  /** Values that are not zero, by slot. */
  readonly slots: readonly (readonly [slot: Bytes, value: Bytes])[];
}

/** By `bytesKey` of the address. */
export type PlainState = ReadonlyMap<string, PlainAccount>;

export interface StateTestCase {
  /** File, test and the indexes of data, gas and value. */
  readonly name: string;
  readonly environment: EthereumEnvironment;
  readonly state: PlainState;
  /** The raw transaction, to be decoded by `stateTestTransaction`. */
  readonly raw: Bytes;
  readonly sender: Bytes;
  /** Names of the errors of which the transaction must meet one; empty: it is valid. */
  readonly errors: readonly string[];
  readonly stateRoot: Bytes;
  readonly logsHash: Bytes;
}

type Hex = string;

interface AccountJson {
  readonly balance: Hex;
  readonly nonce: Hex;
  readonly code: Hex;
  readonly storage: Readonly<Record<Hex, Hex>>;
}

interface PostJson {
  readonly hash: Hex;
  readonly logs: Hex;
  readonly txbytes: Hex;
  readonly expectException?: string;
  readonly indexes: { readonly data: number; readonly gas: number; readonly value: number };
}

interface StateTestJson {
  readonly env: Readonly<Record<string, Hex | undefined>>;
  readonly pre: Readonly<Record<Hex, AccountJson>>;
  readonly transaction: { readonly sender: Hex };
  readonly post: { readonly Cancun?: readonly PostJson[] };
}

const CHAIN_ID = 1n;
const BLOCK_HASHES_MAX = 256n;
const BLOB_TYPE = 3;

function wordOf(hex: Hex): Bytes {
  return bigIntToBytes(BigInt(hex), 32);
}

/** Block hashes of the suites are those of the decimal number. */
function blockHashes(number: bigint): Bytes[] {
  const hashes: Bytes[] = [];
  for (let of = number > BLOCK_HASHES_MAX ? number - BLOCK_HASHES_MAX : 0n; of < number; of += 1n)
    hashes.push(keccak256(new Uint8Array(Buffer.from(of.toString()))));
  return hashes;
}

export function environmentOfJson(env: StateTestJson['env']): EthereumEnvironment {
  const quantity = (key: string): bigint => BigInt(env[key] ?? '0x0');
  const number = quantity('currentNumber');
  return {
    chainId: CHAIN_ID,
    number,
    timestamp: quantity('currentTimestamp'),
    gasLimit: quantity('currentGasLimit'),
    baseFee: quantity('currentBaseFee'),
    coinbase: fromHex(env.currentCoinbase ?? ''),
    prevRandao: quantity('currentRandom'),
    excessBlobGas: quantity('currentExcessBlobGas'),
    blockHashes: blockHashes(number),
  };
}

export function stateOfJson(pre: StateTestJson['pre']): PlainState {
  const state = new Map<string, PlainAccount>();
  for (const [hex, { balance, nonce, code, storage }] of Object.entries(pre)) {
    const address = fromHex(hex);
    state.set(bytesKey(address), {
      address,
      nonce: BigInt(nonce),
      balance: BigInt(balance),
      code: fromHex(code),
      slots: Object.entries(storage)
        .filter(([, value]) => BigInt(value) !== 0n)
        .map(([slot, value]) => [wordOf(slot), wordOf(value)] as const),
    });
  }
  return state;
}

/** The cases of one file for Cancun. `name`: what the file is called in the names of the cases. */
export function stateTestCases(path: string, name: string): StateTestCase[] {
  // The suites are trusted to have their own format; what they lack fails the case.
  const tests = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, StateTestJson>>;
  const cases: StateTestCase[] = [];
  for (const [test, { env, pre, transaction, post }] of Object.entries(tests)) {
    const environment = environmentOfJson(env);
    const state = stateOfJson(pre);
    for (const { hash, logs, txbytes, expectException, indexes } of post.Cancun ?? []) {
      cases.push({
        name: `${name} ${test} ${indexes.data}/${indexes.gas}/${indexes.value}`,
        environment,
        state,
        raw: fromHex(txbytes),
        sender: fromHex(transaction.sender),
        errors: (expectException ?? '')
          .split('|')
          .filter((error) => error !== '')
          .map((error) => error.replace('TransactionException.', '')),
        stateRoot: fromHex(hash),
        logsHash: fromHex(logs),
      });
    }
  }
  return cases;
}

function itemBytes(item: RlpItem | undefined): Bytes {
  if (!(item instanceof Uint8Array)) throw new Error('a blob transaction has a list where bytes belong');
  return item;
}

function itemList(item: RlpItem | undefined): readonly RlpItem[] {
  if (item === undefined || item instanceof Uint8Array) throw new Error('a blob transaction has bytes for a list');
  return item;
}

function integer(item: RlpItem | undefined): bigint {
  return itemBytes(item).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** The node has no blob transactions, so only the suites' own are read here, without a look at the signature. */
function blobTransaction(raw: Bytes, sender: Bytes): EthereumTransaction {
  const fields = itemList(decodeRlp(raw.subarray(1)));
  const to = itemBytes(fields[5]);
  return {
    sender,
    nonce: integer(fields[1]),
    maxPriorityFeePerGas: integer(fields[2]),
    maxFeePerGas: integer(fields[3]),
    gasLimit: integer(fields[4]),
    to: to.length === 0 ? undefined : to,
    value: integer(fields[6]),
    input: itemBytes(fields[7]),
    accessList: itemList(fields[8]).map((entry): AccessListItem => {
      const [address, slots] = itemList(entry);
      return { address: itemBytes(address), slots: itemList(slots).map(itemBytes) };
    }),
    blobs: { maxFeePerBlobGas: integer(fields[9]), hashes: itemList(fields[10]).map(itemBytes) },
  };
}

/** The transaction of a case by the node's own decoder and signature recovery. Throws where those refuse it. */
export function stateTestTransaction({ raw, sender }: Pick<StateTestCase, 'raw' | 'sender'>): EthereumTransaction {
  if (raw[0] === BLOB_TYPE) return blobTransaction(raw, sender);
  const transaction = decodeTransaction(raw);
  if (isL1Transaction(transaction)) throw new Error('a state test holds an L1 transaction');
  const { nonce, maxFeePerGas, maxPriorityFeePerGas, gasLimit, to, value, input, accessList } = transaction;
  return {
    sender: recoverSender(transaction),
    nonce,
    maxFeePerGas,
    maxPriorityFeePerGas,
    gasLimit,
    to,
    value,
    input,
    accessList,
    blobs: undefined,
  };
}
