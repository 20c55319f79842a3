import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { executeBlock } from '../../src/commands/executeBlock.ts';
import { parseExecuteInput } from '../../src/commands/executeInput.ts';
import { executedBlockToJson } from '../../src/commands/executeOutput.ts';
import { toHex } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { encodeAccountRecord, EMPTY_ACCOUNT_RECORD, StoredAccountRecord } from '../../src/protocol/accountRecord.ts';
import { ABSENT } from '../../src/vm/loadedState.ts';
import { EXAMPLES, exampleInput } from '../execute/examples.ts';
import { EXAMPLE_FOLDER, executeExample, inputPath, outputPath } from '../execute/fixture.ts';
import { anAddress, aWord, fromL1 } from '../support/factories.ts';
import { loadedSlot } from '../support/loadedSlot.ts';

const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

const CONTEXT = {
  chain_id: 270,
  block_number: '0x1',
  timestamp: '1700000000',
  eip1559_basefee: '1000',
  pubdata_price: '1',
  native_price: '1',
  coinbase: toHex(anAddress(0xc01bba5e)),
  gas_limit: '100000000',
  pubdata_limit: 110_000,
};

/** A document with one thing changed: undefined removes it. */
function aDocument(changes: Record<string, unknown> = {}, context: Record<string, unknown> = {}): string {
  return JSON.stringify({ prestate: {}, context: { ...CONTEXT, ...context }, transactions: [], ...changes });
}

