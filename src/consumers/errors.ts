/** Codes of errors thrown by consumers. */
export const ReplayErrorCode = {
  transactionRefused: 'REPLAY_TRANSACTION_REFUSED',
  outputHashMismatch: 'BLOCK_OUTPUT_HASH_MISMATCH',
  emptyBlock: 'REPLAY_EMPTY_BLOCK',
  timestampMismatch: 'PREVIOUS_TIMESTAMP_MISMATCH',
  priorityIdGap: 'PRIORITY_ID_GAP',
  executionVersionUnknown: 'EXECUTION_VERSION_UNKNOWN',
  undecodable: 'REPLAY_TRANSACTION_UNDECODABLE',
  genesisRoot: 'GENESIS_ROOT_MISMATCH',
  foreignGenesis: 'FOREIGN_GENESIS',
  upgradeNeeded: 'UPGRADE_NEEDED',
} as const;
