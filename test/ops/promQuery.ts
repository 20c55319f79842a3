/** Which metrics and labels a PromQL expression names. Reads names, not meaning. */

export interface MetricUse {
  readonly metric: string;
  /** Of its selector. */
  readonly labels: readonly string[];
}

export interface PromQuery {
  readonly metrics: readonly MetricUse[];
  /** Of `by`, `without`, `on`, `ignoring`, `group_left`, `group_right`. */
  readonly groupings: readonly string[];
}

const GROUPING = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;
/** With its selector, or the bracket of a function; not the exponent of a number. */
const NAME = /(?<![\w.])([a-zA-Z_:][\w:]*)\s*(\(|\{([^}]*)\})?/g;
const WORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'by', 'without', 'on', 'ignoring', 'inf', 'nan']);

function namesIn(list: string): string[] {
  return [...list.matchAll(/[a-zA-Z_]\w*/g)].map(([name]) => name);
}

export function readPromQuery(text: string): PromQuery {
  // Texts first: they may hold anything.
  let rest = text.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  const groupings = [...rest.matchAll(GROUPING)].flatMap(([, list = '']) => namesIn(list));
  rest = rest.replace(GROUPING, ' ').replace(/\[[^\]]*\]/g, ' ');
  const metrics: MetricUse[] = [];
  for (const [, metric = '', next, selector = ''] of rest.matchAll(NAME)) {
    if (next !== '(' && !WORDS.has(metric.toLowerCase())) metrics.push({ metric, labels: namesIn(selector) });
  }
  return { metrics, groupings };
}