describe('execute', () => {
  const names = Object.keys(EXAMPLES);

  it('has at least 20 examples, each with what it must come to', () => {
    assert.ok(names.length >= 20);
    const files = names.flatMap((name) => [`${name}.expected.json`, `${name}.json`]);
    assert.deepEqual(readdirSync(EXAMPLE_FOLDER).sort(), files.sort());
  });

  for (const name of names) {
    it(`example ${name}`, async () => {
      const example = EXAMPLES[name];
      assert.ok(example !== undefined);
      assert.deepEqual(json(inputPath(name)), await exampleInput(example), 'the file is the block of examples.ts');
      const executed = executedBlockToJson(`${name}.json`, await executeExample(name));
      assert.deepEqual(JSON.parse(JSON.stringify(executed)), json(outputPath(name)));
    });
  }

  it('reads accounts, records, slots, preimages, defaults and short rings', () => {
    const address = anAddress(0xabc);
    const other = anAddress(0xdef);
    const record = encodeAccountRecord({ ...EMPTY_ACCOUNT_RECORD, nonce: 9n });
    const { state, context } = parseExecuteInput(
      aDocument(
        {
          prestate: {
            accounts: { [toHex(address)]: { nonce: 9, code: '0x' }, [toHex(other)]: { record: toHex(record) } },
            slots: { [toHex(address)]: { [toHex(aWord(1))]: toHex(aWord(0)) } },
          },
        },
        { block_hashes: [toHex(aWord(5))] },
      ),
      'a.json',
    );
    assert.deepEqual(state.account(address), new StoredAccountRecord(record), 'no code is no code');
    assert.deepEqual(state.account(other), new StoredAccountRecord(record));
    assert.equal(state.account(anAddress(1)), ABSENT);
    assert.deepEqual(loadedSlot(state, address, aWord(1)), aWord(0), 'a zero exists');
    assert.equal(loadedSlot(state, address, aWord(2)), ABSENT);
    assert.equal(context.blockHashes.length, 256);
    assert.deepEqual(context.blockHashes.at(-1), aWord(5));
    assert.deepEqual([context.blockNumber, context.mixHash, context.executionVersion], [1n, 0n, 3]);
  });

  it('names the file and the place of what is malformed', () => {
    const address = toHex(anAddress(1));
    const cases: readonly (readonly [string, string])[] = [
      ['{', '$'],
      ['[]', '$'],
      [aDocument({ more: 1 }), '$.more'],
      [aDocument({ prestate: { acounts: {} } }), '$.prestate.acounts'],
      [aDocument({ transactions: ['0x1'] }), '$.transactions[0]'],
      [aDocument({ transactions: [7] }), '$.transactions[0]'],
      [aDocument({ transactions: undefined }), '$.transactions'],
      [aDocument({}, { chain_id: undefined }), '$.context.chain_id'],
      [aDocument({}, { gas_limit: (1n << 64n).toString() }), '$.context.gas_limit'],
      [aDocument({}, { timestamp: -1 }), '$.context.timestamp'],
      [aDocument({}, { timestamp: 2 ** 53 }), '$.context.timestamp'],
      [aDocument({}, { timestamp: '1e9' }), '$.context.timestamp'],
      [aDocument({}, { coinbase: '0x00' }), '$.context.coinbase'],
      [aDocument({}, { execution_version: 4 }), '$.context.execution_version'],
      [aDocument({}, { block_hashes: Array.from({ length: 257 }, () => toHex(aWord(1))) }), '$.context.block_hashes'],
      [aDocument({ prestate: { accounts: { '0x01': {} } } }), '$.prestate.accounts["0x01"]'],
      [
        aDocument({ prestate: { accounts: { [address]: { record: '0x00' } } } }),
        `$.prestate.accounts["${address}"].record`,
      ],
      [
        aDocument({ prestate: { accounts: { [address]: { record: '0x00', nonce: 1 } } } }),
        `$.prestate.accounts["${address}"].nonce`,
      ],
      [
        aDocument({ prestate: { slots: { [address]: { '0x01': toHex(aWord(1)) } } } }),
        `$.prestate.slots["${address}"]["0x01"]`,
      ],
    ];
    for (const [text, path] of cases) {
      assert.throws(
        () => parseExecuteInput(text, 'blocks/a.json'),
        (error) =>
          error instanceof NodeError &&
          error.kind === 'fatal' &&
          error.code === 'JSON_INVALID' &&
          (error.facts as { file?: unknown }).file === 'blocks/a.json' &&
          (error.facts as { path?: unknown }).path === path &&
          error.message.includes('blocks/a.json'),
        `${path} in ${text.slice(0, 120)}`,
      );
    }
  });

  it('what would stop a node ends the block and gives none', async () => {
    const unpaid = toHex(fromL1({ toMint: 1n }).transaction.raw);
    const good = toHex(fromL1().transaction.raw);
    const run = (transactions: readonly string[]) => executeBlock(parseExecuteInput(aDocument({ transactions }), 'a'));
    const stopped = await run([good, unpaid, good]);
    assert.deepEqual(
      stopped.attempts.map((attempt) => attempt.status),
      ['included', 'fatal', 'notTried'],
    );
    assert.equal(stopped.output, undefined);
    const [, fatal] = stopped.attempts;
    assert.ok(fatal?.status === 'fatal' && fatal.code === 'VM_L1_TRANSACTION_INVALID');
    assert.equal((await run(['0x7f00'])).attempts[0]?.status, 'fatal', 'a request of L1 cannot be passed over');
    const small = parseExecuteInput(aDocument({ transactions: [good] }, { pubdata_limit: 87 }), 'a');
    const [tooLarge] = (await executeBlock(small)).attempts;
    assert.ok(tooLarge?.status === 'fatal' && tooLarge.code === 'L1_TRANSACTION_TOO_LARGE');
  });

  it('a transaction too large for any block is passed over while the block is empty', async () => {
    const { attempts, sealReason, output } = await executeBlock(
      parseExecuteInput(
        JSON.stringify({
          ...(json(inputPath('15-seal-pubdata')) as object),
          context: { ...CONTEXT, pubdata_limit: 112 },
        }),
        'a',
      ),
    );
    assert.deepEqual(
      attempts.map(({ status }) => status),
      ['full', 'full'],
    );
    assert.equal(sealReason, 'Replay');
    assert.equal(output, undefined, 'there is no empty block');
  });

  it('the command prints a line for each file that can be run, and says which cannot', () => {
    const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
    const missing = `${EXAMPLE_FOLDER}missing.json`;
    const files = [inputPath('01-transfer'), missing, inputPath('02-deposit')];
    const result = spawnSync(process.execPath, [main, 'execute', ...files], { encoding: 'utf8' });
    const lines = result.stdout.trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { file: string }).file),
      [files[0], files[2]],
    );
    assert.ok(result.stderr.includes(missing), result.stderr);
    assert.equal(result.status, 1);
  });
});
