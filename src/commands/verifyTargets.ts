/** What `reprise verify` checks: the log, the chain store against the log, each projection against the journal. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { equalBytes } from '../common/bytes.ts';
import type { Config } from '../common/config.ts';
import { NodeError, errorText } from '../common/errors.ts';
import type { Progress } from '../common/progress.ts';
import { checkLog } from '../consumers/logCheck.ts';
import { endLogAt } from '../log/boundedLog.ts';
import { type Checkpoint, decodeCheckpoint } from '../log/logIdentity.ts';
import { openLog } from '../log/openLog.ts';
import { merkleTree } from '../projections/index.ts';
import { checkMerkleTree } from '../projections/merkleTreeCheck.ts';
import type { Projection } from '../projections/projection.ts';
import { projectionDirectory } from '../projections/projectionRunner.ts';
import { verifyProjection } from '../projections/rebuild.ts';
import { genesisContext } from '../protocol/genesis.ts';
import { CHECKPOINT_KEY, ChainStore, storedCheckpoint } from '../store/chainStore.ts';
import { type StoreComparison, compareStores } from '../store/compareStores.ts';
import { decodeJournalEntry } from '../store/journalCodec.ts';
import { firstFieldDifference, keyText, valueDifferenceText } from '../store/keyText.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import { openRocksStore } from '../store/keyValueStore.rocks.ts';
import { SOFTWARE } from '../workers/chain.ts';
import { chainStorePath, configuredChainId } from '../workers/chainSettings.ts';
import { fillChainStore } from './fillChainStore.ts';
import { openStoppedStore, runnerOptions } from './offline.ts';

/** `empty`: there is nothing to compare yet. `notChecked`: something before it is wrong. */
export type Verdict = 'equal' | 'different' | 'empty' | 'notChecked';

export interface TargetResult {
  readonly target: string;
  readonly verdict: Verdict;
  /** Folder of the store, or which log. */
  readonly place: string;
  /** Facts in a few words: `12 entries, 11 accepted`. */
  readonly summary: string;
  /** Last block compared; undefined: none. */
  readonly height: number | undefined;
  readonly keys?: number | undefined;
  /** Keys that differ. */
  readonly differences?: number | undefined;
  /** The first thing that is wrong: which key or entry, what it is and what it should be. */
  readonly problem?: string | undefined;
  /** Position of the log entry that is wrong. */
  readonly position?: number | undefined;
  readonly advice?: string | undefined;
}

export interface VerifyContext {
  readonly config: Config;
  /** For what is built to compare with; removed by the caller. */
  readonly asideDirectory: string;
  readonly signal: AbortSignal;
  readonly openProgress: (label: string, unit: string) => Progress;
}

/** The chain store of the stopped node as it was found; it stays open, so that no node starts meanwhile. */
export interface FoundChain {
  readonly path: string;
  /** undefined: the folder does not exist, or cannot be opened. */
  readonly store: KeyValueStore | undefined;
  readonly checkpoint: Checkpoint | undefined;
  readonly chain: ChainStore | undefined;
  /** Why it cannot be read. */
  readonly damage: string | undefined;
}

const RESTORE_LOG =
  'The log is the only truth: stop what writes it and restore it from a copy (a replica of the broker, a backup, the log of another node); do not rebuild a store from it.';

/** @throws NodeError NODE_RUNS, or what else is worth another try */
export async function openFoundChain(config: Config): Promise<FoundChain> {
  const path = chainStorePath(config);
  const found = { path, store: undefined, checkpoint: undefined, chain: undefined, damage: undefined };
  if (!existsSync(path)) return found;
  let store: KeyValueStore | undefined;
  let checkpoint: Checkpoint | undefined;
  try {
    store = await openStoppedStore(path);
    const bytes = await storedCheckpoint(store);
    checkpoint = bytes === undefined ? undefined : decodeCheckpoint(bytes);
    return { ...found, store, checkpoint, chain: await ChainStore.open(store, genesisContext) };
  } catch (error) {
    return { ...found, store, checkpoint, damage: damageText(error) };
  }
}

/** What is wrong with stored data, as text; anything that another try may cure is thrown on. */
function damageText(error: unknown): string {
  if (error instanceof NodeError && error.kind === 'retryable') throw error;
  return errorText(error);
}

