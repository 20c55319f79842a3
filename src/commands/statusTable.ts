/** An object as indented rows for people; objects of one shape in a row become columns. */

type Row = Readonly<Record<string, unknown>>;

export function statusTable(body: Row, indent = ''): string {
  const rows = Object.entries(body).filter(([, value]) => value !== undefined && value !== null);
  const width = Math.max(0, ...rows.filter(([, value]) => !isRow(value)).map(([name]) => name.length));
  return rows
    .map(([name, value]) => {
      if (!isRow(value)) return `${indent}${name.padEnd(width)}  ${cell(value)}`;
      const columns = columnsOf(value);
      const below =
        columns === undefined ? statusTable(value, `${indent}  `) : columnTable(value, columns, `${indent}  `);
      return `${indent}${name}\n${below}`;
    })
    .join('\n');
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
}

/** Names that entries have; undefined: they are not all flat objects of one shape, but for names that some have besides. */
function columnsOf(value: Row): string[] | undefined {
  const entries = Object.values(value);
  const [first] = entries;
  if (!isRow(first) || entries.length < 2) return undefined;
  const rows = entries.filter(isRow);
  const shared = Object.keys(first).filter((name) => rows.every((row) => name in row));
  const isAlike =
    rows.length === entries.length &&
    rows.some((row) => Object.keys(row).length === shared.length) &&
    rows.every((row) => Object.values(row).every((inner) => !isRow(inner)));
  return isAlike ? [...new Set([...shared, ...rows.flatMap((row) => Object.keys(row))])] : undefined;
}

function columnTable(value: Row, names: readonly string[], indent: string): string {
  const lines = [
    ['', ...names],
    ...Object.entries(value).map(([name, entry]) => [name, ...names.map((column) => cell((entry as Row)[column]))]),
  ];
  const widths = ['', ...names].map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  return lines
    .map((line) => `${indent}${line.map((text, at) => text.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}

function cell(value: unknown): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(cell).join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : `${value as string | number | bigint | boolean}`; // what else JSON holds
}
