/** `reprise doctor`, the others: log, schema registry, L1, main node, and what their clocks say of ours. */
import { existsSync } from 'node:fs';
import { toHex } from '../common/bytes.ts';
import type { Config } from '../common/config.ts';
import { NodeError, errorText } from '../common/errors.ts';
import { silentLogger } from '../common/logger.ts';
import { fetchable, shownUrl } from '../common/urls.ts';
import { configuredTopic, openLog, writesLog } from '../log/openLog.ts';
import { verifyTopic } from '../log/topic.ts';
import { configuredChainId } from '../workers/chainSettings.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

const REQUEST_LIMIT_MS = 5_000;
const SKEW_WARN_MS = 5_000;
const SKEW_FAIL_MS = 60_000;
/** HTTP dates have whole seconds. */
const DATE_STEP_MS = 1_000;

/** How far ahead the clock of another machine is, as it said over HTTP. */
export interface ClockSample {
  readonly source: string;
  /** ms; positive: the other clock is ahead of ours. */
  readonly aheadMs: number;
}

export async function checkLogReachable(config: Config): Promise<Finding[]> {
  if (config.kafkaBrokers === undefined) return [await checkEmbeddedLog(config)];
  const topic = configuredTopic(config, silentLogger);
  let differences: readonly string[];
  try {
    differences = await verifyTopic(topic);
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    const advice =
      error.code === 'TOPIC_MISSING'
        ? 'create it: `reprise topics create` with these options'
        : 'check kafka_brokers, the network, and the security options';
    return [fail('log', error.message, advice)];
  }
  const brokers = `Kafka ${config.kafkaBrokers.join(', ')} answers`;
  if (differences.length > 0)
    return [
      ok('log', brokers),
      ...differences.map((difference) =>
        fail(
          'topic',
          `${topic.topic}: ${difference}`,
          'correct the topic: a weaker one can lose what was acknowledged',
        ),
      ),
    ];
  return [ok('log', brokers), ok('topic', `${topic.topic} is as configured, or stronger`), await checkHistory(config)];
}

async function checkHistory(config: Config): Promise<Finding> {
  const log = await openLog(config, { readOnly: true });
  try {
    const [start, end] = [await log.start(), await log.end()];
    if (start > 0)
      return fail(
        'topic',
        `its history below position ${start} was deleted`,
        'restore the topic: retention must be unlimited',
      );
    if (end === 0) return warn('topic', 'it is empty', '`reprise topics create` appends its Genesis');
    return ok('topic', `${end} entries`);
  } finally {
    await log.close();
  }
}

async function checkEmbeddedLog(config: Config): Promise<Finding> {
  const { eventLogPath: path } = config;
  if (!existsSync(path))
    return writesLog(config)
      ? ok('log', `${path}: none yet, the first start makes it`)
      : fail(
          'log',
          `${path} does not exist`,
          'start the main node that writes it, or set event_log_path or kafka_brokers',
        );
  const log = await openLog(config, { readOnly: true });
  try {
    return ok('log', `${path}: ${await log.end()} entries`);
  } finally {
    await log.close();
  }
}

export async function checkRegistry(config: Config, clocks: ClockSample[]): Promise<Finding> {
  const { schemaRegistryUrl: url } = config;
  if (url === undefined) return ok('registry', 'none is configured: nodes need none');
  const { schemaRegistryUsername: name, schemaRegistryPassword: password } = config;
  const headers = name === undefined ? {} : { authorization: `Basic ${btoa(`${name}:${password?.reveal() ?? ''}`)}` };
  const subjects = fetchable(`${url.replace(/\/+$/, '')}/subjects`);
  const answer = await timed(url, clocks, () =>
    fetch(subjects.url, {
      headers: { ...subjects.headers, ...headers },
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
    }),
  ).catch(() => undefined);
  const advice = 'check schema_registry_url, or unset it: only other tools need the registry';
  if (answer === undefined) return fail('registry', `${shownUrl(url)} does not answer`, advice);
  if (!answer.ok) return fail('registry', `${shownUrl(url)} answers ${answer.status}`, advice);
  return ok('registry', `${shownUrl(url)} answers`);
}

export async function checkClickHouse(config: Config, clocks: ClockSample[]): Promise<Finding> {
  const { analyticsEnabled, clickhouseUrl: url } = config;
  if (!analyticsEnabled) return ok('clickhouse', 'analytics is off');
  if (url === undefined) return ok('clickhouse', 'the embedded engine (chdb)');
  const ping = fetchable(new URL('/ping', url).href);
  const ask = () => fetch(ping.url, { headers: ping.headers, signal: AbortSignal.timeout(REQUEST_LIMIT_MS) });
  try {
    const answer = await timed(url, clocks, ask);
    if (answer.ok) return ok('clickhouse', `${shownUrl(url)} answers`);
    return fail('clickhouse', `${shownUrl(url)} answers ${answer.status}`, 'check clickhouse_url');
  } catch (error) {
    const advice = 'check clickhouse_url: until it answers analytics waits, and everything else goes on';
    return warn('clickhouse', `${shownUrl(url)} does not answer: ${reasonOf(error)}`, advice);
  }
}

