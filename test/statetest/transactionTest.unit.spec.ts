/** The node's decoders against the public suites: a sample of every folder of TransactionTests, and RLPTests. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SuiteReport } from './exceptions.ts';
import { suiteFiles } from './suiteFiles.ts';
import { transactionTests } from './transactionTest.ts';

const suites = fileURLToPath(new URL('../fixtures/ethereum-tests', import.meta.url));

describe('TransactionTests and RLPTests', () => {
  const folders = [
    'RLPTests',
    ...readdirSync(join(suites, 'TransactionTests')).map((name) => `TransactionTests/${name}`),
  ];
  for (const folder of folders) {
    it(folder, () => {
      const lines: string[] = [];
      const report = new SuiteReport((line) => lines.push(line));
      for (const { path, name } of suiteFiles([join(suites, folder)]))
        for (const test of transactionTests(path, name)) report.add(test.name, test.run());
      assert.deepEqual(
        lines.filter((line) => line.startsWith('FAILED')),
        [],
      );
      assert.ok(report.passed > 0);
    });
  }

  it('tell what is wrong', () => {
    const folder = mkdtempSync(join(tmpdir(), 'txtest-'));
    try {
      const differences = (file: string, edit: (text: string) => string): string[] => {
        const path = join(folder, 'changed.json');
        writeFileSync(path, edit(readFileSync(join(suites, file), 'utf8')));
        return transactionTests(path, 'changed.json').map((test) => test.run() ?? 'passed');
      };
      const valid = 'TransactionTests/ttRSValue/TransactionWithRvalue1.json';
      assert.deepEqual(
        differences(valid, (text) => text),
        ['passed'],
      );
      const [sender] = differences(valid, (text) => text.replaceAll(/"sender" : "0x../g, '"sender" : "0xzz'));
      assert.match(sender ?? '', /^sender: 0x/);
      const [hash] = differences(valid, (text) => text.replaceAll(/"hash" : "0x../g, '"hash" : "0xzz'));
      assert.match(hash ?? '', /^hash: 0x/);
      const [gas] = differences(valid, (text) => text.replaceAll(/"intrinsicGas" : "0x../g, '"intrinsicGas" : "0x9'));
      assert.match(gas ?? '', /^intrinsic gas: /);
      const [refused] = differences(valid, (text) => text.replaceAll(/"hash"/g, '"exception" : "NONE", "hash"'));
      assert.match(refused ?? '', /^accepted, expected NONE/);
      assert.deepEqual(
        differences('RLPTests/invalidRLPTest.json', (text) => text.replace('"INVALID"', '"VALID"'))
          .filter((difference) => difference !== 'passed')
          .map((difference) => /^refused/.test(difference)),
        [true],
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
