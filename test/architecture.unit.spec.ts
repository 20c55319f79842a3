/** Arrows between folders point one way (style: rpc, producers, consumers -> projections -> store -> protocol), and there is no cycle between files. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../src/', import.meta.url));

/** Folder -> folders of src it may import besides itself. Files directly in src (main, node) construct everything. */
const ALLOWED: Record<string, readonly string[]> = {
  common: [],
  protocol: ['common'],
  vm: ['protocol', 'common'],
  log: ['protocol', 'common'],
  store: ['vm', 'protocol', 'common'],
  projections: ['store', 'protocol', 'common'],
  genesis: ['log', 'protocol', 'common'],
  l1: ['genesis', 'protocol', 'common'],
  consumers: ['log', 'store', 'projections', 'vm', 'protocol', 'common'],
  producers: ['l1', 'log', 'store', 'projections', 'vm', 'protocol', 'common'],
  rpc: ['projections', 'vm', 'protocol', 'common'],
  workers: [
    'consumers',
    'producers',
    'l1',
    'rpc',
    'genesis',
    'log',
    'store',
    'projections',
    'vm',
    'protocol',
    'common',
  ],
  commands: [
    'workers',
    'l1',
    'consumers',
    'producers',
    'rpc',
    'genesis',
    'log',
    'store',
    'projections',
    'vm',
    'protocol',
    'common',
    '',
  ],
};

/** Packages only these folders may import. */
const OWNED_PACKAGES: Record<string, readonly string[]> = {
  kafkajs: ['log'],
  '@kafkajs/confluent-schema-registry': ['log'],
  avsc: ['log'],
  'rocksdb-native': ['store'],
  koa: ['rpc', 'common'],
  ws: ['rpc'],
  'prom-client': ['common'],
  '@clickhouse/client': ['projections'],
  chdb: ['workers'],
};

/** Pure folders do no I/O and read no clock or environment. */
const PURE = ['protocol', 'vm'];
const IMPURE =
  /\bnode:(fs|net|http|https|child_process|worker_threads|sqlite|os|timers)|\bprocess\.(env|hrtime)|\bDate\.now\(|\bMath\.random\(|\bconsole\./;

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? sourceFiles(join(folder, entry.name))
      : entry.name.endsWith('.ts')
        ? [join(folder, entry.name)]
        : [],
  );
}

function importsOf(text: string): string[] {
  return [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+'([^']+)'|\bimport\('([^']+)'\)|new URL\('(\.[^']+\.ts)'/g,
    ),
  ].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

const topFolder = (file: string): string => {
  const parts = relative(root, file).split('/');
  return parts.length === 1 ? '' : (parts[0] ?? '');
};

/** Violations of the arrows, as text. */
export function wrongArrows(files: ReadonlyMap<string, string>): string[] {
  const wrong: string[] = [];
  for (const [file, text] of files) {
    const from = topFolder(file);
    for (const target of importsOf(text)) {
      if (target.startsWith('.')) {
        const to = topFolder(normalize(join(dirname(file), target)));
        if (from !== '' && to !== from && !(ALLOWED[from] ?? []).includes(to))
          wrong.push(`${relative(root, file)} imports ${target}`);
      } else {
        const owners = OWNED_PACKAGES[target];
        if (owners !== undefined && !owners.includes(from)) wrong.push(`${relative(root, file)} imports ${target}`);
      }
    }
    const isPortOfWorker = /workers|commands/.test(from);
    if (!isPortOfWorker && PURE.includes(from) && IMPURE.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')))
      wrong.push(`${relative(root, file)} is not pure`);
  }
  return wrong;
}

/** A cycle of value imports between files; type-only imports do not count, as they leave no trace at run time. */
export function importCycle(files: ReadonlyMap<string, string>): string[] | undefined {
  const edges = new Map<string, string[]>();
  for (const [file, text] of files) {
    const values = text.replace(/(?:^|\n)\s*(?:import|export) type [^;]*;/g, '\n');
    edges.set(
      file,
      importsOf(values)
        .filter((target) => target.startsWith('.'))
        .map((target) => normalize(join(dirname(file), target)))
        .filter((target) => files.has(target)),
    );
  }
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] | undefined => {
    const at = path.indexOf(file);
    if (at >= 0) return [...path.slice(at), file].map((step) => relative(root, step));
    if (done.has(file)) return undefined;
    path.push(file);
    for (const next of edges.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of files.keys()) {
    const cycle = visit(file);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

describe('architecture', () => {
  const files = new Map(sourceFiles(root).map((file) => [file, readFileSync(file, 'utf8')]));

  it('every folder of src has its rule', () => {
    const folders = new Set([...files.keys()].map(topFolder));
    folders.delete('');
    assert.deepEqual(
      [...folders].filter((folder) => ALLOWED[folder] === undefined),
      [],
    );
  });

  it('imports follow the arrows and pure folders are pure', () => {
    assert.deepEqual(wrongArrows(files), []);
  });

  it('has no import cycle', () => {
    assert.equal(importCycle(files), undefined);
  });

  it('finds a wrong arrow, an impure rule and a cycle when there is one', () => {
    const file = (name: string): string => join(root, name);
    const wrong = wrongArrows(
      new Map([
        [file('protocol/a.ts'), "import { x } from '../store/b.ts';\n"],
        [file('store/b.ts'), "import { Kafka } from 'kafkajs';\n"],
        [file('vm/c.ts'), 'export const now = Date.now();\n'],
      ]),
    );
    assert.equal(wrong.length, 3);
    const cycle = importCycle(
      new Map([
        [file('vm/a.ts'), "import { b } from './b.ts';\n"],
        [file('vm/b.ts'), "import { a } from './a.ts';\n"],
      ]),
    );
    assert.deepEqual(cycle, ['vm/a.ts', 'vm/b.ts', 'vm/a.ts']);
  });
});
