/** Transactions that keep the settlement projections busy: many slots, fresh and known, messages, withdrawals, requests on L1. */
import {
  type Address,
  type Hex,
  type PrivateKeyAccount,
  concatHex,
  encodeFunctionData,
  pad,
  parseAbi,
  toHex,
} from 'viem';
import { CHAIN_ID, RICH, anAccount, anL1Request, submitAll, viemClients } from '../support/clients.ts';
import { requestOnL1 } from '../support/clients.ts';
import { rpc, until } from '../support/nodeProcess.ts';

/**
 * Stores `count` words from slot `base` on: for (; count > 0; count--) sstore(base + count, value + count), with base, count
 * and value as the three words of the input.
 */
const WRITER_CODE = '0x6000356020355b8015601c57604035810182820155600190036006565b00';
export const WRITER_INIT_CODE = concatHex(['0x601e80600b6000396000f3', WRITER_CODE]);
const MESSENGER: Address = '0x0000000000000000000000000000000000008008';
const BASE_TOKEN: Address = '0x000000000000000000000000000000000000800a';
const MESSENGER_ABI = parseAbi(['function sendToL1(bytes message) returns (bytes32)']);
const BASE_TOKEN_ABI = parseAbi(['function withdraw(address l1Receiver) payable']);

/** Three transactions of a block with so many slots each, and what they pay: below 200 writes. */
export const TRANSACTIONS_PER_BLOCK = 3;
const SLOTS_MAX = 55;
const KNOWN_SLOTS = 4_000;
const ACCOUNTS = 6;

export interface SettlementLoad {
  /** Signs and submits so many transactions of each account; what a restart lost is not missed: nonces are asked anew. */
  submit(perAccount: number): Promise<void>;
  /** Asks on L1 for a deposit and for a call. */
  request(): void;
}

export async function createSettlementLoad(options: {
  readonly rpcUrl: string;
  readonly dataPath: string;
  readonly random: () => number;
}): Promise<SettlementLoad> {
  const { rpcUrl, dataPath, random } = options;
  const { wallet, reader } = viemClients(rpcUrl);
  const writer = await deployed(await wallet.sendTransaction({ data: WRITER_INIT_CODE, gas: 5_000_000n }));
  const accounts = Array.from({ length: ACCOUNTS }, anAccount);
  for (const { address } of accounts) await wallet.sendTransaction({ to: address, value: 10n ** 20n });
  for (const { address } of accounts)
    await until('the account is funded', async () => ((await reader.getBalance({ address })) > 0n ? true : undefined));
  let freshSlot = BigInt(KNOWN_SLOTS);

  async function deployed(hash: Hex): Promise<Address> {
    const { contractAddress } = await reader.waitForTransactionReceipt({ hash, timeout: 20_000 });
    if (contractAddress === null || contractAddress === undefined) throw new Error('the writer was not deployed');
    return contractAddress;
  }

  const below = (limit: number): number => Math.floor(random() * limit);

  function aCall(): { to: Address; data: Hex; value?: bigint } {
    const kind = random();
    if (kind < 0.1) {
      const message = toHex(new Uint8Array(below(200)).fill(below(256)));
      return {
        to: MESSENGER,
        data: encodeFunctionData({ abi: MESSENGER_ABI, functionName: 'sendToL1', args: [message] }),
      };
    }
    if (kind < 0.15) {
      const data = encodeFunctionData({ abi: BASE_TOKEN_ABI, functionName: 'withdraw', args: [RICH.address] });
      return { to: BASE_TOKEN, data, value: BigInt(1 + below(1_000)) };
    }
    const count = 1 + below(SLOTS_MAX);
    const isFresh = random() < 0.5;
    const base = isFresh ? freshSlot : BigInt(below(KNOWN_SLOTS));
    if (isFresh) freshSlot += BigInt(count);
    const words = [base, BigInt(count), BigInt(1 + below(2 ** 40))].map((word) => pad(toHex(word)));
    return { to: writer, data: concatHex(words) };
  }

  async function signed(account: PrivateKeyAccount, perAccount: number): Promise<Hex[]> {
    const first = Number(await rpc<Hex>(rpcUrl, 'eth_getTransactionCount', [account.address, 'pending']));
    return Promise.all(
      Array.from({ length: perAccount }, (_, at) =>
        account.signTransaction({
          type: 'eip1559',
          chainId: CHAIN_ID,
          nonce: first + at,
          gas: 3_000_000n,
          maxFeePerGas: 100_000n,
          maxPriorityFeePerGas: 0n,
          ...aCall(),
        }),
      ),
    );
  }

  return {
    async submit(perAccount) {
      for (const account of accounts) await submitAll(rpcUrl, await signed(account, perAccount));
    },
    request() {
      const [initiator, to] = [anAccount().address, anAccount().address];
      const input = pad(toHex(1 + below(1_000)));
      requestOnL1(dataPath, [
        anL1Request(initiator, to, { value: BigInt(1 + below(1_000)) }),
        anL1Request(initiator, writer, { input, gasLimit: 2_000_000n }),
      ]);
    },
  };
}
