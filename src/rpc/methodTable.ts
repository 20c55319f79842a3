/** Which methods there are, and what they run on. */
import type { RpcBackend } from './backend.ts';
import { ethMethods } from './methods/eth.ts';
import { netMethods } from './methods/net.ts';
import { txpoolMethods } from './methods/txpool.ts';
import { web3Methods } from './methods/web3.ts';
import { zksMethods } from './methods/zks.ts';

/** Settings of the methods; those of the transport are in server.ts. */
export interface MethodOptions {
  readonly backend: RpcBackend;
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
}

/** Answers undefined for JSON null. May throw an RpcError. */
export type MethodHandler = (params: readonly unknown[]) => unknown;

export type MethodTable = Readonly<Record<string, MethodHandler>>;

/** All methods of the namespaces that are switched on, by name. */
export function createMethods(options: MethodOptions): ReadonlyMap<string, MethodHandler> {
  const served = new Set(options.namespaces);
  const methods = new Map<string, MethodHandler>();
  const tables: MethodTable[] = [
    ethMethods(options),
    netMethods(options),
    web3Methods(options),
    zksMethods(options),
    txpoolMethods(options),
  ];
  for (const table of tables) {
    for (const [name, handler] of Object.entries(table)) {
      if (served.has(name.slice(0, name.indexOf('_')))) methods.set(name, handler);
    }
  }
  return methods;
}
