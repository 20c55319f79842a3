/** JSON-RPC of the main node, as an external node asks it. */
import { NodeError, errorText } from '../common/errors.ts';
import { fetchable, shownUrl } from '../common/urls.ts';

export interface MainNodeError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export type MainNodeAnswer =
  { readonly kind: 'result'; readonly result: unknown } | { readonly kind: 'error'; readonly error: MainNodeError };

const TIMEOUT_MS = 10_000;

/** Throws NodeError MAIN_NODE_UNREACHABLE (retryable): no answer, or none that is JSON-RPC. */
export async function askMainNode(
  url: string,
  method: string,
  params: readonly unknown[],
  signal?: AbortSignal,
): Promise<MainNodeAnswer> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const { url: address, headers } = fetchable(url);
    const response = await fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    const { error, result } = (await response.json()) as { result?: unknown; error?: MainNodeError };
    return error === undefined ? { kind: 'result', result } : { kind: 'error', error };
  } catch (error) {
    throw new NodeError(
      'retryable',
      `the main node at ${shownUrl(url)} does not answer: ${errorText(error)}`,
      { code: 'MAIN_NODE_UNREACHABLE', method },
      { cause: error },
    );
  }
}
