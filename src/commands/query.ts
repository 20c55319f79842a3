/**
 * `reprise query`: asks the analytics database. The embedded engine is that of the running node if there is one, else one
 * for this question. Questions only read.
 */
import { existsSync } from 'node:fs';
import type { Config } from '../common/config.ts';
import { NodeError } from '../common/errors.ts';
import { NAMED_QUERIES } from '../projections/analyticsQueries.ts';
import { askClickHouse, type QueryAnswer } from '../projections/analyticsQuestion.ts';
import { type ClickHouseServer, clickHouseServerAt } from '../projections/clickHouse.ts';
import { analyticsDatabase, analyticsPath, analyticsServer } from '../workers/analyticsServer.ts';
import { isAnswering, knownEndpoint } from '../workers/embeddedClickHouse.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { noData, print } from './offline.ts';

export interface QueryOptions {
  readonly list: boolean;
  readonly named: string | undefined;
}

export async function query(
  options: GlobalOptions & { readonly json: boolean },
  sql: string | undefined,
  { list, named }: QueryOptions,
): Promise<number> {
  if (list) {
    listQueries(options.json);
    return 0;
  }
  const { config } = configure(options);
  const question = named === undefined ? sql : namedQuery(named);
  if (question === undefined || question.trim() === '' || (named !== undefined && sql !== undefined))
    throw new NodeError('fatal', 'give either SQL, or --named <name>, or --list', { code: 'QUERY_UNCLEAR' });
  const answer = await askClickHouse(await serverToAsk(config), analyticsDatabase(config), question);
  print(options.json, { columns: answer.columns, rows: answer.rows }, table(answer));
  return 0;
}

function listQueries(json: boolean): void {
  const width = Math.max(...Object.keys(NAMED_QUERIES).map((name) => name.length));
  const lines = Object.entries(NAMED_QUERIES).map(([name, { description }]) => `${name.padEnd(width)}  ${description}`);
  print(json, NAMED_QUERIES, lines.join('\n'));
}

function namedQuery(name: string): string {
  const found = Object.hasOwn(NAMED_QUERIES, name) ? NAMED_QUERIES[name] : undefined;
  if (found === undefined)
    throw new NodeError('fatal', `there is no query named ${name}: \`reprise query --list\` shows them`, {
      code: 'QUERY_UNKNOWN',
    });
  return found.sql;
}

async function serverToAsk(config: Config): Promise<ClickHouseServer> {
  const path = analyticsPath(config);
  if (config.clickhouseUrl !== undefined) return analyticsServer(config, path);
  const known = knownEndpoint(path);
  if (known !== undefined && (await isAnswering(known))) return clickHouseServerAt(known);
  if (!existsSync(path)) throw noData(path, 'with analytics ');
  return analyticsServer(config, path);
}

/** Columns under their names; numbers to the right. */
function table({ columns, rows }: QueryAnswer): string {
  const cells = rows.map((row) => row.map(cellText));
  const widths = columns.map(({ name }, i) => Math.max(name.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => {
        const isNumber = /^(Nullable\()?(U?Int|Float|Decimal)/.test(columns[i]?.type ?? '');
        return isNumber ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0);
      })
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width));
  return [line(columns.map(({ name }) => name)), line(rule), ...cells.map(line)].join('\n');
}

function cellText(value: unknown): string {
  if (value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
