/** Blocks that both virtual machines run: state, context and transactions with known senders. */
import { compileFolder } from '../../contracts/compile.ts';
import { type Bytes, bigIntToBytes, concatBytes, fromHex, padAddress, toHex } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import type { SenderedTransaction } from '../../src/protocol/transaction.ts';
import { ETHER, anAddress, anL2Transaction, aWord } from '../../test/support/factories.ts';

export interface WorkloadAccount {
  readonly address: Bytes;
  readonly balance: bigint;
  readonly code?: Bytes;
  readonly slots: readonly (readonly [slot: Bytes, value: Bytes])[];
}

export type WorkloadName = 'ERC-20 transfers' | 'compute loop' | 'native transfers';

export interface Workload {
  readonly name: WorkloadName;
  readonly accounts: readonly WorkloadAccount[];
  /** One block. */
  readonly transactions: readonly SenderedTransaction[];
}

/** What either machine says of a transaction, as one text. */
export function receiptText(
  success: boolean,
  gasUsed: bigint,
  logs: readonly { address: Bytes; topics: readonly Bytes[]; data: Bytes }[],
): string {
  const texts = logs.map(({ address, topics, data }) => [address, ...topics, data].map(toHex).join(' '));
  return [success ? 'success' : 'failure', `gas ${gasUsed}`, ...texts].join(', ');
}

const TOKEN = anAddress(0x70_6b_65_6e_0000);
const LOOP = anAddress(0x10_09_0000);
/** `balanceOf` is the fourth variable of the token. */
const BALANCE_OF_SLOT = 3;
const TRANSFER_SELECTOR = fromHex('a9059cbb');
const RUN_SELECTOR = fromHex('7357f5d2');

/** The block of a bench. */
export function workloadOf(name: WorkloadName): Workload {
  if (name === 'ERC-20 transfers') return tokenTransfers(1_000);
  return name === 'compute loop' ? computeLoop(10, 5_000) : nativeTransfers(1_000);
}

const sender = (index: number): Bytes => keccak256(bigIntToBytes(BigInt(2 * index), 8)).slice(12);
const recipient = (index: number): Bytes => keccak256(bigIntToBytes(BigInt(2 * index + 1), 8)).slice(12);

function funded(address: Bytes): WorkloadAccount {
  return { address, balance: ETHER, slots: [] };
}

function runtimeCode(name: string): Bytes {
  const contract = compileFolder('test').get(name);
  if (contract === undefined) throw new Error(`contracts/test has no contract ${name}`);
  return contract.runtimeCode;
}

const balanceSlot = (holder: Bytes): Bytes => keccak256(concatBytes(padAddress(holder), aWord(BALANCE_OF_SLOT)));

/** Transfers from as many holders to as many others, none of whom occurs twice. */
export function tokenTransfers(count: number): Workload {
  const holders = Array.from({ length: count }, (_, i) => [sender(i), recipient(i)]).flat();
  return {
    name: 'ERC-20 transfers',
    accounts: [
      ...holders.map(funded),
      {
        address: TOKEN,
        balance: 0n,
        code: runtimeCode('TestERC20'),
        slots: holders.map((holder) => [balanceSlot(holder), aWord(1_000_000n)] as const),
      },
    ],
    transactions: Array.from({ length: count }, (_, i) => ({
      sender: sender(i),
      transaction: anL2Transaction({
        to: TOKEN,
        gasLimit: 60_000n,
        input: concatBytes(TRANSFER_SELECTOR, padAddress(recipient(i)), aWord(1_000 + i)),
      }),
    })),
  };
}

/** Ether from as many accounts to as many others. */
export function nativeTransfers(count: number): Workload {
  return {
    name: 'native transfers',
    accounts: Array.from({ length: count }, (_, i) => [funded(sender(i)), funded(recipient(i))]).flat(),
    transactions: Array.from({ length: count }, (_, i) => ({
      sender: sender(i),
      transaction: anL2Transaction({ to: recipient(i), gasLimit: 21_000n, value: 1_000n + BigInt(i) }),
    })),
  };
}

/** Arithmetic on 256-bit words in a loop, as the compiler writes it. */
export function computeLoop(count: number, rounds: number): Workload {
  return {
    name: 'compute loop',
    accounts: [
      ...Array.from({ length: count }, (_, i) => funded(sender(i))),
      { address: LOOP, balance: 0n, code: runtimeCode('ComputeLoop'), slots: [] },
    ],
    transactions: Array.from({ length: count }, (_, i) => ({
      sender: sender(i),
      transaction: anL2Transaction({
        to: LOOP,
        gasLimit: 5_000_000n,
        input: concatBytes(RUN_SELECTOR, aWord(rounds), aWord(i + 1)),
      }),
    })),
  };
}
