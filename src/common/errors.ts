/**
 * The one error base. `kind` alone decides what happens: `retryable` is retried with a limit and then ends the process
 * with exit code 75, `fatal` ends it with 1, `invariant` dumps and crashes. Nobody matches on message text.
 */
export type ErrorKind = 'retryable' | 'fatal' | 'invariant';

export interface ErrorFacts {
  readonly code: string;
  readonly [fact: string]: unknown;
}

export class NodeError<Facts extends ErrorFacts = ErrorFacts> extends Error {
  readonly kind: ErrorKind;
  readonly facts: Facts;

  constructor(kind: ErrorKind, message: string, facts: Facts, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'NodeError';
    this.kind = kind;
    this.facts = facts;
  }

  get code(): string {
    return this.facts.code;
  }
}

/** For what cannot happen. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new NodeError('invariant', message, { code: 'ASSERTION' });
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
