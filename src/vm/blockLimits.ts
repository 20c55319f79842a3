/** The limits of a block that the VM checks after a transaction has run (spec: execution 2, native 10). */
import type { BlockContext } from '../protocol/replayRecord.ts';
import { NATIVE_MAX } from './nativeCosts.ts';

const L2_TO_L1_LOGS_MAX = 16_384;

/** Sums over the included transactions of a block (spec: execution 8.2). */
export interface BlockTotals {
  readonly gasUsed: bigint;
  /** Computational. */
  readonly native: number;
  /** bytes; validation and intrinsic included */
  readonly pubdata: number;
  /** Result logs included. */
  readonly l2ToL1Logs: number;
}

/** The first limit that these sums exceed, in the order of the specification; reaching one is no excess. */
export function exceededLimit(
  totals: BlockTotals,
  { gasLimit, pubdataLimit }: Pick<BlockContext, 'gasLimit' | 'pubdataLimit'>,
): 'GasVm' | 'NativeCycles' | 'Pubdata' | 'L2ToL1Logs' | undefined {
  if (totals.gasUsed > gasLimit) return 'GasVm';
  if (totals.native > NATIVE_MAX) return 'NativeCycles';
  if (BigInt(totals.pubdata) > pubdataLimit) return 'Pubdata';
  if (totals.l2ToL1Logs > L2_TO_L1_LOGS_MAX) return 'L2ToL1Logs';
  return undefined;
}
