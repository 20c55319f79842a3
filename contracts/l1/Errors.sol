// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

error AddressTooLow(address bridge);
error BaseTokenGasPriceDenominatorNotSet();
error ChainAlreadyRegistered(uint256 chainId);
error ChainIsInitialized();
error CreationFailed();
error GasPerPubdataMismatch();
error InvalidPubdataPricingMode();
error MsgValueMismatch(uint256 expected, uint256 provided);
error MsgValueTooLow(uint256 required, uint256 provided);
error PubdataGreaterThanLimit(uint256 limit, uint256 length);
error Reentrancy();
error RoleAccessDenied(address chain, bytes32 role, address account);
error TooManyFactoryDeps();
error TooMuchGas();
error Unauthorized(address caller);
error ValidateTxnNotEnoughGas();
error WrongMagicValue(uint256 expected, uint256 provided);
error ZeroGasPriceL1TxZKSyncOS();
error ZKChainNotRegistered();
