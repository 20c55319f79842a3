import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeError } from '../../src/common/errors.ts';
import { silentLogger } from '../../src/common/logger.ts';
import { Shutdown, crashDumper, exitCodeOf } from '../../src/common/shutdown.ts';
import { FakeClock } from '../support/fakeClock.ts';

class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];

  exit(code: number): void {
    this.exits.push(code);
  }
}

function setUp() {
  const process = new FakeProcess();
  const clock = new FakeClock();
  const dumped: unknown[] = [];
  const warnings: unknown[] = [];
  const shutdown = new Shutdown({
    logger: { ...silentLogger, warn: (_context: unknown, message?: string) => warnings.push(message) },
    process,
    clock,
    dump: (error) => {
      dumped.push(error);
      return 'dump.json';
    },
  });
  shutdown.install();
  return { process, clock, dumped, warnings, shutdown };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const error = (kind: 'retryable' | 'fatal' | 'invariant'): NodeError => new NodeError(kind, kind, { code: 'X' });

describe('Shutdown', () => {
  it('tells exit codes by kind', () => {
    assert.equal(exitCodeOf(undefined), 0);
    assert.equal(exitCodeOf(error('retryable')), 75);
    assert.equal(exitCodeOf(error('fatal')), 1);
    assert.equal(exitCodeOf(error('invariant')), 1);
    assert.equal(exitCodeOf(new Error('plain')), 1);
  });

  it('closes in reverse order on a signal and exits with 0', async () => {
    const { process, shutdown } = setUp();
    const closed: string[] = [];
    for (const name of ['store', 'log', 'rpc']) {
      shutdown.onClose(name, async () => {
        assert.equal(shutdown.signal.aborted, true);
        await turn();
        closed.push(name);
      });
    }
    process.emit('SIGTERM');
    assert.equal(shutdown.isEnding, true);
    assert.equal(await shutdown.done, 0);
    assert.deepEqual(closed, ['rpc', 'log', 'store']);
    assert.deepEqual(process.exits, [0]);
    assert.equal(process.listenerCount('SIGTERM'), 0);
  });

  it('ignores repeats of a signal for a second and is forced by a later one', async () => {
    const { process, clock, shutdown } = setUp();
    shutdown.onClose('stuck', () => new Promise(() => undefined));
    process.emit('SIGINT');
    clock.advance(4);
    process.emit('SIGINT');
    clock.advance(995);
    process.emit('SIGTERM');
    await turn();
    assert.deepEqual(process.exits, []);
    clock.advance(1);
    process.emit('SIGINT');
    assert.equal(await shutdown.done, 130);
    assert.deepEqual(process.exits, [130]);
  });

  it('forces the exit after 30 seconds', async () => {
    const { process, clock, shutdown } = setUp();
    shutdown.onClose('stuck', () => new Promise(() => undefined));
    process.emit('SIGTERM');
    await turn();
    clock.advance(29_999);
    assert.deepEqual(process.exits, []);
    clock.advance(1);
    assert.equal(await shutdown.done, 1);
  });

  it('goes on when a part does not close, and says so with its exit code', async () => {
    const { process, clock, shutdown } = setUp();
    const closed: string[] = [];
    shutdown.onClose('last', () => void closed.push('last'));
    shutdown.onClose('broken', () => Promise.reject(new Error('broken')));
    process.emit('SIGTERM');
    assert.equal(await shutdown.done, 1);
    assert.deepEqual(closed, ['last']);
    assert.equal(clock.untilNext, undefined);
  });

  it('ends with the code of the first error and only once', async () => {
    const { process, shutdown } = setUp();
    let closes = 0;
    shutdown.onClose('part', () => void closes++);
    const first = error('retryable');
    shutdown.end(first);
    shutdown.end(error('fatal'));
    process.emit('SIGTERM');
    assert.equal(await shutdown.done, 75);
    assert.equal(shutdown.signal.reason, first);
    assert.equal(closes, 1);
    assert.deepEqual(process.exits, [75]);
  });

  it('tells each further error once, and none that the end itself made', async () => {
    const { warnings, shutdown } = setUp();
    const first = error('retryable');
    shutdown.end(first);
    shutdown.end(new NodeError('retryable', first.message, { code: 'X' }));
    shutdown.further(new Error('no answer', { cause: first }), 'a part did not close');
    assert.deepEqual(warnings, []);
    for (let i = 0; i < 2; i += 1) shutdown.further(new Error('another'), 'a part did not close');
    shutdown.end(error('fatal'));
    await shutdown.done;
    assert.deepEqual(warnings, ['a part did not close', 'a further error while stopping']);
  });

  it('tells nothing of what a stop without an error cuts off', async () => {
    const { warnings, shutdown } = setUp();
    shutdown.end();
    shutdown.end(new Error('L1 does not answer', { cause: shutdown.signal.reason }));
    await shutdown.done;
    assert.deepEqual(warnings, []);
  });

  it('drains on an uncaught error that has a kind', async () => {
    const { process, shutdown, dumped } = setUp();
    process.emit('unhandledRejection', error('retryable'));
    assert.equal(await shutdown.done, 75);
    assert.deepEqual(dumped, []);
  });

  it('dumps and leaves at once on what cannot be', async () => {
    for (const [event, thrown] of [
      ['uncaughtException', new TypeError('x is undefined')],
      ['unhandledRejection', error('invariant')],
      ['end', error('invariant')],
    ] as const) {
      const { process, shutdown, dumped } = setUp();
      shutdown.onClose('part', () => assert.fail('closed'));
      if (event === 'end') shutdown.end(thrown);
      else process.emit(event, thrown);
      assert.equal(await shutdown.done, 1, event);
      assert.deepEqual(dumped, [thrown], event);
      assert.deepEqual(process.exits, [1], event);
    }
  });

  it('leaves at once when an invariant breaks while draining', async () => {
    const { process, shutdown, dumped } = setUp();
    shutdown.onClose('stuck', () => new Promise(() => undefined));
    process.emit('SIGTERM');
    shutdown.end(error('invariant'));
    assert.equal(await shutdown.done, 1);
    assert.equal(dumped.length, 1);
    assert.deepEqual(process.exits, [1]);
  });
});

describe('crashDumper', () => {
  const directory = mkdtempSync(join(tmpdir(), 'reprise-dump-'));
  after(() => rmSync(directory, { recursive: true }));

  it('writes what is known and keeps the newest twenty', () => {
    const clock = new FakeClock();
    const dump = crashDumper(join(directory, 'dumps'), () => ({ height: 5n }), clock);
    let last: string | undefined;
    for (let i = 0; i < 25; i++) {
      last = dump(error('invariant'));
      clock.advance(1_000);
    }
    assert.equal(readdirSync(join(directory, 'dumps')).length, 20);
    const content = JSON.parse(readFileSync(last ?? '', 'utf8')) as { error: { facts: unknown }; context: unknown };
    assert.deepEqual(content.error.facts, { code: 'X' });
    assert.deepEqual(content.context, { height: '5' });
  });

  it('never throws', () => {
    const dump = crashDumper('/dev/null/impossible', () => ({}));
    assert.match(dump(new Error('x')) ?? '', /^no dump: /);
  });
});
