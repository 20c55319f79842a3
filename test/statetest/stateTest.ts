/** Runs cases of GeneralStateTests and says how they differ. */
import { bytesKey, equalBytes, toHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { KECCAK_EMPTY, keccak256 } from '../../src/common/hash.ts';
import { encodeRlp } from '../../src/protocol/rlp.ts';
import type { Log } from '../../src/protocol/blockOutput.ts';
import { LIMBS, wordToBytes } from '../../src/vm/words.ts';
import type { WorldState } from '../../src/vm/worldState.ts';
import { TestState } from '../support/testState.ts';
import { ETHEREUM_ERRORS, runEthereumTransaction } from './ethereumTransaction.ts';
import type { EthereumError, EthereumOutcome, EthereumTransaction } from './ethereumTransaction.ts';
import type { PlainAccount, PlainState, StateTestCase } from './stateTestFile.ts';
import { stateTestTransaction } from './stateTestFile.ts';
import { EMPTY_ROOT, isEmptyAccount, stateRoot, storageRoot } from './stateRoot.ts';
import type { RootAccount } from './stateRoot.ts';

/** What the cases of one file share. */
interface PreparedState {
  readonly loaded: TestState;
  readonly hasStorage: (address: Bytes) => boolean;
  readonly roots: ReadonlyMap<string, RootAccount>;
}

function loadedState(state: PlainState): TestState {
  const loaded = new TestState();
  for (const { address, nonce, balance, code, slots } of state.values())
    loaded.put(address, { nonce, balance, slots, ...(code.length === 0 ? {} : { code }) });
  return loaded;
}

async function rootAccount({ address, nonce, balance, code, slots }: PlainAccount): Promise<RootAccount> {
  const codeHash = code.length === 0 ? KECCAK_EMPTY : keccak256(code);
  return { address, nonce, balance, codeHash, storageRoot: await storageRoot(slots) };
}

const prepared = new WeakMap<PlainState, Promise<PreparedState>>();

async function prepareNew(state: PlainState): Promise<PreparedState> {
  const roots = new Map<string, RootAccount>();
  for (const [key, account] of state) roots.set(key, await rootAccount(account));
  return {
    loaded: loadedState(state),
    hasStorage: (address) => (state.get(bytesKey(address))?.slots.length ?? 0) > 0,
    roots,
  };
}

function prepare(state: PlainState): Promise<PreparedState> {
  let result = prepared.get(state);
  if (result === undefined) {
    result = prepareNew(state);
    prepared.set(state, result);
  }
  return result;
}

/** Slots by account and slot key, as the world has them now. */
function slotsOf(world: WorldState): ReadonlyMap<number, ReadonlyMap<string, readonly [Bytes, Bytes]>> {
  const all = new Map<number, Map<string, readonly [Bytes, Bytes]>>();
  const { index, current } = world.slots;
  for (let i = 0; i < index.size; i += 1) {
    const id = index.tags[i]!;
    let slots = all.get(id);
    if (slots === undefined) {
      slots = new Map();
      all.set(id, slots);
    }
    const slot = wordToBytes(index.keys, i * LIMBS);
    slots.set(bytesKey(slot), [slot, wordToBytes(current, i * LIMBS)]);
  }
  return all;
}

/** The accounts behind a transaction: those it did not touch, and the touched ones that are not empty (EIP-161). */
export async function accountsAfter(
  state: PlainState,
  roots: ReadonlyMap<string, RootAccount>,
  world: WorldState,
): Promise<Map<string, RootAccount>> {
  const accounts = new Map(roots);
  const slots = slotsOf(world);
  for (const { id, address, nonce, balance, code, hasBytecodeHash } of world.accounts) {
    const key = bytesKey(address);
    const before = roots.get(key);
    const isRemoved = world.doomed.some((doomed) => doomed.id === id);
    let root = isRemoved ? EMPTY_ROOT : (before?.storageRoot ?? EMPTY_ROOT);
    const changed = slots.get(id);
    if (changed !== undefined && !isRemoved) {
      const merged = new Map((state.get(key)?.slots ?? []).map((entry) => [bytesKey(entry[0]), entry] as const));
      for (const [slot, entry] of changed) merged.set(slot, entry);
      root = await storageRoot([...merged.values()]);
    }
    const codeHash = hasBytecodeHash ? code.observableBytecodeHash : KECCAK_EMPTY;
    const after: RootAccount = { address, nonce, balance, codeHash, storageRoot: root };
    if (isEmptyAccount(after)) accounts.delete(key);
    else accounts.set(key, after);
  }
  return accounts;
}

export function logsHash(logs: readonly Log[]): Bytes {
  return keccak256(encodeRlp(logs.map(({ address, topics, data }) => [address, [...topics], data])));
}

/** The transaction of a case, run. */
export async function runStateTest(
  testCase: Pick<StateTestCase, 'state' | 'environment'>,
  transaction: EthereumTransaction,
): Promise<{ outcome: EthereumOutcome; accounts: Map<string, RootAccount> }> {
  const { loaded, hasStorage, roots } = await prepare(testCase.state);
  const { environment } = testCase;
  const outcome = runEthereumTransaction({ state: loaded, hasStorage, environment, transaction });
  const accounts =
    outcome.kind === 'rejected' ? new Map(roots) : await accountsAfter(testCase.state, roots, outcome.world);
  return { outcome, accounts };
}

/** Older suites have names of their own for errors; such a case must be refused, whatever the reason. */
function isExpected(errors: readonly EthereumError[], expected: readonly string[]): boolean {
  const names: readonly string[] = ETHEREUM_ERRORS;
  return expected.some((name) => !names.includes(name) || errors.some((error) => error === name));
}

/** How the case fails; undefined: it passes. */
export async function stateTestDifference(testCase: StateTestCase): Promise<string | undefined> {
  const { errors } = testCase;
  let transaction: EthereumTransaction;
  try {
    transaction = stateTestTransaction(testCase);
  } catch (error) {
    return errors.length > 0 ? undefined : `the transaction does not decode: ${String(error)}`;
  }
  if (!equalBytes(transaction.sender, testCase.sender))
    return `sender: ${toHex(transaction.sender)}, expected ${toHex(testCase.sender)}`;
  const { outcome, accounts } = await runStateTest(testCase, transaction);
  if (outcome.kind === 'rejected' && !isExpected(outcome.errors, errors))
    return `exception: ${outcome.errors.join(', ')}, expected ${errors.length === 0 ? 'none' : errors.join(' or ')}`;
  if (outcome.kind === 'executed' && errors.length > 0) return `exception: none, expected ${errors.join(' or ')}`;
  const hash = logsHash(outcome.kind === 'executed' && outcome.success ? outcome.world.logs : []);
  if (!equalBytes(hash, testCase.logsHash))
    return `logs hash: ${toHex(hash)}, expected ${toHex(testCase.logsHash)}${facts(outcome)}`;
  const root = await stateRoot([...accounts.values()]);
  if (!equalBytes(root, testCase.stateRoot))
    return `state root: ${toHex(root)}, expected ${toHex(testCase.stateRoot)}${facts(outcome)}`;
  return undefined;
}

function facts(outcome: EthereumOutcome): string {
  if (outcome.kind === 'rejected') return '';
  return ` (${outcome.success ? 'success' : `failure: ${outcome.error}`}, gas used ${outcome.gasUsed})`;
}