export async function verifyLog(context: VerifyContext, { checkpoint, chain }: FoundChain): Promise<TargetResult> {
  const { config, signal, openProgress } = context;
  const place = config.kafkaBrokers === undefined ? config.eventLogPath : `Kafka ${config.kafkaBrokers.join(', ')}`;
  const facts = { target: 'log', place, height: undefined };
  const progress = openProgress('reading the log', 'entries');
  try {
    const log = await openLog(config, { readOnly: true });
    try {
      const result = await checkLog({
        log,
        software: SOFTWARE,
        chainId: configuredChainId(config),
        stored: checkpoint && { checkpoint, positions: chain && journalPositions(chain) },
        mayHaveGaps: config.kafkaBrokers !== undefined,
        signal,
        progress: (entries, end) => progress.update(entries, end),
      });
      const rejected = Object.entries(result.rejected).map(([name, count]) => `, ${count} ${name}`);
      return {
        ...facts,
        height: result.fold.height,
        summary: `${result.entries} entries, ${result.accepted} accepted${rejected.join('')}${result.gaps === 0 ? '' : `, ${result.gaps} positions without an entry`}`,
        ...(result.problem === undefined
          ? { verdict: 'equal' }
          : {
              verdict: 'different',
              problem: result.problem.text,
              position: result.problem.position,
              advice: RESTORE_LOG,
            }),
      };
    } finally {
      await log.close();
    }
  } catch (error) {
    return {
      ...facts,
      verdict: 'different',
      summary: 'unreadable',
      problem: damageText(error),
      position: failedPosition(error),
      advice: RESTORE_LOG,
    };
  } finally {
    progress.stop();
  }
}

const JOURNAL_STEP_ENTRIES = 256;
const JOURNAL_STEP_BYTES = 1024 * 1024;

/** Ends early where the journal cannot be read: comparing the store itself names that place. */
async function* journalPositions(chain: ChainStore): AsyncGenerator<number> {
  try {
    for (let index = 0; index < chain.journalEnd;) {
      const entries = await chain.readJournal(index, JOURNAL_STEP_ENTRIES, JOURNAL_STEP_BYTES);
      if (entries.length === 0) return;
      for (const bytes of entries) yield decodeJournalEntry(bytes).event.position;
      index += entries.length;
    }
  } catch (error) {
    damageText(error);
  }
}

export interface StateVerification {
  readonly result: TargetResult;
  /** The log cannot be executed: what is wrong with it. */
  readonly logProblem: Pick<TargetResult, 'problem' | 'position' | 'advice'> | undefined;
  /** The chain store that was built from the log; undefined: it could not be. */
  readonly asidePath: string | undefined;
}

/** Executes the log again into a store of its own, as far as the found one has read it, and compares all keys. */
export async function verifyState(context: VerifyContext, found: FoundChain): Promise<StateVerification> {
  const { signal, openProgress } = context;
  const facts = { target: 'state', place: found.path, advice: '`reprise rebuild state` builds it again from the log.' };
  if (found.store === undefined && found.damage === undefined)
    return {
      result: { ...facts, verdict: 'empty', summary: 'no data yet', height: undefined, advice: undefined },
      logProblem: undefined,
      asidePath: undefined,
    };
  const asidePath = join(context.asideDirectory, 'chainStore');
  const end = found.checkpoint && found.checkpoint.position + 1;
  let height: number;
  try {
    height = await fillAside(context, asidePath, end);
  } catch (error) {
    const problem = damageText(error);
    const position = failedPosition(error);
    return {
      result: {
        ...facts,
        verdict: 'notChecked',
        summary: 'the log cannot be executed',
        height: undefined,
        advice: RESTORE_LOG,
      },
      logProblem: {
        problem: `${position === undefined ? 'it cannot be executed' : `the entry at position ${position} cannot be executed as it is`}: ${problem}`,
        position,
        advice: `Either the log was changed, or the software that wrote it executes otherwise than this one. ${RESTORE_LOG}`,
      },
      asidePath: undefined,
    };
  }
  signal.throwIfAborted();
  const isolated = { ...facts, height };
  if (found.store === undefined)
    return {
      result: { ...isolated, verdict: 'different', summary: 'unreadable', problem: found.damage },
      logProblem: undefined,
      asidePath,
    };
  const progress = openProgress('comparing state', 'keys');
  const built = await openRocksStore(asidePath);
  try {
    const comparison = await compareStores(found.store, built, {
      signal,
      progress: (keys) => progress.update(keys, undefined),
    });
    return { result: comparisonResult(isolated, comparison, found.damage), logProblem: undefined, asidePath };
  } catch (error) {
    const problem = damageText(error);
    return {
      result: { ...isolated, verdict: 'different', summary: 'unreadable', problem },
      logProblem: undefined,
      asidePath,
    };
  } finally {
    progress.stop();
    await built.close();
  }
}

