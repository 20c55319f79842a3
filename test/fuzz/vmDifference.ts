/** Where the machine and the other EVM disagree about a case. */
import { bytesToBigInt, toHex } from '../../src/common/bytes.ts';
import { LIMBS, wordToBytes } from '../../src/vm/words.ts';
import type { WorldState } from '../../src/vm/worldState.ts';
import { runStateTest } from '../statetest/stateTest.ts';
import { stateRoot } from '../statetest/stateRoot.ts';
import type { RootAccount } from '../statetest/stateRoot.ts';
import { caseEnvironment, caseState, caseTransaction } from './vmCase.ts';
import type { VmCase } from './vmCase.ts';
import { accountText, runReference } from './vmReference.ts';
import type { Spent, VmOutcome, Watched } from './vmReference.ts';

/** Every account and slot that is in the state of the case or was touched. */
function watch(vmCase: VmCase, world: WorldState | undefined): Map<string, Set<string>> {
  const watched = new Map<string, Set<string>>();
  const slotsOf = (address: string): Set<string> => {
    let slots = watched.get(address);
    if (slots === undefined) {
      slots = new Set();
      watched.set(address, slots);
    }
    return slots;
  };
  for (const { address, slots } of vmCase.accounts) {
    const keys = slotsOf(toHex(address));
    for (const [slot] of slots) keys.add(toHex(slot));
  }
  if (world === undefined) return watched;
  for (const { address } of world.accounts) slotsOf(toHex(address));
  const { index } = world.slots;
  for (let i = 0; i < index.size; i += 1)
    slotsOf(toHex(world.accounts[index.tags[i]!]!.address)).add(toHex(wordToBytes(index.keys, i * LIMBS)));
  return watched;
}

function ourAccounts(
  vmCase: VmCase,
  world: WorldState,
  watched: Watched,
  roots: ReadonlyMap<string, RootAccount>,
): Record<string, string> {
  const before = new Map(vmCase.accounts.map(({ address, slots }) => [toHex(address), slots] as const));
  const now = new Map<string, bigint>();
  const { index, current } = world.slots;
  for (let i = 0; i < index.size; i += 1) {
    const address = toHex(world.accounts[index.tags[i]!]!.address);
    now.set(`${address} ${toHex(wordToBytes(index.keys, i * LIMBS))}`, bytesToBigInt(wordToBytes(current, i * LIMBS)));
  }
  const present = new Map([...roots.values()].map((account) => [toHex(account.address), account] as const));
  const accounts: Record<string, string> = {};
  for (const [address, slots] of watched) {
    const account = present.get(address as `0x${string}`);
    if (account === undefined) continue;
    const values = [...slots].map((slot) => {
      const initial = before.get(address as `0x${string}`)?.find(([key]) => toHex(key) === slot)?.[1];
      return `${slot}=${now.get(`${address} ${slot}`) ?? (initial === undefined ? 0n : bytesToBigInt(initial))}`;
    });
    accounts[address] = accountText({ ...account, slots: values });
  }
  return accounts;
}

async function runOurs(vmCase: VmCase): Promise<{ outcome: VmOutcome; watched: Watched }> {
  const environment = caseEnvironment(vmCase);
  const { outcome, accounts } = await runStateTest({ environment, state: caseState(vmCase) }, caseTransaction(vmCase));
  if (outcome.kind === 'rejected') {
    const refused: VmOutcome = {
      refused: true,
      success: false,
      gasUsed: 0n,
      output: '0x',
      logs: [],
      accounts: {},
      stateRoot: '',
    };
    return { outcome: refused, watched: watch(vmCase, undefined) };
  }
  const { success, gasUsed, returnData, world } = outcome;
  const watched = watch(vmCase, world);
  return {
    watched,
    outcome: {
      refused: false,
      success,
      gasUsed,
      output: toHex(returnData),
      logs: success
        ? world.logs.map(({ address, topics, data }) => [address, ...topics, data].map(toHex).join(' '))
        : [],
      accounts: ourAccounts(vmCase, world, watched, accounts),
      stateRoot: toHex(await stateRoot([...accounts.values()])),
    },
  };
}

function firstDifference(ours: VmOutcome, theirs: VmOutcome): string | undefined {
  for (const key of ['refused', 'success', 'gasUsed', 'output'] as const)
    if (ours[key] !== theirs[key]) return `${key}: ${ours[key]} here, ${theirs[key]} there`;
  if (ours.logs.join('\n') !== theirs.logs.join('\n'))
    return `logs: [${ours.logs.join('; ')}] here, [${theirs.logs.join('; ')}] there`;
  for (const address of new Set([...Object.keys(ours.accounts), ...Object.keys(theirs.accounts)])) {
    const here = ours.accounts[address] ?? 'absent';
    const there = theirs.accounts[address] ?? 'absent';
    if (here !== there) return `account ${address}: ${here} here; ${there} there`;
  }
  return ours.stateRoot === theirs.stateRoot
    ? undefined
    : `state root: ${ours.stateRoot} here, ${theirs.stateRoot} there`;
}

export interface VmVerdict {
  /** undefined: they agree. */
  readonly difference: string | undefined;
  readonly outcome: VmOutcome;
}

/** Runs the case on both. `onStep` as in `runReference`. */
export async function vmVerdict(vmCase: VmCase, onStep?: (spent: Spent) => void): Promise<VmVerdict> {
  const { outcome, watched } = await runOurs(vmCase);
  const theirs = await runReference(vmCase, watched, onStep);
  return { difference: firstDifference(outcome, theirs), outcome };
}
