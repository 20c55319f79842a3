/** The machine under Ethereum's rules against the public suites: a sample of every folder of GeneralStateTests. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXCEPTIONS_MAX, readExceptions, SuiteReport } from './exceptions.ts';
import { stateTestDifference } from './stateTest.ts';
import { stateTestCases } from './stateTestFile.ts';
import { stateTestVerdicts } from './stateTestWorker.ts';
import { suiteFiles } from './suiteFiles.ts';

const suite = fileURLToPath(new URL('../fixtures/ethereum-tests/GeneralStateTests', import.meta.url));
const script = fileURLToPath(new URL('runStateTests.ts', import.meta.url));
const SAMPLE = join(suite, 'stExample/add11_yml.json');

describe('GeneralStateTests', function () {
  this.timeout(60_000);

  for (const folder of readdirSync(suite)) {
    it(folder, async () => {
      const lines: string[] = [];
      const report = new SuiteReport((line) => lines.push(line));
      for (const file of suiteFiles([join(suite, folder)])) {
        for (const { name, difference } of await stateTestVerdicts(file)) report.add(name, difference);
      }
      const failed = lines.filter((line) => line.startsWith('FAILED'));
      assert.deepEqual(failed, []);
      assert.ok(report.passed > 0);
    });
  }
});

describe('state tests as a command', function () {
  this.timeout(60_000);
  let folder = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'statetest-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (...paths: readonly string[]): { status: number | null; lines: readonly string[] } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...paths], { encoding: 'utf8' });
    return { status, lines: `${stdout}${stderr}`.trim().split('\n') };
  };

  it('counts, and names what fails with its first difference', () => {
    const text = readFileSync(SAMPLE, 'utf8');
    const [testCase] = stateTestCases(SAMPLE, 'add11_yml.json');
    assert.ok(testCase !== undefined);
    const root = Buffer.from(testCase.stateRoot).toString('hex');
    const logs = Buffer.from(testCase.logsHash).toString('hex');
    writeFileSync(join(folder, 'good.json'), text);
    writeFileSync(join(folder, 'logs.json'), text.replace(logs, '00'.repeat(32)));
    writeFileSync(join(folder, 'root.json'), text.replace(root, '11'.repeat(32)));
    writeFileSync(
      join(folder, 'valid.json'),
      text.replace('"hash" :', '"expectException" : "TransactionException.NONCE_IS_MAX", "hash" :'),
    );
    writeFileSync(join(folder, 'wrong.json'), 'not JSON');
    const { status, lines } = run(folder);
    assert.equal(status, 1);
    assert.equal(lines.at(-1), '1 passed, 4 failed');
    const of = (name: string): string => lines.find((line) => line.includes(name)) ?? '';
    assert.match(of('logs.json'), /^FAILED logs.json add11_yml 0\/0\/0: logs hash: 0x/);
    assert.match(of('root.json'), /: state root: 0x.*expected 0x1111.*gas used \d+/);
    assert.match(of('valid.json'), /: exception: none, expected NONCE_IS_MAX$/);
    assert.match(of('wrong.json'), /cannot be read/);
  });

  it('succeeds when all pass, and not when nothing ran', () => {
    assert.deepEqual(run(SAMPLE), { status: 0, lines: ['1 passed, 0 failed'] });
    assert.equal(run(folder).status, 1);
    assert.equal(run().status, 1);
    assert.notEqual(run(join(folder, 'absent')).status, 0);
  });
});

describe('expected exceptions', () => {
  const invalid = join(suite, 'stExample/invalidTr.json');

  it('must be the right ones', async () => {
    const cases = stateTestCases(invalid, 'invalidTr.json');
    assert.ok(cases.length > 0);
    for (const testCase of cases) {
      assert.equal(await stateTestDifference(testCase), undefined);
      assert.match(
        (await stateTestDifference({ ...testCase, errors: ['NONCE_IS_MAX'] })) ?? '',
        /exception: INTRINSIC_GAS_TOO_LOW/,
      );
      assert.equal(await stateTestDifference({ ...testCase, errors: ['TR_IntrinsicGas'] }), undefined);
      assert.match((await stateTestDifference({ ...testCase, errors: [] })) ?? '', /expected none/);
      assert.match((await stateTestDifference({ ...testCase, stateRoot: new Uint8Array(32) })) ?? '', /state root/);
    }
  });
});

describe('exceptions of the suites', () => {
  it('are few, and each has its rule', () => {
    const exceptions = readExceptions();
    assert.ok(exceptions.length <= EXCEPTIONS_MAX);
    assert.equal(new Set(exceptions.map(({ name }) => name)).size, exceptions.length);
    for (const { name, rule } of exceptions) assert.ok(name.length > 0 && rule.length > 20, name);
  });

  it('are not failures, unless they pass', () => {
    const lines: string[] = [];
    const report = new SuiteReport((line) => lines.push(line), [{ name: 'a.json x 0/0/0', rule: 'because' }]);
    report.add('folder/a.json x 0/0/0', 'gas');
    assert.deepEqual([report.passed, report.failed, report.excepted], [0, 0, 1]);
    report.add('a.json x 0/0/0', undefined);
    report.add('a.json x 1/0/0', 'gas');
    report.add('ba.json x 0/0/0', undefined);
    assert.equal(report.summary(), '1 passed, 2 failed');
    assert.deepEqual(lines, [
      'exception folder/a.json x 0/0/0: because',
      'FAILED a.json x 0/0/0: passes, but is listed as an exception',
      'FAILED a.json x 1/0/0: gas',
    ]);
  });
});
