/** A transaction on a small state, as a seed makes it and as a file keeps it. Programs are lists of pieces, so that they can be cut down. */
import { bigIntToBytes, bytesKey, concatBytes, fromHex, toHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import type { AccessListItem } from '../../src/protocol/transaction.ts';
import type { EthereumEnvironment, EthereumTransaction } from '../statetest/ethereumTransaction.ts';
import type { PlainAccount, PlainState } from '../statetest/stateTestFile.ts';
import { anAddress } from '../support/factories.ts';

export interface VmCaseAccount {
  readonly address: Bytes;
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly pieces: readonly Bytes[];
  readonly slots: readonly (readonly [slot: Bytes, value: Bytes])[];
}

export interface VmCase {
  readonly seed: number;
  readonly coinbase: Bytes;
  readonly accounts: readonly VmCaseAccount[];
  readonly nonce: bigint;
  readonly type: 0 | 1 | 2;
  readonly to: Bytes | undefined;
  readonly value: bigint;
  readonly gasLimit: bigint;
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
  /** Of a creation the init code. */
  readonly input: readonly Bytes[];
  readonly accessList: readonly AccessListItem[];
}

export const CASE_SENDER = anAddress(0x5e4de4);
export const CASE_BASE_FEE = 10n;
export const CASE_BLOCK_NUMBER = 7n;
const CASE_GAS_LIMIT = 30_000_000n;

/** Hash that BLOCKHASH answers for a number below that of the block. */
export function caseBlockHash(number: bigint): Bytes {
  return bigIntToBytes(0xb10c0000n + number, 32);
}

export function caseEnvironment({ coinbase }: VmCase): EthereumEnvironment {
  return {
    chainId: 1n,
    number: CASE_BLOCK_NUMBER,
    timestamp: 1_700_000_000n,
    gasLimit: CASE_GAS_LIMIT,
    baseFee: CASE_BASE_FEE,
    coinbase,
    prevRandao: 0x4a4d0n << 200n,
    excessBlobGas: 0n,
    blockHashes: Array.from({ length: Number(CASE_BLOCK_NUMBER) }, (_, number) => caseBlockHash(BigInt(number))),
  };
}

export function caseState({ accounts }: VmCase): PlainState {
  return new Map(
    accounts.map(({ address, nonce, balance, pieces, slots }): [string, PlainAccount] => [
      bytesKey(address),
      { address, nonce, balance, code: concatBytes(...pieces), slots },
    ]),
  );
}

export function caseTransaction(vmCase: VmCase): EthereumTransaction {
  const { nonce, type, to, value, gasLimit, maxFeePerGas, maxPriorityFeePerGas, input, accessList } = vmCase;
  return {
    sender: CASE_SENDER,
    nonce,
    maxFeePerGas,
    maxPriorityFeePerGas: type === 2 ? maxPriorityFeePerGas : maxFeePerGas,
    gasLimit,
    to,
    value,
    input: concatBytes(...input),
    accessList: type === 0 ? [] : accessList,
    blobs: undefined,
  };
}

/** As a file keeps it: numbers in decimal, bytes in hex. */
export function caseToJson(vmCase: VmCase): string {
  return `${JSON.stringify(
    vmCase,
    (_, value: unknown) =>
      value instanceof Uint8Array ? toHex(value) : typeof value === 'bigint' ? value.toString() : value,
    2,
  )}\n`;
}

type Json<T> = T extends Bytes
  ? string
  : T extends bigint
    ? string
    : T extends number
      ? T
      : T extends readonly unknown[]
        ? { readonly [K in keyof T]: Json<T[K]> }
        : T extends object
          ? { readonly [K in keyof T]: Json<T[K]> }
          : T;

export function caseFromJson(text: string): VmCase {
  // Written by caseToJson.
  const json = JSON.parse(text) as Json<Omit<VmCase, 'to'>> & { readonly to?: string };
  return {
    seed: json.seed,
    coinbase: fromHex(json.coinbase),
    accounts: json.accounts.map(({ address, nonce, balance, pieces, slots }) => ({
      address: fromHex(address),
      nonce: BigInt(nonce),
      balance: BigInt(balance),
      pieces: pieces.map(fromHex),
      slots: slots.map(([slot, value]) => [fromHex(slot), fromHex(value)] as const),
    })),
    nonce: BigInt(json.nonce),
    type: json.type,
    to: json.to === undefined ? undefined : fromHex(json.to),
    value: BigInt(json.value),
    gasLimit: BigInt(json.gasLimit),
    maxFeePerGas: BigInt(json.maxFeePerGas),
    maxPriorityFeePerGas: BigInt(json.maxPriorityFeePerGas),
    input: json.input.map(fromHex),
    accessList: json.accessList.map(({ address, slots }) => ({ address: fromHex(address), slots: slots.map(fromHex) })),
  };
}
