/**
 * `reprise verify [name...]`: is everything this node keeps what the log gives? Builds stores aside and compares them key
 * by key; changes nothing. Exit codes: 0 equal, 1 something differs, 75 try again.
 */
import { readdirSync, statSync } from 'node:fs';
import { rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../common/config.ts';
import { NodeError } from '../common/errors.ts';
import { enabledProjections } from '../projections/index.ts';
import type { Projection } from '../projections/projection.ts';
import { projectionDirectory } from '../projections/projectionRunner.ts';
import { genesisContext } from '../protocol/genesis.ts';
import { ChainStore } from '../store/chainStore.ts';
import { openRocksStore } from '../store/keyValueStore.rocks.ts';
import { chainStorePath } from '../workers/chainSettings.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { interruption, noData, print, progressOf, projectionOf, requireDataFolder } from './offline.ts';
import {
  type FoundChain,
  type StateVerification,
  type TargetResult,
  type VerifyContext,
  fillAside,
  openFoundChain,
  verifyLog,
  verifyOne,
  verifyState,
} from './verifyTargets.ts';

const ASIDE = 'verify';

interface Targets {
  readonly log: boolean;
  readonly state: boolean;
  readonly projections: readonly Projection<unknown>[];
}

/** @param names `log`, `state` (with the log it is executed from), projections; none, or `all`: everything */
export async function verify(
  options: GlobalOptions & { readonly json: boolean },
  names: readonly string[],
): Promise<number> {
  const { config } = configure(options);
  const signal = interruption();
  const results: TargetResult[] = [];
  try {
    await verifyNode(
      { config, signal, openProgress: (label, unit) => progressOf(label, unit, options.json) },
      names,
      (result) => {
        results.push(result);
        print(options.json, { ...result }, resultText(result));
      },
    );
  } catch (error) {
    if (signal.aborted)
      throw new NodeError('retryable', 'interrupted: not everything was compared; nothing was changed', {
        code: 'INTERRUPTED',
      });
    throw error;
  }
  return results.every(({ verdict }) => verdict === 'equal' || verdict === 'empty') ? 0 : 1;
}

/** What is found is reported as it is found. Throws what another try may cure: NODE_RUNS, NO_ROOM, a log that does not answer. */
export async function verifyNode(
  options: Omit<VerifyContext, 'asideDirectory'>,
  names: readonly string[],
  report: (result: TargetResult) => void,
): Promise<void> {
  const { config } = options;
  const targets = targetsOf(config, names);
  requireDataFolder(config);
  const asideDirectory = join(config.generalRocksDbPath, ASIDE);
  const found = await openFoundChain(config);
  try {
    await rm(asideDirectory, { recursive: true, force: true });
    await requireRoom(config, targets);
    await verifyAll({ ...options, asideDirectory }, targets, found, report);
  } finally {
    await found.store?.close();
    await rm(asideDirectory, { recursive: true, force: true });
  }
}

function targetsOf(config: Config, names: readonly string[]): Targets {
  const isAll = names.length === 0 || names.includes('all');
  const others = names.filter((name) => !['all', 'log', 'state'].includes(name)).map(projectionOf);
  return {
    log: isAll || names.includes('log') || names.includes('state'),
    state: isAll || names.includes('state'),
    projections: isAll ? enabledProjections(config) : others,
  };
}

async function verifyAll(
  context: VerifyContext,
  targets: Targets,
  found: FoundChain,
  report: (result: TargetResult) => void,
): Promise<void> {
  let ofLog = targets.log ? await verifyLog(context, found) : undefined;
  let ofState: StateVerification | undefined;
  if (targets.state && ofLog?.verdict === 'equal') {
    ofState = await verifyState(context, found);
    if (ofState.logProblem !== undefined) ofLog = { ...ofLog, verdict: 'different', ...ofState.logProblem };
  }
  if (ofLog !== undefined) report(ofLog);
  if (ofState !== undefined) report(ofState.result);
  else if (targets.state)
    report({
      target: 'state',
      verdict: 'notChecked',
      place: found.path,
      summary: 'the log it would be built from is not right',
      height: undefined,
    });
  if (targets.projections.length > 0) await verifyProjections(context, targets.projections, { found, ofState, report });
}

async function verifyProjections(
  context: VerifyContext,
  chosen: readonly Projection<unknown>[],
  {
    found,
    ofState,
    report,
  }: {
    readonly found: FoundChain;
    readonly ofState: StateVerification | undefined;
    readonly report: (result: TargetResult) => void;
  },
): Promise<void> {
  const asidePath = ofState?.asidePath;
  if (asidePath !== undefined) return verifyFromAside(context, chosen, { asidePath, report });
  const { chain, damage, path } = found;
  if (chain === undefined && damage === undefined && ofState === undefined) throw noData(path);
  for (const projection of chosen)
    report(
      chain === undefined
        ? notChecked(context.config, projection, damage)
        : await verifyOne(context, projection, chain),
    );
}

/** From the chain store that was built from the log: it is right even where the found one is not. */
async function verifyFromAside(
  context: VerifyContext,
  chosen: readonly Projection<unknown>[],
  { asidePath, report }: { readonly asidePath: string; readonly report: (result: TargetResult) => void },
): Promise<void> {
  const open = async (): Promise<ChainStore> => ChainStore.open(await openRocksStore(asidePath), genesisContext);
  let chain = await open();
  let isWhole = false;
  try {
    for (const projection of chosen) {
      const verifyIt = (): Promise<TargetResult> => verifyOne(context, projection, chain, isWhole);
      const result = await verifyIt().catch(async (error: unknown) => {
        if (!(error instanceof NodeError) || error.code !== 'PROJECTION_AHEAD') throw error;
        // It has applied more of the log than the found chain store holds: so must the one built aside.
        await chain.close();
        await fillAside(context, asidePath);
        chain = await open();
        isWhole = true;
        return verifyIt();
      });
      report(result);
    }
  } finally {
    await chain.close();
  }
}

function notChecked(config: Config, projection: Projection<unknown>, damage: string | undefined): TargetResult {
  return {
    target: projection.name,
    verdict: damage === undefined ? 'empty' : 'notChecked',
    place: projectionDirectory(config.generalRocksDbPath, projection),
    summary: damage === undefined ? 'no data yet' : `the chain store it would be built from cannot be read: ${damage}`,
    height: undefined,
  };
}

function resultText({ target, verdict, place, summary, height, problem, advice, differences }: TargetResult): string {
  const at = height === undefined || height < 0 ? '' : ` at block ${height}`;
  if (verdict === 'equal') return `${target}${at}: ${summary}, ${target === 'log' ? 'in order' : 'equal'}`;
  if (verdict === 'empty') return `${target}: ${summary}`;
  const lines = [`${target}${at}: ${summary}, ${verdict === 'notChecked' ? 'NOT CHECKED' : 'DIFFERENT'}`];
  if (problem !== undefined) lines.push(`  ${place}: ${problem}`);
  if (differences !== undefined && differences > 1) lines.push(`  and ${differences - 1} more keys differ`);
  if (advice !== undefined) lines.push(`  ${advice}`);
  return lines.join('\n');
}

/** The chain store is built beside the found one, and one projection after the other. */
async function requireRoom(config: Config, { state, projections }: Targets): Promise<void> {
  const sizes = projections.map((projection) =>
    folderBytes(projectionDirectory(config.generalRocksDbPath, projection)),
  );
  const wanted = (state ? folderBytes(dirname(chainStorePath(config))) : 0) + Math.max(0, ...sizes);
  if (wanted === 0) return;
  const { bavail, bsize } = await statfs(config.generalRocksDbPath);
  const free = bavail * bsize;
  if (free >= wanted) return;
  throw new NodeError(
    'retryable',
    `verifying builds stores of about ${megabytes(wanted)} beside the present ones, and ${config.generalRocksDbPath} has room for ${megabytes(free)}: free some, or verify fewer at once (\`reprise verify log\` needs none)`,
    { code: 'NO_ROOM', wanted, free },
  );
}

function folderBytes(path: string): number {
  try {
    return readdirSync(path, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
