/** Codes of errors about L1. */
export const L1ErrorCode = {
  /** No answer after all retries; the next attempt may get one. */
  unreachable: 'L1_UNREACHABLE',
  chainNotRegistered: 'L1_CHAIN_NOT_REGISTERED',
  bridgehubWrong: 'L1_BRIDGEHUB_WRONG',
  chainIdMismatch: 'L1_CHAIN_ID_MISMATCH',
  stateInvalid: 'L1_STATE_INVALID',
  notFinal: 'L1_NOT_FINAL',
  genesisMismatch: 'L1_GENESIS_MISMATCH',
  genesisUpgrade: 'L1_GENESIS_UPGRADE',
  requestMalformed: 'L1_REQUEST_MALFORMED',
  requestGap: 'L1_REQUEST_GAP',
  wasReset: 'L1_WAS_RESET',
  searchFailed: 'L1_SEARCH_FAILED',
  depositRefused: 'L1_DEPOSIT_REFUSED',
  depositFailed: 'L1_DEPOSIT_FAILED',
  /** It was sent, and L1 has not said what became of it. */
  depositUnconfirmed: 'L1_DEPOSIT_UNCONFIRMED',
  anvilMissing: 'ANVIL_MISSING',
  anvilFailed: 'ANVIL_FAILED',
} as const;
