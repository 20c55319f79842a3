// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {ChainBase} from "./ChainBase.sol";

/// What others read of a chain.
abstract contract Getters is ChainBase {
    function getBridgehub() external view returns (address) {
        return BRIDGEHUB;
    }

    function getChainTypeManager() external view returns (address) {
        return CHAIN_TYPE_MANAGER;
    }

    function getChainId() external view returns (uint256) {
        return chainId;
    }

    function getAdmin() external view returns (address) {
        return admin;
    }

    function getProtocolVersion() external view returns (uint256) {
        return protocolVersion;
    }

    function getTotalBatchesCommitted() external view returns (uint256) {
        return totalBatchesCommitted;
    }

    function getTotalBatchesVerified() external view returns (uint256) {
        return totalBatchesVerified;
    }

    function getTotalBatchesExecuted() external view returns (uint256) {
        return totalBatchesExecuted;
    }

    function storedBatchHash(uint256 batchNumber) external view returns (bytes32) {
        return storedBatchHashes[batchNumber];
    }

    function l2LogsRootHash(uint256 batchNumber) external view returns (bytes32) {
        return l2LogsRootHashes[batchNumber];
    }

    function getL2SystemContractsUpgradeTxHash() external view returns (bytes32) {
        return l2SystemContractsUpgradeTxHash;
    }

    function getPubdataPricingMode() external view returns (uint8) {
        return uint8(feeParams.pubdataPricingMode);
    }

    function getPriorityTxMaxGasLimit() external view returns (uint256) {
        return priorityTxMaxGasLimit;
    }

    function getTotalPriorityTxs() external view returns (uint256) {
        return priorityTree.count;
    }

    function getFirstUnprocessedPriorityTx() external view returns (uint256) {
        return priorityTree.unprocessedIndex;
    }

    function getPriorityQueueSize() external view returns (uint256) {
        return priorityTree.count - priorityTree.unprocessedIndex;
    }

    function getPriorityTreeStartIndex() external pure returns (uint256) {
        return 0;
    }

    function getPriorityTreeRoot() external view returns (bytes32) {
        return priorityTree.root;
    }
}
