/** The connection to L1: viem with the retries of spec settlement 1, and what the watcher reads through it. */
import {
  type Address,
  BaseError,
  type EIP1193RequestFn,
  HttpRequestError,
  LimitExceededRpcError,
  type PublicClient,
  RpcRequestError,
  TimeoutError,
  createPublicClient,
  custom,
  http,
  webSocket,
} from 'viem';
import { type Bytes, fromHex } from '../common/bytes.ts';
import { NodeError, errorText } from '../common/errors.ts';
import { retry } from '../common/retry.ts';
import type { L1Transaction } from '../protocol/transaction.ts';
import { priorityRequestToTransaction } from './canonicalTransaction.ts';
import { L1ErrorCode } from './errors.ts';
import { DIAMOND_ABI } from './l1Abi.ts';

export type L1Client = PublicClient;

export interface L1ClientOptions {
  readonly url: string;
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

const ATTEMPTS_MAX = 3;
const FIRST_PAUSE_MS = 200;
const PAUSE_MAX_MS = 1_000;
const REQUEST_TIMEOUT_MS = 10_000;
const TRANSIENT_STATUS: readonly (number | undefined)[] = [429, 500, 502, 503];
const INTERNAL_ERROR = -32603;
const RATE_LIMIT = /rate limit|too many requests|exceeded .*(quota|capacity|limit)/i;

/** Every request is repeated at most twice when the endpoint is busy or not there (spec: settlement 1). */
export function createL1Client({ url, signal, timeoutMs = REQUEST_TIMEOUT_MS }: L1ClientOptions): L1Client {
  const settings = { retryCount: 0, timeout: timeoutMs };
  const transport = /^wss?:/.test(url) ? webSocket(url, settings) : http(url, settings);
  const { request: send } = transport({ retryCount: 0 });
  return createPublicClient({
    cacheTime: 0,
    transport: custom(
      {
        request: (args: Parameters<EIP1193RequestFn>[0]) =>
          retry(() => send(args), {
            attemptsMax: ATTEMPTS_MAX,
            firstPauseMs: FIRST_PAUSE_MS,
            pauseMaxMs: PAUSE_MAX_MS,
            signal,
            isRetryable: isTransientL1Error,
          }),
      },
      { retryCount: 0 },
    ),
  });
}

/** Whether the same request may succeed a moment later. */
export function isTransientL1Error(error: unknown): boolean {
  if (!(error instanceof BaseError)) return false;
  return (
    error.walk((cause) => {
      if (cause instanceof HttpRequestError)
        return cause.status === undefined || TRANSIENT_STATUS.includes(cause.status);
      if (cause instanceof TimeoutError || cause instanceof LimitExceededRpcError) return true;
      if (!(cause instanceof RpcRequestError)) return false;
      if (cause.status !== undefined && TRANSIENT_STATUS.includes(cause.status)) return true;
      return cause.code === INTERNAL_ERROR || RATE_LIMIT.test(cause.details);
    }) !== null
  );
}

/** An error of L1 for those who decide by kind: one that passed all retries may still pass later. */
export function toL1Error(what: string, error: unknown): NodeError {
  if (error instanceof NodeError) return error as NodeError; // instanceof forgets the type parameter
  const text = error instanceof BaseError ? error.shortMessage : errorText(error);
  return new NodeError('retryable', `${what}: ${text}`, { code: L1ErrorCode.unreachable }, { cause: error });
}

export interface L1Block {
  readonly number: number;
  readonly hash: Bytes;
}

export interface PriorityRequest {
  readonly transaction: L1Transaction;
  readonly l1Block: L1Block;
}

/** What the watcher needs of L1. Errors are NodeErrors; `retryable` ones pass. */
export interface L1Reader {
  head(): Promise<L1Block>;
  /** undefined: L1 has no such block, any more or yet. */
  block(number: number): Promise<L1Block | undefined>;
  /** Requests to the chain in blocks `from` to `to`, in order. */
  priorityRequests(range: { readonly from: number; readonly to: number }): Promise<readonly PriorityRequest[]>;
  /** Number of requests after a block; undefined where the chain has no code. */
  priorityRequestCount(atBlock: number): Promise<bigint | undefined>;
}

export function createL1Reader(client: L1Client, diamond: Address): L1Reader {
  const guarded = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      throw toL1Error(`L1 did not answer for ${what}`, error);
    }
  };
  return {
    head: () => guarded('its newest block', async () => toBlock(await client.getBlock({ blockTag: 'latest' }))),
    block: (number) =>
      guarded(`block ${number}`, async () => {
        const block = await client.request({
          method: 'eth_getBlockByNumber',
          params: [`0x${number.toString(16)}`, false],
        });
        return block === null || block.hash === null ? undefined : { number, hash: fromHex(block.hash) };
      }),
    priorityRequests: ({ from, to }) =>
      guarded(`the priority requests in blocks ${from} to ${to}`, async () => {
        const logs = await client.getContractEvents({
          address: diamond,
          abi: DIAMOND_ABI,
          eventName: 'NewPriorityRequest',
          fromBlock: BigInt(from),
          toBlock: BigInt(to),
          strict: true,
        });
        return logs.map(({ args, blockNumber, blockHash }) => ({
          transaction: priorityRequestToTransaction(args.transaction, args.txHash),
          l1Block: { number: Number(blockNumber), hash: fromHex(blockHash) },
        }));
      }),
    priorityRequestCount: (atBlock) =>
      guarded(`the number of requests at block ${atBlock}`, async () => {
        const blockNumber = BigInt(atBlock);
        const code = await client.getCode({ address: diamond, blockNumber });
        if (code === undefined) return undefined;
        return client.readContract({
          address: diamond,
          abi: DIAMOND_ABI,
          functionName: 'getTotalPriorityTxs',
          blockNumber,
        });
      }),
  };
}

function toBlock(block: { readonly number: bigint; readonly hash: `0x${string}` }): L1Block {
  return { number: Number(block.number), hash: fromHex(block.hash) };
}
