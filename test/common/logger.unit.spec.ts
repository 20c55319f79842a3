import assert from 'node:assert/strict';
import { Secret } from '../../src/common/configTypes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { createLogger, loggable, silentLogger } from '../../src/common/logger.ts';
import type { LoggerOptions } from '../../src/common/logger.ts';

class Lines {
  readonly texts: string[] = [];

  write(line: string): void {
    this.texts.push(line);
  }

  get json(): Record<string, unknown>[] {
    return this.texts.map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

function jsonLogger(options: Partial<LoggerOptions> = {}) {
  const lines = new Lines();
  const logger = createLogger({
    format: 'json',
    useColor: true,
    filter: { level: 'info', components: {} },
    destination: lines,
    ...options,
  });
  return { lines, logger };
}

describe('logger', () => {
  it('writes one JSON object a line with time, level, component, message and context', () => {
    const { lines, logger } = jsonLogger({ context: { role: 'main', chain_id: 270n } });
    logger.component('sequencer').info({ blockNumber: 5, durationMs: 1.5 }, 'sealed block');
    const [line = {}] = lines.json;
    assert.match(String(line['ts']), /^\d{4}-\d\d-\d\dT.*Z$/);
    delete line['ts'];
    assert.deepEqual(line, {
      level: 'info',
      role: 'main',
      chain_id: '270',
      component: 'sequencer',
      blockNumber: 5,
      durationMs: 1.5,
      msg: 'sealed block',
    });
    assert.equal(lines.texts.length, 1);
    assert(lines.texts[0]?.endsWith('\n'));
  });

  it('names a component of a component once, by its own name', () => {
    const { lines, logger } = jsonLogger();
    logger.component('chain').child({ block: 7 }).component('log').info('read');
    assert.equal(lines.texts[0]?.match(/"component"/g)?.length, 1);
    const [line] = lines.json;
    assert.equal(line?.['component'], 'log');
    assert.equal(line?.['block'], 7);
  });

  it('writes what JSON cannot: bigint, bytes, maps, sets, errors and their causes', () => {
    const { lines, logger } = jsonLogger();
    const cause = new Error('inner');
    const err = new NodeError('fatal', 'outer', { code: 'X', height: 3n }, { cause });
    logger.error(
      {
        wei: 2n ** 70n,
        hash: Uint8Array.of(1, 255),
        calldata: new Uint8Array(100),
        m: new Map([['k', 1n]]),
        s: new Set([2n]),
        err,
      },
      'failed',
    );
    const [line = {}] = lines.json;
    assert.equal(line['wei'], '1180591620717411303424');
    assert.equal(line['hash'], '0x01ff');
    assert.equal(line['calldata'], '<100 bytes>');
    assert.deepEqual(line['m'], { k: '1' });
    assert.deepEqual(line['s'], ['2']);
    const logged = line['err'] as Record<string, unknown>;
    assert.equal(logged['message'], 'outer');
    assert.equal(logged['kind'], 'fatal');
    assert.deepEqual(logged['facts'], { code: 'X', height: '3' });
    assert.equal((logged['cause'] as Record<string, unknown>)['message'], 'inner');
    assert.match(String(logged['stack']), /logger\.unit\.spec/);
  });

  it('takes an error alone for context', () => {
    const { lines, logger } = jsonLogger();
    logger.warn({ err: 'only text' }, 'odd');
    logger.warn(new Error('bare'), 'odd');
    assert.equal(lines.json[0]?.['err'], 'only text');
    assert.equal((lines.json[1]?.['err'] as Record<string, unknown>)['message'], 'bare');
  });

  it('never shows a secret and never runs away', () => {
    const loop: Record<string, unknown> = { password: new Secret('hunter2') };
    loop['self'] = loop;
    const text = JSON.stringify(loggable(loop));
    assert(!text.includes('hunter2'));
    assert(text.includes('<nested>'));
    const url = 'URL: https://me:hunter2@l1.example/v3/hunter2?key=hunter2';
    const error = JSON.stringify(loggable(new Error('failed', { cause: new Error(`HTTP request failed.\n${url}\n`) })));
    assert(!error.includes('hunter2'), error);
    assert(error.includes('https://…@l1.example/…'), error);
    const long = loggable(Array.from({ length: 1_000 }, (_, i) => i)) as unknown[];
    assert.equal(long.length, 51);
    assert.equal(long[50], '<950 more>');
  });

  it('has levels by component, and children keep them', () => {
    const { lines, logger } = jsonLogger({ filter: { level: 'warn', components: { rpc: 'debug', log: 'silent' } } });
    logger.info('no');
    logger.component('mempool').info('no');
    logger.component('log').fatal('no');
    const rpc = logger.component('rpc');
    rpc.child({ request: 7 }).debug({ method: 'eth_call' }, 'yes');
    rpc.trace('no');
    assert.equal(rpc.isLevelEnabled('debug'), true);
    assert.equal(rpc.isLevelEnabled('trace'), false);
    assert.deepEqual(
      lines.json.map(({ msg, request, component }) => ({ msg, request, component })),
      [{ msg: 'yes', request: 7, component: 'rpc' }],
    );
  });

  it('writes lines for people without colours when the output is no terminal', () => {
    const { lines, logger } = jsonLogger({ format: 'terminal', context: { role: 'main', chain_id: 270 } });
    logger.component('sequencer').info({ blockNumber: 5 }, 'sealed block');
    const [line = ''] = lines.texts;
    assert.match(line, /INFO.*sequencer: sealed block.*"blockNumber":5/);
    assert(!line.includes('\u001b'), JSON.stringify(line));
    assert(!line.includes('chain_id'), line);
  });

  it('has a silent form', () => {
    silentLogger.component('x').child({ a: 1 }).fatal('nothing');
    assert.equal(silentLogger.isLevelEnabled('fatal'), false);
  });
});
