/** What a JSON-RPC method is, and the settings that all of them share. */
import type { RpcBackend } from './backend.ts';
import type { Filters } from './filters.ts';
import type { LogMetrics } from './logQuery.ts';
import type { SubscriptionCalls } from './subscriptions.ts';

/** Settings of the methods; those of the transport are in server.ts. */
export interface MethodOptions {
  readonly backend: RpcBackend;
  readonly filters: Filters;
  /** Namespaces served; methods of others do not exist. */
  readonly namespaces: readonly string[];
  /** Gas of an eth_call that names none. */
  readonly ethCallGas: bigint;
  /** Largest `to - from` of a log query. */
  readonly maxBlocksPerFilter: number;
  readonly maxLogsPerResponse: number;
  /** eth_gasPrice is the next base fee times this. */
  readonly gasPriceScale: number;
  /** The longest answer, which long ones check while they are written. */
  readonly maxResponseBytes: number;
  /** eth_syncing reports more blocks than this between the log and `latest`. */
  readonly syncingLagBlocks: number;
  /** Limit that the backend sets to a simulation; only for the error text. */
  readonly callTimeoutMs: number;
  readonly metrics: LogMetrics;
}

/**
 * Answers undefined for JSON null. May throw an RpcError.
 * @param connection of a WebSocket; undefined: the call came over HTTP
 */
export type MethodHandler = (params: readonly unknown[], connection?: SubscriptionCalls) => unknown;

export type MethodTable = Readonly<Record<string, MethodHandler>>;
