/** `reprise status`: what the running node answers on its status address. */
import { NodeError, errorText } from '../common/errors.ts';
import { type GlobalOptions, configure } from './configuration.ts';

export async function status(options: GlobalOptions & { readonly json: boolean }): Promise<number> {
  const { config } = configure(options);
  const { host, port } = config.statusServerAddress;
  const url = `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}/status`;
  let body: Record<string, unknown>;
  try {
    body = (await (await fetch(url, { signal: AbortSignal.timeout(5_000) })).json()) as Record<string, unknown>;
  } catch (error) {
    throw new NodeError(
      'retryable',
      `no node answers at ${url}: ${errorText(error)}. Is it running, with this status_server_address?`,
      { code: 'NODE_UNREACHABLE', url },
      { cause: error },
    );
  }
  process.stdout.write(options.json ? `${JSON.stringify(body)}\n` : `${table(body)}\n`);
  return 0;
}

function table(body: Readonly<Record<string, unknown>>, indent = ''): string {
  const width = Math.max(...Object.keys(body).map((key) => key.length));
  return Object.entries(body)
    .map(([key, value]) =>
      typeof value === 'object' && value !== null
        ? `${indent}${key}\n${table(value as Record<string, unknown>, `${indent}  `)}`
        : `${indent}${key.padEnd(width)}  ${String(value)}`,
    )
    .join('\n');
}
