// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {ChainBase} from "./ChainBase.sol";
import {BaseTokenGasPriceDenominatorNotSet, InvalidPubdataPricingMode} from "./Errors.sol";
import {FeeParams, PubdataPricingMode} from "./Types.sol";

/// What the chain's admin may set.
abstract contract ChainAdmin is ChainBase {
    event NewFeeParams(FeeParams oldFeeParams, FeeParams newFeeParams);
    event NewBaseTokenMultiplier(uint128 oldNominator, uint128 oldDenominator, uint128 newNominator, uint128 newDenominator);
    event NewPriorityTxMaxGasLimit(uint256 oldLimit, uint256 newLimit);
    event PubdataPricingModeUpdate(PubdataPricingMode mode);

    /// The pricing mode has a function of its own.
    function changeFeeParams(FeeParams calldata newFeeParams) external only(admin) {
        if (newFeeParams.pubdataPricingMode != feeParams.pubdataPricingMode) revert InvalidPubdataPricingMode();
        emit NewFeeParams(feeParams, newFeeParams);
        feeParams = newFeeParams;
    }

    /// Only before the first batch: afterwards the data of committed batches lies where the mode said.
    function setPubdataPricingMode(PubdataPricingMode mode) external only(admin) {
        if (totalBatchesCommitted != 0) revert InvalidPubdataPricingMode();
        feeParams.pubdataPricingMode = mode;
        emit PubdataPricingModeUpdate(mode);
    }

    /// Base tokens per ether, as a fraction.
    function setTokenMultiplier(uint128 nominator, uint128 denominator) external only(admin) {
        if (denominator == 0) revert BaseTokenGasPriceDenominatorNotSet();
        emit NewBaseTokenMultiplier(
            baseTokenGasPriceMultiplierNominator,
            baseTokenGasPriceMultiplierDenominator,
            nominator,
            denominator
        );
        baseTokenGasPriceMultiplierNominator = nominator;
        baseTokenGasPriceMultiplierDenominator = denominator;
    }

    function setPriorityTxMaxGasLimit(uint256 limit) external only(admin) {
        emit NewPriorityTxMaxGasLimit(priorityTxMaxGasLimit, limit);
        priorityTxMaxGasLimit = limit;
    }
}
