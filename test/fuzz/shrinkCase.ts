/** Cuts a case down while it still fails. */
import { equalBytes } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { CASE_SENDER } from './vmCase.ts';
import type { VmCase, VmCaseAccount } from './vmCase.ts';

const RUNS_MAX = 2_000;

function without<T>(list: readonly T[], start: number, count: number): readonly T[] {
  return [...list.slice(0, start), ...list.slice(start + count)];
}

/** Every list with a run of its items left out, longest runs first. */
function* shorter<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let count = list.length; count >= 1; count = Math.floor(count / 2)) {
    for (let start = 0; start + count <= list.length; start += count) yield without(list, start, count);
  }
}

/** A piece is cut byte by byte only once few pieces are left. */
function* shorterProgram(pieces: readonly Bytes[]): Generator<readonly Bytes[]> {
  yield* shorter(pieces);
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (bytes > 200) return;
  for (const [i, piece] of pieces.entries()) {
    for (const cut of shorter([...piece])) {
      if (cut.length > 0) yield [...pieces.slice(0, i), Uint8Array.from(cut), ...pieces.slice(i + 1)];
    }
  }
}

/** Simpler cases, the boldest steps first. */
function* simpler(vmCase: VmCase): Generator<VmCase> {
  const { accounts, accessList, input } = vmCase;
  for (const left of shorter(accounts)) {
    if (left.some(({ address }) => equalBytes(address, CASE_SENDER))) yield { ...vmCase, accounts: left };
  }
  for (const list of shorter(accessList)) yield { ...vmCase, accessList: list };
  if (vmCase.type !== 0) yield { ...vmCase, type: 0 };
  if (vmCase.value !== 0n) yield { ...vmCase, value: 0n };
  for (const pieces of shorterProgram(input)) yield { ...vmCase, input: pieces };
  for (const [i, account] of accounts.entries()) {
    const changed = (fields: Partial<VmCaseAccount>): VmCase => ({
      ...vmCase,
      accounts: accounts.map((other, j) => (j === i ? { ...account, ...fields } : other)),
    });
    for (const slots of shorter(account.slots)) yield changed({ slots });
    for (const pieces of shorterProgram(account.pieces)) yield changed({ pieces });
  }
}

/** The simplest case found that `fails`. */
export async function shrinkCase(vmCase: VmCase, fails: (candidate: VmCase) => Promise<boolean>): Promise<VmCase> {
  let best = vmCase;
  let runs = 0;
  for (let isSmaller = true; isSmaller && runs < RUNS_MAX;) {
    isSmaller = false;
    for (const candidate of simpler(best)) {
      runs += 1;
      if (runs > RUNS_MAX) break;
      if (await fails(candidate)) {
        best = candidate;
        isSmaller = true;
        break;
      }
    }
  }
  return best;
}
