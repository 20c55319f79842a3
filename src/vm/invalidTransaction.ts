/** Why a transaction may not be in a block, and what that does to it (spec: execution 2). */

/** The errors that this VM raises; names as in the specification. */
export type InvalidTransaction =
  | 'InvalidEncoding'
  | 'CallerGasLimitMoreThanBlock'
  | 'BlockGasLimitTooHigh'
  | 'PriorityFeeGreaterThanMaxFee'
  | 'BaseFeeGreaterThanMaxFee'
  | 'OutOfGasDuringValidation'
  | 'OutOfNativeResourcesDuringValidation'
  | 'CreateInitCodeSizeLimit'
  | 'NonceOverflowInTransaction'
  | 'NonceTooHigh'
  | 'NonceTooLow'
  | 'RejectCallerWithCode'
  | 'OverflowPaymentInTransaction'
  | 'LackOfFundForMaxFee';

/** skip: stays in the pool for a later block; purge: leaves it. */
export type Reaction = 'skip' | 'purge';

export function reactionTo(error: InvalidTransaction): Reaction {
  return error === 'LackOfFundForMaxFee' || error === 'NonceTooHigh' ? 'skip' : 'purge';
}