/** Of the entry that could not be read or executed. */
function failedPosition(error: unknown): number | undefined {
  const position = error instanceof NodeError ? (error as NodeError).facts['position'] : undefined;
  return typeof position === 'number' ? position : undefined;
}

/** Goes on where the store at the path stands, up to a position or the end of the log. Height then. */
export async function fillAside(
  { config, signal, openProgress }: VerifyContext,
  path: string,
  end?: number,
): Promise<number> {
  const progress = openProgress('executing the log', 'entries');
  try {
    const whole = await openLog(config, { readOnly: true });
    const log = end === undefined ? whole : endLogAt(whole, end);
    return await fillChainStore({ config, log, path, signal, progress: (done, total) => progress.update(done, total) });
  } finally {
    progress.stop();
  }
}

/**
 * Fills the projection aside from a chain store and compares all keys; a state tree is walked as well. Throws
 * PROJECTION_AHEAD when it has applied more than the chain store holds, unless that is all there is in the log.
 */
export async function verifyOne(
  context: VerifyContext,
  projection: Projection<unknown>,
  chain: ChainStore,
  isChainWhole = false,
): Promise<TargetResult> {
  const { config, asideDirectory, signal, openProgress } = context;
  const directory = projectionDirectory(config.generalRocksDbPath, projection);
  const facts = { target: projection.name, place: directory, height: undefined };
  if (!existsSync(directory)) return { ...facts, verdict: 'empty', summary: 'no data yet: the next start fills it' };
  const advice = `\`reprise rebuild ${projection.name}\` builds it again from the journal.`;
  const filling = openProgress(`rebuilding ${projection.name} aside`, 'entries');
  const comparing = openProgress(`comparing ${projection.name}`, 'keys');
  try {
    const comparison = await verifyProjection(runnerOptions(config, chain, projection, filling), {
      asideDirectory,
      signal,
      comparing: (keys) => {
        filling.stop();
        comparing.update(keys, undefined);
      },
    });
    comparing.stop();
    const damage =
      projection === merkleTree && comparison.differences === 0 && comparison.height >= 0
        ? await treeDamage(context, directory, comparison.height)
        : undefined;
    return comparisonResult({ ...facts, height: comparison.height, advice }, comparison, damage);
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof NodeError && error.code === 'PROJECTION_AHEAD' && isChainWhole)
      return { ...facts, verdict: 'different', summary: 'ahead of the log', problem: errorText(error), advice };
    return { ...facts, verdict: 'different', summary: 'unreadable', problem: damageText(error), advice };
  } finally {
    filling.stop();
    comparing.stop();
    await rm(join(asideDirectory, projection.name), { recursive: true, force: true });
  }
}

/** The first thing wrong with the stored state tree; undefined: it is consistent. */
async function treeDamage(
  { signal, openProgress }: VerifyContext,
  directory: string,
  height: number,
): Promise<string | undefined> {
  const store = await openStoppedStore(directory);
  const progress = openProgress('checking merkleTree', 'leaves');
  try {
    await checkMerkleTree(store, height, { signal, progress: (done, total) => progress.update(done, total) });
    return undefined;
  } catch (error) {
    if (signal.aborted) throw error;
    return damageText(error);
  } finally {
    progress.stop();
    await store.close();
  }
}

function comparisonResult(
  facts: Pick<TargetResult, 'target' | 'place' | 'height' | 'advice'>,
  { keys, differences, first }: StoreComparison,
  damage: string | undefined,
): TargetResult {
  const summary = `${keys} keys`;
  if (first === undefined && damage === undefined)
    return { ...facts, verdict: 'equal', summary, keys, differences, advice: undefined };
  const problem =
    first === undefined
      ? damage
      : `${keyText(first.key)} ${keyDifferenceText(first.key, first.stored, first.expected)}`;
  return { ...facts, verdict: 'different', summary, keys, differences, problem };
}

function keyDifferenceText(key: Uint8Array, stored: Uint8Array | undefined, expected: Uint8Array | undefined): string {
  if (stored !== undefined && expected !== undefined && equalBytes(key, CHECKPOINT_KEY)) {
    try {
      const field = firstFieldDifference(decodeCheckpoint(stored), decodeCheckpoint(expected), 'checkpoint');
      if (field !== undefined) return `differs in ${field.path}: it is ${field.stored}, it should be ${field.expected}`;
    } catch {
      // Not a checkpoint any more: the bytes are shown.
    }
  }
  return valueDifferenceText(key, stored, expected);
}
