/** Gas limits at which a transaction runs dry at one opcode after the other. */
import type { VmCase } from './vmCase.ts';
import { vmVerdict } from './vmDifference.ts';
import type { VmVerdict } from './vmDifference.ts';
import type { Spent } from './vmReference.ts';

const STIPEND_EDGES = [2_300n, 2_301n];

/** The case with gas limits that leave nothing at each opcode, and one less; apart from them those around the stipend before writes. */
export function dryCases(vmCase: VmCase, spent: readonly Spent[]): { edges: VmCase[]; others: VmCase[] } {
  const edges = new Set<bigint>();
  const others = new Set<bigint>();
  for (const { gas, isWrite } of spent) {
    others.add(gas);
    others.add(gas - 1n);
    // A write to storage wants more than the stipend to be left.
    if (isWrite) for (const left of STIPEND_EDGES) edges.add(gas + left);
  }
  const casesOf = (limits: Set<bigint>): VmCase[] =>
    [...limits]
      .filter((gasLimit) => gasLimit > 0n && gasLimit !== vmCase.gasLimit)
      .map((gasLimit) => ({ ...vmCase, gasLimit }));
  return { edges: casesOf(edges), others: casesOf(others) };
}

/** Runs the case and tells for each opcode with which gas limit nothing would be left for it. */
export async function verdictWithSteps(vmCase: VmCase): Promise<VmVerdict & { readonly spent: readonly Spent[] }> {
  const spent: Spent[] = [];
  const verdict = await vmVerdict(vmCase, (step) => spent.push(step));
  return { ...verdict, spent };
}
