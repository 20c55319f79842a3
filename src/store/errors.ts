/** What can go wrong with a store. Behaviour follows `kind` alone; the codes are for callers that know a remedy. */
import { NodeError, errorText, type ErrorKind } from '../common/errors.ts';

export type StoreErrorCode =
  | 'STORE_CLOSED'
  | 'STORE_DAMAGED'
  | 'STORE_DISK_FULL'
  | 'STORE_FORMAT'
  | 'STORE_IO'
  | 'STORE_LOCKED'
  | 'STORE_MISSING'
  | 'STORE_UNAVAILABLE'
  | 'JOURNAL_ENTRY_VERSION';

export interface StoreErrorFacts {
  readonly code: StoreErrorCode;
  readonly [fact: string]: unknown;
}

export class StoreError extends NodeError<StoreErrorFacts> {
  constructor(
    kind: ErrorKind,
    code: StoreErrorCode,
    message: string,
    facts: Record<string, unknown> = {},
    options: { cause?: unknown } = {},
  ) {
    super(kind, message, { ...facts, code }, options);
    this.name = 'StoreError';
  }
}

export function storeClosed(path: string): StoreError {
  return new StoreError('fatal', 'STORE_CLOSED', `the store in ${path} is closed and cannot be used any more`, {
    path,
  });
}

/** Turns what the engine says into a StoreError. `doing` completes "while …". */
export function storeFailure(path: string, doing: string, cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause;
  const text = engineText(cause);
  const failure = (kind: ErrorKind, code: StoreErrorCode, advice: string): StoreError =>
    new StoreError(kind, code, `${advice} (${doing} the store in ${path}: ${text})`, { path }, { cause });
  if (/no space left|disk quota|file too large|ENOSPC|EDQUOT|EFBIG|SpaceLimit/i.test(text)) {
    return failure(
      'retryable',
      'STORE_DISK_FULL',
      'The disk is full, or files may not grow further (ulimit -f). Free at least 100 MB; what was not written is tried again.',
    );
  }
  if (/session is closed/i.test(text)) return storeClosed(path);
  if (/lock hold by current process|while lock file|No locks available/i.test(text)) {
    return failure(
      'fatal',
      'STORE_LOCKED',
      'Another process or another part of this one has the store open. Stop it first.',
    );
  }
  if (/corrupt|checksum mismatch|size mismatch/i.test(text)) {
    return failure(
      'fatal',
      'STORE_DAMAGED',
      'The store is damaged. It can be built again from the log: `reprise rebuild`.',
    );
  }
  return failure('retryable', 'STORE_IO', 'The store cannot be read or written.');
}

/** The binding wraps what RocksDB says in one or more errors. */
function engineText(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < 4 && current !== undefined && current !== null; depth++) {
    parts.push(errorText(current));
    if (current instanceof AggregateError) {
      const first: unknown = current.errors.find((inner) => inner instanceof Error);
      current = first;
    } else {
      current = current instanceof Error ? current.cause : undefined;
    }
  }
  return parts.join(': ');
}
