import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runConformance } from './runner.ts';
import type { ConformanceResult } from './runner.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const vectors = join(root, 'test/fixtures/vectors');

/** Settlement files whose rules are not part of the node yet. */
const LATER = [
  'fri-envelope',
  'fri-jobs',
  'gapless-committer',
  'l1-reverts',
  'lifecycle',
  'proof-encoding',
  'prover-input',
  'snark-fold',
  'snark-queue',
].map((name) => `settlement-${name}.json`);

function run(
  folder: string,
  leaveOut: readonly string[] = [],
): ConformanceResult & { readonly lines: readonly string[] } {
  const lines: string[] = [];
  const result = runConformance({ folder, leaveOut, print: (line) => lines.push(line) });
  return { ...result, lines };
}

interface CliRun {
  readonly status: number | null;
  readonly output: string;
}

function cli(main: string, ...args: readonly string[]): CliRun {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

describe('conformance', () => {
  let folder = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** A folder of vectors with these files, taken over from the fixtures and changed by `edit`. */
  function vectorFolder(files: Readonly<Record<string, (text: string) => string>>): string {
    for (const [path, edit] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), edit(readFileSync(join(vectors, path), 'utf8')));
    }
    return folder;
  }

  it('passes all vectors but settlement', () => {
    const result = run(vectors, ['settlement-*']);
    assert.deepEqual(
      result.lines.filter((line) => line.startsWith('FAILED')),
      [],
    );
    assert.equal(result.failed, 0);
    assert.equal(result.passed, 200);
    assert.ok(
      result.lines.includes('left out pubdata/account_deployment.json: background, not a rule of this version'),
    );
    assert.ok(result.lines.includes('left out settlement-lifecycle.json: by request (settlement-*)'));
  });

  it('passes the settlement vectors whose rules are there, and counts the others as failed', () => {
    const covered = run(vectors, LATER);
    assert.equal(covered.failed, 0);
    assert.equal(covered.passed, 200 + 71);
    const all = run(vectors);
    assert.equal(all.passed, covered.passed);
    assert.equal(all.failed, LATER.length);
  });

  it('counts an unknown file as failed', () => {
    writeFileSync(join(vectorFolder({ 'tx/legacy.json': (text) => text }), 'tx/new_kind.json'), '{}');
    const { passed, failed, lines } = run(folder);
    assert.deepEqual({ passed, failed }, { passed: 1, failed: 1 });
    assert.ok(lines.some((line) => line.startsWith('FAILED tx/new_kind.json')));
  });

  it('counts unknown fields, changed values, unreadable and empty files, and an empty folder as failed', () => {
    const files: Readonly<Record<string, (text: string) => string>> = {
      'tx/legacy.json': (text) => text.replace('"raw"', '"more": 1, "raw"'),
      'abi/events_and_selectors.json': (text) => text.replace('0x62f84b24', '0x62f84b25'),
      'pubdata/value_diff.json': () => 'no JSON',
      'header/real_headers_15_19.json': () => '{"headers": []}',
    };
    for (const [path, edit] of Object.entries(files)) {
      rmSync(folder, { recursive: true, force: true });
      assert.equal(run(vectorFolder({ [path]: edit })).failed, 1, path);
    }
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    assert.deepEqual({ ...run(folder), lines: [] }, { passed: 0, failed: 1, lines: [] });
  });

  it('counts a record without its decode as failed', () => {
    mkdirSync(join(folder, 'replay'));
    cpSync(join(vectors, 'replay/encoded_replay_v1.bin'), join(folder, 'replay/encoded_replay_v1.bin'));
    assert.equal(run(folder).failed, 1);
  });

  it('reads integers exactly that do not fit a JavaScript number', () => {
    const wide = run(
      vectorFolder({
        'tx/legacy.json': (text) => text.replace(/"chain_id": ?\d+/, '"chain_id": 18446744073709551615'),
      }),
    );
    assert.equal(wide.failed, 1);
    assert.ok(wide.lines.some((line) => line.includes('18446744073709551615n')));
  });

  it('ends with a line of counts and an exit code', () => {
    const main = join(root, 'test/conformance/main.ts');
    const good = cli(main, vectors, '--leave-out', 'settlement-*');
    assert.equal(good.status, 0);
    assert.equal(good.output.trimEnd().split('\n').at(-1), '200 passed, 0 failed');
    const bad = cli(main, vectors);
    assert.equal(bad.status, 1);
    assert.equal(bad.output.trimEnd().split('\n').at(-1), `271 passed, ${LATER.length} failed`);
    for (const args of [[], [vectors, vectors], ['--unknown', vectors]]) {
      const { status, output } = cli(main, ...args);
      assert.equal(status, 1);
      assert.match(output, /^usage:/);
    }
  });

  describe('of a changed program', () => {
    let copy = '';

    before(function () {
      this.timeout(10_000);
      copy = mkdtempSync(join(tmpdir(), 'conformance-program-'));
      cpSync(join(root, 'src'), join(copy, 'src'), { recursive: true });
      cpSync(join(root, 'test/conformance'), join(copy, 'test/conformance'), { recursive: true });
      cpSync(join(root, 'package.json'), join(copy, 'package.json'));
      symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    });

    after(() => {
      rmSync(copy, { recursive: true, force: true });
    });

    const CHANGES: readonly (readonly [name: string, file: string, from: string, to: string])[] = [
      ['the order of the words of an address', 'stateKey.ts', 'b.address, 12, 20)', 'b.address, 16, 20)'],
      ['the space of the account records', 'systemAddresses.ts', '0x8003', '0x8004'],
      ['the code version of contracts', 'accountRecord.ts', 'Uint8Array.of(1, 1, 1, 0', 'Uint8Array.of(1, 1, 0, 0'],
      ['the byte order of links in leaves', 'stateTree.ts', 'BigInt(leaf.next), true)', 'BigInt(leaf.next), false)'],
      ['the bloom of a hashed header', 'blockHeader.ts', '{ bloom: false }', '{ bloom: true }'],
      ['the gas limit of block 0', 'genesis.ts', 'gasLimit: 5_000n', 'gasLimit: 5_001n'],
      ['the minimum size of the log tree', 'logTree.ts', '16_384', '8_192'],
      ['the preferred value diff', 'pubdata.ts', 'if (plainLength < length)', 'if (plainLength <= length)'],
      [
        'the first word of an ABI form',
        'transactionCodec.ts',
        'writeU256(view, 0, BigInt(WORD))',
        'writeU256(view, 0, 0n)',
      ],
      ['a status byte', 'blockOutputHash.ts', 'result.success ? 1 : 0', 'result.success ? 2 : 0'],
    ];
    for (const [name, file, from, to] of CHANGES) {
      it(`fails when ${name} changes`, () => {
        const path = join(copy, 'src/protocol', file);
        const source = readFileSync(path, 'utf8');
        assert.ok(source.includes(from), `${file} does not hold ${JSON.stringify(from)}`);
        writeFileSync(path, source.replace(from, to));
        try {
          const { status, output } = cli(
            join(copy, 'test/conformance/main.ts'),
            vectors,
            '--leave-out',
            'settlement-*',
          );
          assert.equal(status, 1);
          assert.match(output, /\n\d+ passed, [1-9]\d* failed\n$/);
        } finally {
          writeFileSync(path, source);
        }
      });
    }

    it('passes again without a change', () => {
      assert.equal(cli(join(copy, 'test/conformance/main.ts'), vectors, '--leave-out', 'settlement-*').status, 0);
    });
  });
});
