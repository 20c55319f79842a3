/** `reprise doctor`, this machine: Node, addons, memory, open files, ports, disk, data folder, keys. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { open, rm, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { isHex } from 'viem';
import { privateKeyToAddress } from 'viem/accounts';
import type { Config } from '../common/config.ts';
import { OPTIONS } from '../common/configTable.ts';
import { errorText } from '../common/errors.ts';
import { writesLog } from '../log/openLog.ts';
import { enabledProjections, isInClickHouse } from '../projections/index.ts';
import { STORE_FORMAT, storeFormatOf } from '../store/storeFormat.ts';
import { CHAIN_STORE_VERSION } from '../workers/chainSettings.ts';
import { NODE_ID_FILE, parseNodeId } from '../workers/nodeIdentity.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

const NODE_MAJOR_MIN = 26;
const GIB = 1024 ** 3;
const MEMORY_FAIL_BYTES = GIB;
const MEMORY_WARN_BYTES = 2 * GIB;
const ROOM_FAIL_BYTES = GIB;
const ROOM_WARN_BYTES = 10 * GIB;
const OPEN_FILES_FAIL = 1_024;
const OPEN_FILES_WARN = 8_192;
const FSYNC_WARN_MS = 50;

export function checkNode(): Finding {
  const { node } = process.versions;
  const where = `Node ${node} on ${process.platform}-${process.arch}`;
  if (Number(node.split('.')[0]) >= NODE_MAJOR_MIN) return ok('node', where);
  return fail('node', where, `use Node ${NODE_MAJOR_MIN} or newer: \`npm install\` brings one, bin/reprise runs it`);
}

/** Loaded only here: doctor has to run without them. */
const ADDONS: readonly (readonly [name: string, load: () => Promise<unknown>, needs: string])[] = [
  ['secp256k1', () => import('../producers/senderRecovery.ts'), ''],
  ['rocksdb-native', () => import('../store/keyValueStore.rocks.ts'), '; it needs libatomic1 and libstdc++6'],
];

/** Native code that must load, and what is optional. */
export async function checkAddons(): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, load, needs] of ADDONS) {
    try {
      await load();
      findings.push(ok('addon', `${name} loads`));
    } catch (error) {
      findings.push(
        fail('addon', `${name} does not load: ${errorText(error)}`, `run \`npm ci\` on this machine${needs}`),
      );
    }
  }
  try {
    createRequire(import.meta.url).resolve('chdb');
    findings.push(ok('addon', 'chdb is installed (optional)'));
  } catch {
    findings.push(
      warn(
        'addon',
        'chdb is not installed',
        'only analytics without a ClickHouse server needs it: `npm install` brings it, or set clickhouse_url',
      ),
    );
  }
  return findings;
}

export function checkMemory(): Finding {
  const constrained = process.constrainedMemory();
  const total = constrained > 0 && constrained < totalmem() ? constrained : totalmem();
  const text = `${gigabytes(total)} of memory${total === constrained ? ' (limit of this container)' : ''}`;
  const advice = 'give the node at least 2 GiB';
  if (total < MEMORY_FAIL_BYTES) return fail('memory', text, advice);
  return total < MEMORY_WARN_BYTES ? warn('memory', text, advice) : ok('memory', text);
}

/** Soft limit of this process; every store has up to 512 files, every connection one. */
export function checkOpenFiles(limit: number | undefined): Finding {
  if (limit === undefined) return ok('open files', 'no limit is known');
  const text = `at most ${limit} open files`;
  const advice = `raise it: \`ulimit -n ${OPEN_FILES_WARN}\` (LimitNOFILE of a service, ulimits of a container)`;
  if (limit < OPEN_FILES_FAIL) return fail('open files', text, advice);
  return limit < OPEN_FILES_WARN ? warn('open files', text, advice) : ok('open files', text);
}

export function openFilesLimit(): number | undefined {
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
  const soft = report.userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : undefined;
}

interface Listener {
  readonly name: string;
  readonly option: string;
  readonly host: string;
  readonly port: number;
}

/** Everything that this node listens on. */
export function listenersOf(config: Config): readonly Listener[] {
  const listeners: Listener[] = [
    { name: 'status', option: 'status_server_address', ...config.statusServerAddress },
    { name: 'metrics', option: 'general_prometheus_port', host: '0.0.0.0', port: config.generalPrometheusPort },
  ];
  if (config.rpcEnabled) listeners.unshift({ name: 'JSON-RPC', option: 'rpc_address', ...config.rpcAddress });
  const replay = config.sequencerBlockReplayServerAddress;
  if (replay !== undefined)
    listeners.push({ name: 'replay', option: 'sequencer_block_replay_server_address', ...replay });
  if (OPTIONS.prover_api_address.effect === 'now' && config.proverApiEnabled)
    listeners.push({ name: 'prover API', option: 'prover_api_address', ...config.proverApiAddress });
  return listeners;
}

/** @param isRunning the node of this configuration answers on its status address */
export async function checkPort({ name, option, host, port }: Listener, isRunning: boolean): Promise<Finding> {
  const text = `${name} on ${host}:${port}`;
  if (port === 0) return ok('port', `${name} on any free port`);
  const problem = await bindProblem(host, port);
  if (problem === undefined)
    return isRunning
      ? warn(
          'port',
          `${text} is free although the node runs`,
          `it listens elsewhere: give doctor the node's own ${option}`,
        )
      : ok('port', `${text} is free`);
  if (problem === 'EADDRINUSE' && isRunning) return ok('port', `${text} is in use by this node`);
  const why = problem === 'EADDRINUSE' ? 'is in use by another program' : `cannot be bound (${problem})`;
  return fail('port', `${text} ${why}`, `free it, or set ${option} to another one`);
}

