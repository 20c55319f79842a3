/** The verdict of both folds on one entry: blocks and claims are judged by one, settlement by the other (log-protocol 3, 4). */
import { type ChainFold, type FoldResult, type Software, foldChain } from './chainFold.ts';
import { type Entry, isSettlementEntry } from './entry.ts';
import { type SettlementFold, type SettlementResult, foldSettlement } from './settlementFold.ts';

export interface FoldedEntry {
  /** Its state is that of the fold of blocks. */
  readonly result: FoldResult;
  /** undefined: not an entry of settlement. */
  readonly settled: SettlementResult | undefined;
}

/**
 * @param entry undefined: does not decode
 * @param facts chain id of the configuration; whether an entry with the same hash was accepted lately
 */
export function foldEntry(
  folds: { readonly chain: ChainFold; readonly settlement: SettlementFold },
  entry: Entry | undefined,
  software: Software,
  facts: { readonly configuredChain?: bigint; readonly isDuplicate?: boolean } = {},
): FoldedEntry {
  const onChain = foldChain(folds.chain, entry, software, facts.configuredChain, facts.isDuplicate);
  if (entry === undefined || !isSettlementEntry(entry)) return { result: onChain, settled: undefined };
  const settled = foldSettlement(folds.settlement, entry, folds.chain, software);
  return { result: settlementVerdict(onChain, settled), settled };
}

/** The fold of settlement judges; the fold of blocks may know better why it is rejected. */
function settlementVerdict({ state, rejectedClass: known }: FoldResult, settled: SettlementResult): FoldResult {
  if (settled.verdict === 'accepted') return { verdict: 'accepted', state };
  const rejectedClass = known ?? settled.rejectedClass;
  return { verdict: 'rejected', state, ...(rejectedClass !== undefined && { rejectedClass }) };
}
