// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {BridgehubL2TransactionRequest, ChainParameters, L2TransactionRequestTwoBridgesInner} from "./Types.sol";

interface IZKChain {
    function initialize(ChainParameters calldata parameters) external;
    function getAdmin() external view returns (address);
    function getChainId() external view returns (uint256);
    function l2TransactionBaseCost(uint256 gasPrice, uint256 gasLimit, uint256 gasPerPubdata) external view returns (uint256);
    function bridgehubRequestL2Transaction(BridgehubL2TransactionRequest calldata request) external payable returns (bytes32);
}

interface IBridgehub {
    function getZKChain(uint256 chainId) external view returns (address);
    function registerChain(uint256 chainId, address chain, bytes32 baseTokenAssetId) external;
}

interface IL1AssetRouter {
    function bridgehubDepositBaseToken(uint256 chainId, bytes32 assetId, address sender, uint256 amount) external payable;
}

/// A bridge that writes the L2 call of a deposit.
interface ISecondBridge {
    function bridgehubDeposit(
        uint256 chainId,
        address sender,
        uint256 l2Value,
        bytes calldata data
    ) external payable returns (L2TransactionRequestTwoBridgesInner memory);
    function bridgehubConfirmL2Transaction(uint256 chainId, bytes32 txDataHash, bytes32 txHash) external;
}

/// Of L2; only the form of its call matters here.
interface IComplexUpgrader {
    function upgrade(address delegateTo, bytes calldata data) external payable;
}