function bindProblem(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((answer) => {
    server.once('error', (error: NodeJS.ErrnoException) => answer(error.code ?? errorText(error)));
    server.listen({ host, port, exclusive: true }, () => server.close(() => answer(undefined)));
  });
}

/** Writes and syncs a small file where the data lies, or will. */
export async function checkDisk(config: Config): Promise<Finding[]> {
  const folders = new Set([config.generalRocksDbPath]);
  if (config.kafkaBrokers === undefined && writesLog(config)) folders.add(config.eventLogPath);
  return Promise.all([...folders].map(checkFolder));
}

async function checkFolder(folder: string): Promise<Finding> {
  let existing = resolve(folder);
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  const probe = join(existing, `.reprise-doctor-${randomBytes(6).toString('hex')}`);
  const advice = `give this user a disk it may write to, or set general_rocks_db_path (user id ${process.getuid?.() ?? 'unknown'})`;
  let syncMs: number;
  try {
    const file = await open(probe, 'wx');
    try {
      await file.writeFile(new Uint8Array(64 * 1024));
      const startedAt = performance.now();
      await file.sync();
      syncMs = performance.now() - startedAt;
    } finally {
      await file.close();
      await rm(probe, { force: true });
    }
  } catch (error) {
    return fail('disk', `${existing} cannot be written: ${errorText(error)}`, advice);
  }
  const { bavail, bsize } = await statfs(existing);
  const free = bavail * bsize;
  const text = `${folder}: ${gigabytes(free)} free, fsync of 64 KiB took ${syncMs.toFixed(1)} ms`;
  const more = 'free some: a full disk pauses projections and stops the embedded log';
  if (free < ROOM_FAIL_BYTES) return fail('disk', text, more);
  if (free < ROOM_WARN_BYTES) return warn('disk', text, more);
  if (syncMs > FSYNC_WARN_MS)
    return warn('disk', text, 'every append to the embedded log waits for one: use a local SSD, or Kafka');
  return ok('disk', text);
}

/** Formats and versions of what lies in the data folder. Opens nothing, so the node may run. */
export function checkStores(config: Config): Finding[] {
  const folder = config.generalRocksDbPath;
  const expected = [
    { name: 'chainStore', version: CHAIN_STORE_VERSION, rebuild: 'state' },
    ...enabledProjections(config)
      .filter((projection) => !isInClickHouse(projection))
      .map(({ name, version }) => ({ name, version, rebuild: name })),
  ];
  const findings = expected.flatMap(({ name, version, rebuild }): Finding[] => {
    const versions = existsSync(join(folder, name))
      ? readdirSync(join(folder, name)).filter((entry) => /^v\d+$/.test(entry))
      : [];
    const path = join(folder, name, `v${version}`);
    const others = versions.filter((entry) => entry !== `v${version}`);
    const older = others.map((entry) =>
      warn(
        'store',
        `${name} also has ${entry}, this version uses v${version}`,
        `delete ${join(folder, name, entry)} once this version runs well`,
      ),
    );
    if (!versions.includes(`v${version}`)) return [ok('store', `${name} is not built yet`), ...older];
    const format = storeFormatOf(path);
    const is =
      format === String(STORE_FORMAT)
        ? ok('store', `${name} v${version}, format ${format}`)
        : fail(
            'store',
            `${path} has ${format === undefined ? 'no format mark' : `format ${format}`}, this version reads format ${STORE_FORMAT}`,
            `start the version that wrote it, or \`reprise rebuild ${rebuild}\``,
          );
    return [is, ...older];
  });
  return [...findings, checkNodeId(folder)];
}

function checkNodeId(folder: string): Finding {
  const path = join(folder, NODE_ID_FILE);
  if (!existsSync(path)) return ok('node id', 'none yet: the first start makes one');
  try {
    parseNodeId(path, readFileSync(path, 'utf8'));
    const isWide = (statSync(path).mode & 0o022) !== 0;
    return isWide
      ? warn('node id', `${path} may be written by others`, `chmod 644 ${path}`)
      : ok('node id', `${path} holds one`);
  } catch (error) {
    return fail('node id', errorText(error), `delete ${path}`);
  }
}

const KEY_OPTIONS = [
  ['commit', 'l1SenderOperatorCommitPk'],
  ['prove', 'l1SenderOperatorProvePk'],
  ['execute', 'l1SenderOperatorExecutePk'],
] as const;

/** Which operator accounts are configured: addresses, never keys. */
export function checkKeys(config: Config): Finding[] {
  if (config.nodeRole !== 'main' || !config.l1SenderEnabled)
    return [ok('keys', 'this node sends nothing to L1: none are needed')];
  if (OPTIONS.l1_sender_enabled.effect !== 'now')
    return [ok('keys', 'this version sends nothing to L1: none are needed')];
  const keys = KEY_OPTIONS.map(([name, property]) => ({ name, key: config[property]?.reveal() }));
  const addresses = keys.map(({ name, key }) => ({ name, address: isHex(key) ? privateKeyToAddress(key) : undefined }));
  const findings = addresses.map(({ name, address }) =>
    address === undefined
      ? warn(
          'keys',
          `no key of the ${name} operator`,
          `set l1_sender_operator_${name}_pk before batches are settled, or l1_sender_enabled=false`,
        )
      : ok('keys', `${name} operator ${address}`),
  );
  const present = addresses.flatMap(({ address }) => address ?? []);
  if (new Set(present).size < present.length)
    findings.push(
      fail(
        'keys',
        'two operators have the same key',
        'give commit, prove and execute an account each: they count nonces of their own',
      ),
    );
  return findings;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
