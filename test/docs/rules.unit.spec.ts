/** docs/rules.md cannot rot: its files are there, its tests are tests. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Row {
  readonly section: string;
  readonly code: string;
  readonly testFile: string;
  readonly title: string;
}

/** Rows of the tables: section, rule, code, test file, test. */
function rowsOf(markdown: string): Row[] {
  return markdown
    .split('\n')
    .filter((line) => /^\| \d/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, section = '', , code = '', testFile = '', title = '']) => ({
      section,
      code: `src/${code.replaceAll('`', '')}.ts`,
      testFile: `test/${testFile.replaceAll('`', '')}.unit.spec.ts`,
      title,
    }));
}

/** Titles by file, as mocha would run them: also those that a table makes. */
function titlesOf(files: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const mocha = `${ROOT}node_modules/mocha/bin/mocha.js`;
  const parameters = [mocha, '--dry-run', '--reporter', 'json', ...files.flatMap((file) => ['--spec', file])];
  const run = spawnSync(process.execPath, parameters, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26 });
  assert.equal(run.status, 0, run.stderr);
  // What the json reporter writes.
  const report = JSON.parse(run.stdout) as { tests: readonly { readonly title: string; readonly file: string }[] };
  const titles = new Map<string, Set<string>>();
  for (const { title, file } of report.tests) {
    const name = file.slice(ROOT.length);
    titles.set(name, (titles.get(name) ?? new Set()).add(title));
  }
  return titles;
}

/** What is wrong with the table, as text. */
function problemsOf(rows: readonly Row[], titles: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return rows.flatMap(({ section, code, testFile, title }) => [
    ...(existsSync(`${ROOT}${code}`) ? [] : [`${section}: there is no ${code}`]),
    ...(titles.get(testFile)?.has(title) === true ? [] : [`${section}: ${testFile} has no test "${title}"`]),
  ]);
}

describe('docs/rules.md', () => {
  const rows = rowsOf(readFileSync(`${ROOT}docs/rules.md`, 'utf8'));
  let titles: ReadonlyMap<string, ReadonlySet<string>>;

  before(() => {
    titles = titlesOf(
      [...new Set(rows.map(({ testFile }) => testFile))].filter((file) => existsSync(`${ROOT}${file}`)),
    );
  });

  it('has rows for every chapter of execution and native', () => {
    assert.ok(rows.length > 250, `${rows.length}`);
    const sections = new Set(rows.map(({ section }) => section.split('.')[0]));
    for (let chapter = 1; chapter <= 13; chapter += 1) assert.ok(sections.has(String(chapter)), `chapter ${chapter}`);
  });

  it('names files that are there and tests that run', () => {
    assert.deepEqual(problemsOf(rows, titles), []);
  });

  it('would name a file that is gone and a test that is renamed', () => {
    const [row] = rows;
    assert.ok(row !== undefined);
    assert.equal(problemsOf([{ ...row, code: 'src/vm/nothing.ts' }], titles).length, 1);
    assert.equal(problemsOf([{ ...row, title: 'no such test' }], titles).length, 1);
    assert.equal(problemsOf([{ ...row, testFile: 'test/vm/nothing.unit.spec.ts' }], titles).length, 1);
  });
});
