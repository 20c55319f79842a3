/** What a node counts, read from its metrics port. */
import type { NodeProcess } from './nodeProcess.ts';

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
