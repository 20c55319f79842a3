/** The same transaction on an EVM of other hands. */
import { createBlock } from '@ethereumjs/block';
import { Common, Hardfork, Mainnet } from '@ethereumjs/common';
import type { EVMMockBlockchainInterface } from '@ethereumjs/evm';
import { MerkleStateManager } from '@ethereumjs/statemanager';
import { createTx } from '@ethereumjs/tx';
import { createAccount, createAddressFromString } from '@ethereumjs/util';
import type { Address } from '@ethereumjs/util';
import { createVM, runTx } from '@ethereumjs/vm';
import { bigIntToBytes, bytesToBigInt, concatBytes, fromHex, toHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { CASE_SENDER, caseBlockHash, caseEnvironment, caseTransaction } from './vmCase.ts';
import type { VmCase } from './vmCase.ts';

export interface VmOutcome {
  /** undefined: executed */
  readonly refused: boolean;
  readonly success: boolean;
  readonly gasUsed: bigint;
  readonly output: string;
  readonly logs: readonly string[];
  /** Nonce, balance, code hash and slots of every account looked at; absent ones are left out. */
  readonly accounts: Readonly<Record<string, string>>;
  readonly stateRoot: string;
}

/** What a transaction had spent when an opcode began. */
export interface Spent {
  /** The gas limit with which nothing would have been left; exact in the top frame. */
  readonly gas: bigint;
  readonly isWrite: boolean;
}

/** What to compare besides the root: accounts, and of each of them slots. */
export type Watched = ReadonlyMap<string, ReadonlySet<string>>;

const common = new Common({ chain: Mainnet, hardfork: Hardfork.Cancun });
const at = (address: Bytes): Address => createAddressFromString(toHex(address));

const blockchain: EVMMockBlockchainInterface = {
  getBlock: async (number) => ({ hash: () => caseBlockHash(BigInt(number)) }),
  putBlock: async () => {},
  shallowCopy: () => blockchain,
};

function theirTransaction(vmCase: VmCase): ReturnType<typeof createTx> {
  const transaction = caseTransaction(vmCase);
  const { nonce, gasLimit, to, value, input, accessList, maxFeePerGas, maxPriorityFeePerGas } = transaction;
  const { type } = vmCase;
  const prices = type === 2 ? { maxFeePerGas, maxPriorityFeePerGas } : { gasPrice: maxFeePerGas };
  const list = accessList.map(({ address, slots }) => ({
    address: toHex(address),
    storageKeys: slots.map((slot) => toHex(slot)),
  }));
  const tx = createTx(
    {
      type,
      nonce,
      gasLimit,
      ...(to === undefined ? {} : { to: at(to) }),
      value,
      data: input,
      ...prices,
      ...(type === 0 ? {} : { accessList: list, chainId: 1n }),
      v: type === 0 ? 37n : 0n,
      r: 1n,
      s: 1n,
    },
    { common, freeze: false },
  );
  // Nobody signed it; the sender is a fact of the case.
  tx.getSenderAddress = () => at(CASE_SENDER);
  return tx;
}

/** Runs the case. `onStep`: before each opcode. */
export async function runReference(
  vmCase: VmCase,
  watched: Watched,
  onStep?: (spent: Spent) => void,
): Promise<VmOutcome> {
  const environment = caseEnvironment(vmCase);
  const stateManager = new MerkleStateManager({ common });
  const vm = await createVM({ common, stateManager, blockchain });
  await stateManager.checkpoint();
  for (const { address, nonce, balance, pieces, slots } of vmCase.accounts) {
    await stateManager.putAccount(at(address), createAccount({ nonce, balance }));
    const program = concatBytes(...pieces);
    if (program.length > 0) await stateManager.putCode(at(address), program);
    for (const [slot, value] of slots) {
      await stateManager.putStorage(at(address), slot, value.subarray(value.findIndex((byte) => byte !== 0)));
    }
  }
  await stateManager.commit();
  // A creation looks at the root of what lies in its way.
  await stateManager.flush();
  const block = createBlock(
    {
      header: {
        number: environment.number,
        timestamp: environment.timestamp,
        coinbase: toHex(environment.coinbase),
        gasLimit: environment.gasLimit,
        baseFeePerGas: environment.baseFee,
        mixHash: bigIntToBytes(environment.prevRandao, 32),
        excessBlobGas: environment.excessBlobGas,
      },
    },
    { common },
  );
  if (onStep !== undefined) {
    vm.evm.events?.on('step', ({ depth, gasLeft, opcode }, resolve) => {
      // What is left of a callee's gas is 63/64 of what its caller could have had less.
      onStep({
        gas: vmCase.gasLimit - BigInt(Math.ceil(Number(gasLeft) * (64 / 63) ** depth)),
        isWrite: opcode.name === 'SSTORE',
      });
      resolve?.();
    });
  }
  const refused: VmOutcome = {
    refused: true,
    success: false,
    gasUsed: 0n,
    output: '0x',
    logs: [],
    accounts: {},
    stateRoot: '',
  };
  let result: Awaited<ReturnType<typeof runTx>>;
  try {
    result = await runTx(vm, { tx: theirTransaction(vmCase), block });
  } catch (error) {
    if (isRefusal(error)) return refused;
    throw error;
  }
  const success = result.execResult.exceptionError === undefined;
  return {
    refused: false,
    success,
    gasUsed: result.totalGasSpent,
    output: toHex(result.execResult.returnValue),
    logs: success
      ? (result.execResult.logs ?? []).map(([address, topics, data]) => [address, ...topics, data].map(toHex).join(' '))
      : [],
    accounts: await watchedAccounts(stateManager, watched),
    stateRoot: toHex(await stateManager.getStateRoot()),
  };
}

/** Whether the error says that the transaction is invalid, and not that the library broke. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof Error &&
    /nonce|balance|gas limit|baseFeePerGas|less than|cannot exceed|higher gas limit|too low|initcode/i.test(
      error.message,
    )
  );
}

async function watchedAccounts(stateManager: MerkleStateManager, watched: Watched): Promise<Record<string, string>> {
  const accounts: Record<string, string> = {};
  for (const [hex, slots] of watched) {
    const address = createAddressFromString(hex);
    const account = await stateManager.getAccount(address);
    if (account === undefined || account.isEmpty()) continue;
    const values: string[] = [];
    for (const slot of slots) {
      const value = await stateManager.getStorage(address, fromHex(slot));
      values.push(`${slot}=${value.length === 0 ? 0n : bytesToBigInt(value)}`);
    }
    accounts[hex] = accountText({
      nonce: account.nonce,
      balance: account.balance,
      codeHash: account.codeHash,
      slots: values,
    });
  }
  return accounts;
}

export function accountText(account: {
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly codeHash: Bytes;
  readonly slots: readonly string[];
}): string {
  const { nonce, balance, codeHash, slots } = account;
  return [`nonce ${nonce}`, `balance ${balance}`, `code ${toHex(codeHash)}`, ...slots].join(', ');
}
