/** What a node counts, read from its metrics or from its metrics port. */
import { type Metrics, renderMetrics } from '../../src/common/metrics.ts';
import type { NodeProcess } from './nodeProcess.ts';

/** Every series, as it is written. */
export async function valuesOf(metrics: Metrics): Promise<Map<string, number>> {
  return seriesOf(await renderMetrics([await metrics.snapshot()]));
}

/** Every series of a node that runs. */
export async function seriesOfNode(node: NodeProcess): Promise<Map<string, number>> {
  return seriesOf(await (await fetch(`http://127.0.0.1:${node.ports.metrics}/metrics`)).text());
}

function seriesOf(text: string): Map<string, number> {
  return new Map(Array.from(text.matchAll(/^([a-z].*) (\S+)$/gm), ([, series = '', value]) => [series, Number(value)]));
}

/** Values of one metric by its only label. */
export async function metricByLabel(node: NodeProcess, name: string): Promise<Map<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${node.ports.metrics}/metrics`)).text();
  const rows = text.matchAll(new RegExp(`^${name}\\{\\w+="([^"]*)"\\} (\\S+)$`, 'gm'));
  return new Map(Array.from(rows, ([, label = '', value]) => [label, Number(value)]));
}

export async function rejectedByClass(node: NodeProcess): Promise<Record<string, number>> {
  const counted = await metricByLabel(node, 'log_rejected_total');
  return Object.fromEntries(
    ['garbage', 'foreign', 'stale', 'gap', 'duplicate'].map((name) => [name, counted.get(name) ?? 0]),
  );
}
