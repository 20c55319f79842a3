// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {ChainAdmin} from "./ChainAdmin.sol";
import {ChainBase} from "./ChainBase.sol";
import {ChainIsInitialized} from "./Errors.sol";
import {Getters} from "./Getters.sol";
import {IComplexUpgrader} from "./Interfaces.sol";
import {Mailbox} from "./Mailbox.sol";
import {PriorityTree} from "./PriorityTree.sol";
import {ChainParameters, L2CanonicalTransaction, StoredBatchInfo} from "./Types.sol";

/// A chain on L1, at one address: what a diamond proxy with its facets offers.
contract ZKChain is Mailbox, Getters, ChainAdmin {
    using PriorityTree for PriorityTree.Tree;

    uint256 private constant UPGRADE_TYPE = 126;
    uint256 private constant UPGRADE_GAS_LIMIT = 72_000_000;
    uint256 private constant UPGRADE_GAS_PER_PUBDATA = 800;
    address private constant FORCE_DEPLOYER = address(0x8007);
    address private constant COMPLEX_UPGRADER = address(0x800f);

    event GenesisUpgrade(
        address indexed zkChain,
        L2CanonicalTransaction l2Transaction,
        uint256 indexed protocolVersion,
        bytes[] factoryDeps
    );

    constructor(address bridgehub, address chainTypeManager) ChainBase(bridgehub, chainTypeManager) {}

    /// Once, in the transaction that creates the chain: batch 0, and the upgrade that block 1 begins with.
    function initialize(ChainParameters calldata parameters) external only(CHAIN_TYPE_MANAGER) {
        if (chainId != 0) revert ChainIsInitialized();
        chainId = parameters.chainId;
        admin = parameters.admin;
        validatorTimelock = parameters.validatorTimelock;
        protocolVersion = parameters.protocolVersion;
        feeParams = parameters.feeParams;
        priorityTxMaxGasLimit = parameters.priorityTxMaxGasLimit;
        baseTokenGasPriceMultiplierNominator = 1;
        baseTokenGasPriceMultiplierDenominator = 1;
        priorityTree.initialize();
        storedBatchHashes[0] = keccak256(abi.encode(genesisBatch(parameters.genesisStateCommitment)));

        L2CanonicalTransaction memory upgrade = genesisUpgrade(parameters);
        l2SystemContractsUpgradeTxHash = keccak256(abi.encode(upgrade));
        emit GenesisUpgrade(address(this), upgrade, parameters.protocolVersion, parameters.factoryDeps);
    }

    function genesisBatch(bytes32 stateCommitment) private pure returns (StoredBatchInfo memory batch) {
        batch.batchHash = stateCommitment;
        batch.priorityOperationsHash = keccak256("");
        batch.commitment = bytes32(uint256(1));
    }

    function genesisUpgrade(ChainParameters calldata parameters) private pure returns (L2CanonicalTransaction memory upgrade) {
        upgrade.txType = UPGRADE_TYPE;
        upgrade.from = uint160(FORCE_DEPLOYER);
        upgrade.to = uint160(COMPLEX_UPGRADER);
        upgrade.gasLimit = UPGRADE_GAS_LIMIT;
        upgrade.gasPerPubdataByteLimit = UPGRADE_GAS_PER_PUBDATA;
        // The minor protocol version.
        upgrade.nonce = uint32(parameters.protocolVersion >> 32);
        upgrade.data = abi.encodeCall(IComplexUpgrader.upgrade, (parameters.upgradeDelegate, parameters.upgradeCall));
    }
}
