/** The status address of a running node. */
import type { Config } from '../common/config.ts';
import { urlOfListener } from '../common/urls.ts';

const ANSWER_WITHIN_MS = 5_000;

export function statusUrl({ statusServerAddress }: Config): string {
  return `${urlOfListener(statusServerAddress)}/status`;
}

/** Rejects when nothing, or something else than a node, answers within five seconds. */
export async function askStatus(url: string): Promise<Record<string, unknown>> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  const body: unknown = await answer.json();
  if (typeof body !== 'object' || body === null || !('role' in body)) throw new Error('something else answers there');
  return body; // an object with a role
}
