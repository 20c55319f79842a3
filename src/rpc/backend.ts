/** What JSON-RPC needs from the rest of the node. Implemented over the thread ports in src/workers; a fake one serves unit tests. */
import type { Bytes } from '../common/bytes.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';
import type { AddressesReader } from '../projections/addressesReader.ts';
import type { BatchesReader } from '../projections/batchesReader.ts';
import type { MerkleTreeReader } from '../projections/merkleTreeReader.ts';
import type { RepositoriesReader } from '../projections/repositoriesReader.ts';
import type { TracerSpec } from '../vm/tracers/createTracer.ts';

/** State after a block; block 0 is genesis. Absent accounts and slots are undefined. */
export interface StateAtBlock {
  /** The 124-byte account record. */
  account(address: Bytes, blockNumber: number): Promise<Bytes | undefined>;
  slot(address: Bytes, slot: Bytes, blockNumber: number): Promise<Bytes | undefined>;
  preimage(hash: Bytes): Promise<Bytes | undefined>;
}

export interface PoolTransaction {
  readonly raw: Bytes;
  readonly sender: Bytes;
}

export interface PendingTransaction extends PoolTransaction {
  readonly hash: Bytes;
}

export interface Pool {
  /** Decodes, recovers, validates, inserts (an external node forwards). Returns the hash. Throws SubmissionError (rpc/errors.ts). */
  submit(raw: Bytes): Promise<Bytes>;
  /** Executable now, or waiting. */
  transactionByHash(hash: Bytes): Promise<PoolTransaction | undefined>;
  /** 1 + the highest consecutive nonce of the pool, or the account nonce. May include blocks that are not accepted yet. */
  pendingNonce(address: Bytes): Promise<bigint>;
  status(): Promise<{ readonly pending: number; readonly queued: number }>;
  /**
   * Every transaction that becomes executable here from now on. An external node has no pool of its own: there, every
   * one that was submitted through it and that the main node took. Once it resolves none is missed; returns how to stop.
   */
  watchPending(listener: (transaction: PendingTransaction) => void): Promise<() => void>;
}

export interface ChainInfo {
  readonly chainId: bigint;
  readonly l1ChainId: bigint;
  readonly bridgehub: Bytes;
  /** As it is encoded in the log. */
  readonly genesisEntry: Bytes;
  readonly genesis: {
    readonly initialContracts: readonly (readonly [address: Bytes, code: Bytes])[];
    readonly additionalStorage: readonly (readonly [flatKey: Bytes, value: Bytes])[];
    readonly executionVersion: number;
    readonly genesisRoot: Bytes;
  };
}

/** A simulated transaction (spec: rpc 6). All defaults are resolved by the caller. */
export interface SimulatedCall {
  readonly kind: 'call' | 'estimate';
  readonly blockNumber: number;
  readonly type: 0 | 1 | 2 | 0x7f;
  readonly from: Bytes;
  readonly to: Bytes | undefined;
  readonly input: Bytes;
  readonly value: bigint;
  /** call: gas of the call; estimate: the upper bound asked for, undefined = block gas limit. */
  readonly gas: bigint | undefined;
  /** 0: no fee fields were given. */
  readonly gasPrice: bigint;
  readonly nonce: bigint | undefined;
  readonly accessList: readonly { readonly address: Bytes; readonly slots: readonly Bytes[] }[];
  readonly stateOverrides: readonly StateOverride[];
  readonly blockOverrides: BlockOverrides;
}

export interface StateOverride {
  readonly address: Bytes;
  readonly balance?: bigint;
  readonly nonce?: bigint;
  readonly code?: Bytes;
  /** Replaces the whole storage. */
  readonly state?: readonly (readonly [slot: Bytes, value: Bytes])[];
  readonly stateDiff?: readonly (readonly [slot: Bytes, value: Bytes])[];
  readonly movePrecompileTo?: Bytes;
}

export interface BlockOverrides {
  readonly number?: bigint;
  readonly timestamp?: bigint;
  readonly gasLimit?: bigint;
  readonly feeRecipient?: Bytes;
  readonly prevRandao?: bigint;
  readonly baseFeePerGas?: bigint;
  readonly blockHashes?: readonly (readonly [number: bigint, hash: Bytes])[];
}

export type SimulationResult =
  | {
      readonly kind: 'success';
      readonly returnData: Bytes;
      readonly gasUsed: bigint;
      /** estimate only */ readonly gas: bigint;
    }
  | { readonly kind: 'revert'; readonly returnData: Bytes; readonly gasUsed: bigint }
  /** The transaction would not be valid: the name of the VM error (spec: execution 2). */
  | { readonly kind: 'invalid'; readonly error: string; readonly message: string }
  | { readonly kind: 'exceedsAllowance'; readonly gas: bigint };

/** What is traced, and how (spec: rpc 12). */
export type TraceRequest = {
  readonly tracer: TracerSpec;
  /** Asked for; undefined: that of the node, which is also the most. */
  readonly timeoutMs: number | undefined;
} & (
  | { readonly kind: 'transaction'; readonly blockNumber: number; readonly transactionIndex: number }
  | { readonly kind: 'block'; readonly blockNumber: number }
  | { readonly kind: 'call'; readonly call: SimulatedCall }
);

/** An index that is filled behind the blocks. */
export interface AddressIndex {
  readonly reader: AddressesReader;
  /** Last block that is in it; -1: none. */
  height(): number;
  /** Resolves once the block is in it, or the time is over. */
  whenReached(height: number, timeoutMs: number): Promise<void>;
}

export interface RpcBackend {
  readonly chain: ChainInfo;
  readonly nodeVersion: string;
  /** `latest`: the lowest height over the projections that RPC reads. Synchronous: pushed by the projections. */
  latest(): number;
  /** Calls back each time that `latest` has moved. Returns how to stop. */
  onLatest(listener: () => void): () => void;
  /** Last accepted block of the log that this node knows of. */
  logHead(): number;
  /** Last block of the newest batch that L1 holds, and of the newest that L1 has executed; 0: none. Pushed by the chain. */
  safe(): number;
  finalized(): number;
  /** The newest batch that L1 has executed, of the same accepted entry as `finalized`. */
  executedBatch(): number;
  /** Base fee of the next block, wei. */
  nextBaseFee(): bigint;
  readonly repositories: RepositoriesReader;
  /** undefined: this node does not keep them. */
  readonly addresses: AddressIndex | undefined;
  readonly batches: BatchesReader | undefined;
  readonly merkleTree: MerkleTreeReader | undefined;
  readonly state: StateAtBlock;
  /** The context of the block itself; of block 0 the genesis context. */
  blockContext(blockNumber: number): Promise<BlockContext | undefined>;
  readonly pool: Pool;
  /** Runs in the rpc worker; limited by time. Throws NodeError code CALL_TIMEOUT. */
  simulate(call: SimulatedCall): Promise<SimulationResult>;
  /** Runs in the rpc worker; limited by time, number and length. The JSON text of the result. Errors are for clients. */
  trace(request: TraceRequest): Promise<string>;
}
