// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {Reentrancy, Unauthorized} from "./Errors.sol";
import {PriorityTree} from "./PriorityTree.sol";
import {FeeParams} from "./Types.sol";

/// State and guards of a chain on L1, shared by the parts that make up `ZKChain`.
abstract contract ChainBase {
    address internal immutable BRIDGEHUB;
    address internal immutable CHAIN_TYPE_MANAGER;

    uint256 internal chainId;
    address internal admin;
    address internal validatorTimelock;
    uint256 internal protocolVersion;

    FeeParams internal feeParams;
    uint256 internal priorityTxMaxGasLimit;
    uint128 internal baseTokenGasPriceMultiplierNominator;
    uint128 internal baseTokenGasPriceMultiplierDenominator;

    PriorityTree.Tree internal priorityTree;

    uint256 internal totalBatchesCommitted;
    uint256 internal totalBatchesVerified;
    uint256 internal totalBatchesExecuted;
    mapping(uint256 batchNumber => bytes32) internal storedBatchHashes;
    mapping(uint256 batchNumber => bytes32) internal l2LogsRootHashes;
    /// Hash of the upgrade that the next commit must carry; zero: none waits.
    bytes32 internal l2SystemContractsUpgradeTxHash;

    bool private isEntered;

    constructor(address bridgehub, address chainTypeManager) {
        BRIDGEHUB = bridgehub;
        CHAIN_TYPE_MANAGER = chainTypeManager;
    }

    modifier only(address caller) {
        if (msg.sender != caller) revert Unauthorized(msg.sender);
        _;
    }

    modifier nonReentrant() {
        if (isEntered) revert Reentrancy();
        isEntered = true;
        _;
        isEntered = false;
    }
}
