/** A metric of the table that no code sets shows nothing for ever, and nobody misses it. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { METRICS, type MetricRow } from '../src/common/metricTable.ts';

const source = fileURLToPath(new URL('../src/', import.meta.url));
const SETTERS: Readonly<Record<MetricRow<string>['kind'], string>> = {
  counter: 'inc',
  gauge: 'set',
  histogram: 'observe',
};

/** `group.metric.set` as `group.metric` -> `set`, and `setTotals(group.metric, …)` as `inc`. */
function settersIn(text: string): [metric: string, setter: string][] {
  const found: [string, string][] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const { expression: called } = node;
      if (ts.isPropertyAccessExpression(called)) {
        const metric = metricOf(called.expression);
        if (metric !== undefined) found.push([metric, called.name.text]);
      }
      const [first] = node.arguments;
      if (ts.isIdentifier(called) && called.text === 'setTotals' && first !== undefined) {
        const metric = metricOf(first);
        if (metric !== undefined) found.push([metric, 'inc']);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest));
  return found;
}

/** The last two names of `metrics.log.position` or of `log.position`. */
function metricOf(node: ts.Node): string | undefined {
  if (!ts.isPropertyAccessExpression(node)) return undefined;
  const { expression: group, name } = node;
  if (ts.isIdentifier(group)) return `${group.text}.${name.text}`;
  return ts.isPropertyAccessExpression(group) ? `${group.name.text}.${name.text}` : undefined;
}

function unsetMetrics(texts: readonly string[]): string[] {
  const set = new Set(texts.flatMap(settersIn).map(([metric, setter]) => `${metric}.${setter}`));
  return Object.entries(METRICS).flatMap(([group, rows]) =>
    Object.entries<MetricRow<string>>(rows).flatMap(([name, { kind }]) =>
      set.has(`${group}.${name}.${SETTERS[kind]}`) ? [] : [`${group}.${name}`],
    ),
  );
}

describe('metricTable', () => {
  const texts = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(source, name), 'utf8'))
    .filter((text) => /\b(metrics|Metrics)\b/.test(text));

  it('has no metric that no code sets', () => {
    assert.deepEqual(unsetMetrics(texts), []);
  });

  it('would notice one', () => {
    const without = texts.map((text) => text.replace(/\blog\.position\.set\b/, 'log.position.get'));
    assert.deepEqual(unsetMetrics(without), ['log.position']);
    assert.deepEqual(
      settersIn('metrics.log.position.set(1); setTotals(mempool.added, []); log.entries.inc({ kind });'),
      [
        ['log.position', 'set'],
        ['mempool.added', 'inc'],
        ['log.entries', 'inc'],
      ],
    );
  });
});
