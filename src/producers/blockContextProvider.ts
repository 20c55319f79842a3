/** The context of a new block (spec: replay-record 2). What depends on clock and configuration is decided here, once, and recorded. */
import type { Bytes } from '../common/bytes.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';

export interface BlockContextSettings {
  readonly chainId: bigint;
  readonly feeCollector: Bytes;
  readonly blockGasLimit: bigint;
  readonly blockPubdataLimitBytes: bigint;
  /** wei */
  readonly baseFee: bigint;
  /** wei per byte */
  readonly pubdataPrice: bigint;
}

/** Newest execution version; all of 1 to 3 run the same semantics. */
export const EXECUTION_VERSION = 3;
const NATIVE_PRICE = 1n;

/** What a block builds on: the newest block, accepted or not. */
export interface BlockParent {
  readonly height: number;
  readonly timestamp: bigint;
  readonly blockHashes: readonly Bytes[];
}

/** @param nowMs Unix milliseconds; the timestamp never falls below the parent's, whatever the clock says. */
export function nextBlockContext(settings: BlockContextSettings, parent: BlockParent, nowMs: number): BlockContext {
  const seconds = BigInt(Math.floor(nowMs / 1000));
  return {
    chainId: settings.chainId,
    blockNumber: BigInt(parent.height + 1),
    blockHashes: parent.blockHashes,
    timestamp: seconds > parent.timestamp ? seconds : parent.timestamp,
    eip1559BaseFee: settings.baseFee,
    pubdataPrice: settings.pubdataPrice,
    nativePrice: NATIVE_PRICE,
    coinbase: settings.feeCollector,
    gasLimit: settings.blockGasLimit,
    pubdataLimit: settings.blockPubdataLimitBytes,
    mixHash: 0n,
    executionVersion: EXECUTION_VERSION,
  };
}