export async function checkL1(config: Config, clocks: ClockSample[]): Promise<Finding[]> {
  const { generalL1RpcUrl: url, genesisBridgehubAddress: bridgehub, nodeRole } = config;
  if (url === undefined)
    return [
      ok(
        'L1',
        nodeRole === 'main' ? 'none: development deposits' : 'none: priority transactions are not compared with L1',
      ),
    ];
  if (!url.startsWith('http')) return [ok('L1', `${shownUrl(url)} is a WebSocket: not tried`)];
  const advice = 'check general_l1_rpc_url';
  try {
    const chainId = Number(await rpcResult(url, clocks, 'eth_chainId'));
    const block = Number(await rpcResult(url, clocks, 'eth_blockNumber'));
    const findings = [ok('L1', `${shownUrl(url)} answers: chain ${chainId}, block ${block}`)];
    if (nodeRole === 'main' && bridgehub !== undefined) {
      const address = toHex(bridgehub);
      const code = await rpcResult(url, clocks, 'eth_getCode', [address, 'latest']);
      findings.push(
        code === '0x'
          ? fail(
              'L1',
              `there is no contract at the bridgehub address ${address}`,
              'set genesis_bridgehub_address to the Bridgehub of this L1',
            )
          : ok('L1', `bridgehub ${address}`),
      );
    }
    return findings;
  } catch (error) {
    return [fail('L1', `${shownUrl(url)} does not answer: ${reasonOf(error)}`, advice)];
  }
}

export async function checkMainNode(config: Config, clocks: ClockSample[]): Promise<Finding> {
  const { generalMainNodeRpcUrl: url, nodeRole } = config;
  if (nodeRole === 'main') return ok('main node', 'this is one');
  if (url === undefined)
    return warn(
      'main node',
      'none is configured',
      'set general_main_node_rpc_url: without it submitted transactions are refused',
    );
  try {
    const chainId = BigInt(String(await rpcResult(url, clocks, 'eth_chainId')));
    if (chainId !== configuredChainId(config))
      return fail(
        'main node',
        `${shownUrl(url)} serves chain ${chainId}, this node is of chain ${configuredChainId(config)}`,
        'check general_main_node_rpc_url and genesis_chain_id',
      );
    return ok('main node', `${shownUrl(url)} answers`);
  } catch (error) {
    return fail('main node', `${shownUrl(url)} does not answer: ${reasonOf(error)}`, 'check general_main_node_rpc_url');
  }
}

/** `fetch failed` has the reason below. */
function reasonOf(error: unknown): string {
  const inner = error instanceof Error ? error.cause : undefined;
  const code = inner instanceof Error && 'code' in inner ? String(inner.code) : undefined;
  return code === undefined ? errorText(error) : `${errorText(error)} (${code})`;
}

async function rpcResult(
  url: string,
  clocks: ClockSample[],
  method: string,
  params: readonly unknown[] = [],
): Promise<unknown> {
  const plain = fetchable(url);
  const answer = await timed(url, clocks, () =>
    fetch(plain.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...plain.headers },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
    }),
  );
  const { result, error } = (await answer.json()) as {
    readonly result?: unknown;
    readonly error?: { message: string };
  };
  if (error !== undefined) throw new Error(`${method}: ${error.message}`);
  return result;
}

/** Keeps what the answer's Date header says of the clock there. */
async function timed(url: string, clocks: ClockSample[], ask: () => Promise<Response>): Promise<Response> {
  const source = shownUrl(url);
  const before = Date.now();
  const answer = await ask();
  const date = Date.parse(answer.headers.get('date') ?? '');
  if (Number.isNaN(date) || clocks.some((sample) => sample.source === source)) return answer;
  clocks.push({ source, aheadMs: date + DATE_STEP_MS / 2 - (before + Date.now()) / 2 });
  return answer;
}

/** @param steppedMs how much the wall clock moved against the monotonic one while doctor looked */
export function checkClock(clocks: readonly ClockSample[], steppedMs: number): Finding[] {
  const advice = 'keep the clock with NTP: it dates blocks, and JSON-RPC clients look at it';
  const findings = clocks.map(({ source, aheadMs }) => {
    const off = Math.max(0, Math.abs(aheadMs) - DATE_STEP_MS / 2);
    const text = `${(off / 1_000).toFixed(1)} s ${aheadMs > 0 ? 'behind' : 'ahead of'} ${source}`;
    if (off > SKEW_FAIL_MS) return fail('clock', text, advice);
    return off > SKEW_WARN_MS ? warn('clock', text, advice) : ok('clock', off === 0 ? `as ${source}` : text);
  });
  if (clocks.length === 0) findings.push(ok('clock', 'nobody to compare with'));
  if (Math.abs(steppedMs) > SKEW_WARN_MS / 5)
    findings.push(warn('clock', `was set by ${(steppedMs / 1_000).toFixed(1)} s just now`, advice));
  return findings;
}
