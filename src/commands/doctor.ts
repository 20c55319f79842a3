/** `reprise doctor`: would this node start and run well here? Looks, and changes nothing. Exit code 1 when a check failed. */
import { ConfigError } from '../common/config.ts';
import type { Config } from '../common/config.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import {
  checkAddons,
  checkDisk,
  checkKeys,
  checkMemory,
  checkNode,
  checkOpenFiles,
  checkPort,
  checkStores,
  listenersOf,
  openFilesLimit,
} from './doctorHost.ts';
import {
  type ClockSample,
  checkClickHouse,
  checkClock,
  checkL1,
  checkLogReachable,
  checkMainNode,
  checkRegistry,
} from './doctorNetwork.ts';
import { type Finding, fail, found, ok, warn } from './finding.ts';
import { print } from './print.ts';
import { askStatus, statusUrl } from './askStatus.ts';

const CHECK_LIMIT_MS = 30_000;

export async function doctor(options: GlobalOptions & { readonly json: boolean }): Promise<number> {
  const findings = await findingsOf(options);
  const count = (level: Finding['level']): number => findings.filter((finding) => finding.level === level).length;
  const [passed, warnings, failures] = [count('ok'), count('warn'), count('fail')];
  print(
    options.json,
    { findings, passed, warnings, failures },
    [...findings.map(findingText), '', `${passed} ok, ${warnings} warnings, ${failures} failures`].join('\n'),
  );
  return failures === 0 ? 0 : 1;
}

async function findingsOf(options: GlobalOptions): Promise<readonly Finding[]> {
  let config: Config;
  let warnings: readonly string[];
  try {
    ({ config, warnings } = configure(options));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.facts.problems.map((problem) => fail('configuration', problem, 'see docs/config.md'));
  }
  const wallBefore = Date.now();
  const before = performance.now();
  const clocks: ClockSample[] = [];
  const isRunning = await runsHere(config);
  const look = (check: string, take: () => Promise<readonly Finding[] | Finding>) => found(check, CHECK_LIMIT_MS, take);
  const here = [
    ...(warnings.length === 0
      ? [ok('configuration', `${config.nodeRole} node of chain ${config.genesisChainId}`)]
      : []),
    ...warnings.map((text) => warn('configuration', text, 'see docs/config.md')),
    checkNode(),
    checkMemory(),
    checkOpenFiles(openFilesLimit()),
  ];
  const parts = await Promise.all([
    look('addon', checkAddons),
    look('disk', () => checkDisk(config)),
    look('store', async () => checkStores(config)),
    look('keys', async () => checkKeys(config)),
    look('port', () => checkPorts(config, isRunning)),
    look('log', () => checkLogReachable(config)),
    look('registry', () => checkRegistry(config, clocks)),
    look('clickhouse', () => checkClickHouse(config, clocks)),
    look('L1', () => checkL1(config, clocks)),
    look('main node', () => checkMainNode(config, clocks)),
  ]);
  const stepped = Date.now() - wallBefore - (performance.now() - before);
  return [...here, ...parts.flat(), ...checkClock(clocks, stepped)];
}

/** One after the other: two of them may be configured alike. */
async function checkPorts(config: Config, isRunning: boolean): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const listener of listenersOf(config)) findings.push(await checkPort(listener, isRunning));
  return findings;
}

/** The node of this configuration answers on its status address. */
async function runsHere(config: Config): Promise<boolean> {
  try {
    const { role, chainId } = await askStatus(statusUrl(config));
    return role === config.nodeRole && BigInt(String(chainId)) === config.genesisChainId;
  } catch {
    return false;
  }
}

const MARKS: Readonly<Record<Finding['level'], string>> = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' };
const CHECK_WIDTH = 13;

function findingText({ level, check, text, advice }: Finding): string {
  const line = `${MARKS[level]}  ${check.padEnd(CHECK_WIDTH)}  ${text}`;
  return advice === undefined ? line : `${line}\n${' '.repeat(CHECK_WIDTH + 8)}-> ${advice}`;
}
