/** One question in SQL to the analytics database, by people: it can only read. */
import { type ClickHouseClient, ClickHouseError } from '@clickhouse/client';
import { NodeError } from '../common/errors.ts';
import { clickHouseClient, clickHouseFailure, type ClickHouseServer } from './clickHouse.ts';

export interface QueryAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** 64-bit and larger numbers are text. */
  readonly rows: readonly (readonly unknown[])[];
}

const LIMIT_SECONDS = 60;
const REQUEST_LIMIT_MS = (LIMIT_SECONDS + 30) * 1_000;

/** Closes the server. Throws NodeError QUERY_REFUSED with what ClickHouse says of it, or StoreError. */
export async function askClickHouse(server: ClickHouseServer, database: string, sql: string): Promise<QueryAnswer> {
  let client: ClickHouseClient | undefined;
  try {
    client = clickHouseClient(await server.endpoint(), {
      database,
      application: 'reprise query',
      request_timeout: REQUEST_LIMIT_MS,
      clickhouse_settings: {
        readonly: '1',
        max_execution_time: LIMIT_SECONDS,
        output_format_json_quote_64bit_integers: 1,
      },
    });
    const answer = await client.query({ query: sql.trim().replace(/;\s*$/, ''), format: 'JSONCompact' });
    return table(await answer.text());
  } catch (error) {
    if (error instanceof ClickHouseError)
      throw new NodeError(
        'fatal',
        `ClickHouse refuses the question: ${error.message.split('\n')[0]}`,
        { code: 'QUERY_REFUSED', clickHouseCode: error.code, type: error.type },
        { cause: error },
      );
    if (error instanceof NodeError && error.code === 'QUERY_REFUSED') throw error;
    throw clickHouseFailure(server.name, 'asking', error, 'try again');
  } finally {
    await client?.close();
    await server.close();
  }
}

/** The embedded engine takes several questions and answers one after the other. */
function table(text: string): QueryAnswer {
  try {
    const { meta, data } = JSON.parse(text) as { meta: QueryAnswer['columns']; data: QueryAnswer['rows'] }; // JSONCompact
    return { columns: meta, rows: data };
  } catch (error) {
    throw new NodeError(
      'fatal',
      'ClickHouse gives no table for this: ask one question at a time',
      { code: 'QUERY_REFUSED' },
      { cause: error },
    );
  }
}
