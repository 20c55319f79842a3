/** What each worker is started with. Configuration crosses in its portable form. */
import type { MessagePort } from 'node:worker_threads';
import type { Bytes } from '../common/bytes.ts';
import type { PortableConfig } from '../common/config.ts';

export interface ChainWorkerData {
  readonly config: PortableConfig;
  readonly nodeVersion: string;
  readonly nodeId: Bytes;
  readonly bootId: Bytes;
  /** The diamond proxy; undefined: this node is started without L1, or need not know. */
  readonly chainAddress: Bytes | undefined;
  /** One for each thread of projections; the state tree's is the second. */
  readonly projections: readonly MessagePort[];
  /** Of threads that read the journal and hold nothing back. */
  readonly followers: readonly MessagePort[];
  readonly rpc: MessagePort;
}

export interface ProjectionsWorkerData {
  readonly config: PortableConfig;
  readonly chain: MessagePort;
}

export interface RpcWorkerData {
  readonly config: PortableConfig;
  readonly chain: MessagePort;
}
