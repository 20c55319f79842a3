/** A request through the Bridgehub, as wallets make it (spec: contracts 4). */
import {
  type Account,
  type Address,
  BaseError,
  type Chain,
  ContractFunctionRevertedError,
  type Hex,
  type Transport,
  type WalletClient,
  decodeEventLog,
} from 'viem';
import { NodeError, errorText } from '../common/errors.ts';
import { l1AbiEncoding } from '../protocol/transactionCodec.ts';
import { L1_PRIORITY_TYPE } from '../protocol/transaction.ts';
import { ZERO_ADDRESS, fromHex } from '../common/bytes.ts';
import { REQUIRED_GAS_PER_PUBDATA, minimalDepositGasLimit } from './depositPrice.ts';
import { L1ErrorCode } from './errors.ts';
import { BRIDGEHUB_ABI, DIAMOND_ABI } from './l1Abi.ts';
import { type L1Client, toL1Error } from './l1Client.ts';

export type L1Wallet = WalletClient<Transport, Chain, Account>;

export interface Deposit {
  readonly bridgehub: Address;
  readonly chainId: bigint;
  readonly to: Address;
  /** wei that arrive with the call */
  readonly value: bigint;
  readonly data?: Hex;
  readonly gasLimit?: bigint;
  /** Gets what is not used; none: the sender. */
  readonly refundRecipient?: Address;
  /** wei more than needed; comes back as refund */
  readonly extra?: bigint;
}

export interface DepositReceipt {
  readonly l1Hash: Hex;
  readonly l1BlockNumber: bigint;
  readonly priorityId: bigint;
  /** Hash of the transaction on L2. */
  readonly l2Hash: Hex;
  /** wei, all that L1 took but its own fee */
  readonly mintValue: bigint;
}

export const DEFAULT_DEPOSIT_GAS_LIMIT = 500_000n;
/** The fee may rise so far between quote and inclusion. */
const FEE_MARGIN = 2n;
const ZERO: Address = '0x0000000000000000000000000000000000000000';

/**
 * Sends the request and waits until L1 has it in a block.
 * @throws NodeError L1_DEPOSIT_REFUSED with L1's name of the reason, L1_DEPOSIT_FAILED, L1_DEPOSIT_UNCONFIRMED,
 *   L1_UNREACHABLE
 */
export async function deposit(client: L1Client, wallet: L1Wallet, request: Deposit): Promise<DepositReceipt> {
  try {
    const { transaction, mintValue } = await depositTransaction(client, request);
    await client.simulateContract({ ...transaction, account: wallet.account });
    const l1Hash = await wallet.writeContract(transaction);
    const receipt = await client
      .waitForTransactionReceipt({ hash: l1Hash, pollingInterval: 50 })
      .catch((error: unknown) => {
        throw unconfirmed(l1Hash, error);
      });
    for (const log of receipt.logs) {
      const event = priorityEvent(log);
      if (event === undefined) continue;
      return {
        l1Hash,
        l1BlockNumber: receipt.blockNumber,
        priorityId: event.txId,
        l2Hash: event.txHash,
        mintValue,
      };
    }
    throw new NodeError('fatal', `the deposit ${l1Hash} was included by L1 without a request to L2: it reverted`, {
      code: L1ErrorCode.depositFailed,
      l1Hash,
    });
  } catch (error) {
    throw refusal(error) ?? toL1Error('the deposit could not be made', error);
  }
}

/** The call of the Bridgehub, at a fee with a margin, so that what it costs on L2 is covered when L1 includes it. */
export async function depositTransaction(client: L1Client, request: Deposit) {
  const { bridgehub, chainId, to, value, data = '0x', gasLimit = DEFAULT_DEPOSIT_GAS_LIMIT, extra = 0n } = request;
  const fees = await client.estimateFeesPerGas({ chain: undefined, type: 'eip1559' });
  const maxFeePerGas = fees.maxFeePerGas * FEE_MARGIN;
  const baseCost = await client.readContract({
    address: bridgehub,
    abi: BRIDGEHUB_ABI,
    functionName: 'l2TransactionBaseCost',
    args: [chainId, maxFeePerGas, gasLimit, REQUIRED_GAS_PER_PUBDATA],
  });
  checkGasLimit(request, gasLimit, baseCost / (gasLimit === 0n ? 1n : gasLimit));
  const mintValue = baseCost + value + extra;
  return {
    mintValue,
    transaction: {
      address: bridgehub,
      abi: BRIDGEHUB_ABI,
      functionName: 'requestL2TransactionDirect',
      args: [
        {
          chainId,
          mintValue,
          l2Contract: to,
          l2Value: value,
          l2Calldata: data,
          l2GasLimit: gasLimit,
          l2GasPerPubdataByteLimit: REQUIRED_GAS_PER_PUBDATA,
          factoryDeps: [],
          refundRecipient: request.refundRecipient ?? ZERO,
        },
      ],
      value: mintValue,
      maxFeePerGas,
      maxPriorityFeePerGas: fees.maxPriorityFeePerGas,
    },
  } as const;
}

/** L1 would refuse it too, but without saying what would do. */
function checkGasLimit({ data = '0x' }: Deposit, gasLimit: bigint, maxFeePerGas: bigint): void {
  const input = fromHex(data);
  const encoding = l1AbiEncoding({
    type: L1_PRIORITY_TYPE,
    initiator: ZERO_ADDRESS,
    to: ZERO_ADDRESS,
    gasLimit,
    gasPerPubdataByteLimit: REQUIRED_GAS_PER_PUBDATA,
    maxFeePerGas,
    maxPriorityFeePerGas: 0n,
    nonce: 0n,
    value: 0n,
    toMint: 0n,
    refundRecipient: ZERO_ADDRESS,
    input,
    factoryDeps: [],
  });
  const minimum = minimalDepositGasLimit({
    encodingLength: encoding.length,
    calldataLength: input.length,
    gasPerPubdata: REQUIRED_GAS_PER_PUBDATA,
    maxFeePerGas,
  });
  if (gasLimit < minimum)
    throw new NodeError(
      'fatal',
      `L1 refuses the deposit: a gas limit of ${gasLimit} is too low, this call needs at least ${minimum} (ValidateTxnNotEnoughGas)`,
      { code: L1ErrorCode.depositRefused, reason: 'ValidateTxnNotEnoughGas', minimum },
    );
}

function priorityEvent(log: { readonly data: Hex; readonly topics: [Hex, ...Hex[]] | [] }) {
  try {
    return decodeEventLog({ abi: DIAMOND_ABI, eventName: 'NewPriorityRequest', data: log.data, topics: log.topics })
      .args;
  } catch {
    return undefined; // an event of another contract
  }
}

/** Whoever takes it for one that was not made pays twice. */
function unconfirmed(l1Hash: Hex, error: unknown): NodeError {
  return new NodeError(
    'fatal',
    `the deposit was sent as ${l1Hash}, but L1 does not say yet what became of it: ${toL1Error('no receipt', error).message}. Look for that transaction before you send another one`,
    { code: L1ErrorCode.depositUnconfirmed, l1Hash },
    { cause: error },
  );
}

function refusal(error: unknown): NodeError | undefined {
  if (!(error instanceof BaseError)) return undefined;
  const revert = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
  if (!(revert instanceof ContractFunctionRevertedError)) return undefined;
  const reason = revert.data?.errorName ?? revert.reason ?? errorText(revert);
  return new NodeError(
    'fatal',
    `L1 refuses the deposit: ${reason}`,
    { code: L1ErrorCode.depositRefused, reason },
    { cause: error },
  );
}
