/** What one check of `reprise doctor` found. */
import { NodeError, errorText } from '../common/errors.ts';

export interface Finding {
  readonly level: 'ok' | 'warn' | 'fail';
  /** What was looked at: `port`, `disk`. */
  readonly check: string;
  readonly text: string;
  /** What to do about it. */
  readonly advice?: string | undefined;
}

export function ok(check: string, text: string): Finding {
  return { level: 'ok', check, text };
}

export function warn(check: string, text: string, advice: string): Finding {
  return { level: 'warn', check, text, advice };
}

export function fail(check: string, text: string, advice: string): Finding {
  return { level: 'fail', check, text, advice };
}

/** A check that throws has failed; one that gives no answer in time too. */
export async function found(
  check: string,
  limitMs: number,
  look: () => Promise<readonly Finding[] | Finding>,
): Promise<readonly Finding[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(
      () => resolve(fail(check, `no answer within ${limitMs / 1_000} s`, 'look at the network and at the other side')),
      limitMs,
    );
  });
  try {
    return [await Promise.race([look(), late])].flat();
  } catch (error) {
    const text = errorText(error);
    return [fail(check, text, error instanceof NodeError ? 'as the message says' : 'correct what the message names')];
  } finally {
    clearTimeout(timer);
  }
}
