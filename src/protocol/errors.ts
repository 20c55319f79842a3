/** Errors of the pure rules. All are `fatal`: the same bytes fail again; whoever feeds untrusted bytes catches by code. */
import { NodeError } from '../common/errors.ts';

export type ProtocolErrorCode =
  | 'RLP_MALFORMED'
  | 'TRANSACTION_MALFORMED'
  | 'TRANSACTION_TYPE_UNSUPPORTED'
  | 'TRANSACTION_FIELD_TOO_WIDE'
  | 'ACCOUNT_RECORD_MALFORMED'
  | 'CODE_PREIMAGE_MALFORMED'
  | 'HEADER_MALFORMED'
  | 'RECEIPT_MALFORMED'
  | 'TRANSACTION_META_MALFORMED'
  | 'L2_TO_L1_LOG_MALFORMED'
  | 'PUBDATA_MALFORMED'
  | 'REPLAY_RECORD_MALFORMED'
  | 'REPLAY_REQUEST_MALFORMED'
  | 'REPLAY_VERSION_UNKNOWN'
  | 'STATE_TREE_DUPLICATE_KEY'
  | 'STATE_TREE_RESERVED_KEY'
  | 'LOG_TREE_TOO_MANY_LEAVES'
  | 'PRIORITY_TREE_CORRUPT'
  | 'BATCH_BLOCK_TOO_LARGE'
  | 'BATCH_EMPTY'
  | 'BATCH_UPGRADE_TWICE'
  | 'GENESIS_MALFORMED'
  | 'GENESIS_DUPLICATE_KEY'
  | 'GENESIS_ROOT_MISMATCH';

interface ProtocolErrorFacts {
  readonly code: ProtocolErrorCode;
  readonly [fact: string]: unknown;
}

export class ProtocolError extends NodeError<ProtocolErrorFacts> {
  constructor(
    code: ProtocolErrorCode,
    message: string,
    facts: Record<string, unknown> = {},
    options: { cause?: unknown } = {},
  ) {
    super('fatal', message, { ...facts, code }, options);
    this.name = 'ProtocolError';
  }
}
