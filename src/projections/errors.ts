/** What stops a projection, or a wait for it. */
import { NodeError, errorText, type ErrorKind } from '../common/errors.ts';

export type ProjectionErrorCode =
  | 'PROJECTION_AHEAD'
  | 'PROJECTION_CLOSED'
  | 'PROJECTION_FAILED'
  | 'PROJECTION_FOREIGN_STORE'
  | 'PROJECTION_GAP'
  | 'PROJECTION_MISMATCH'
  | 'PROJECTION_NOT_SYNCED'
  | 'PROJECTION_OVERLOADED';

export interface ProjectionErrorFacts {
  readonly code: ProjectionErrorCode;
  readonly projection: string;
  readonly [fact: string]: unknown;
}

export class ProjectionError extends NodeError<ProjectionErrorFacts> {
  constructor(kind: ErrorKind, message: string, facts: ProjectionErrorFacts, options: { cause?: unknown } = {}) {
    super(kind, message, facts, options);
    this.name = 'ProjectionError';
  }
}

export function rebuildAdvice(projection: string): string {
  return `Build it again from the log with \`reprise rebuild ${projection}\`.`;
}

/** What apply or the store threw, with where it happened. Keeps the kind of a NodeError; anything else is a bug. */
export function applyFailure(
  projection: string,
  at: { readonly index: number; readonly height: number },
  cause: unknown,
): ProjectionError {
  if (cause instanceof ProjectionError) return cause;
  const kind = cause instanceof NodeError ? cause.kind : 'invariant';
  return new ProjectionError(
    kind,
    `projection ${projection} stopped at block ${at.height} (journal entry ${at.index}): ${errorText(cause)}. What it applied before is kept. ` +
      `If a restart does not help: ${rebuildAdvice(projection)}`,
    { code: 'PROJECTION_FAILED', projection, height: at.height, index: at.index },
    { cause },
  );
}
