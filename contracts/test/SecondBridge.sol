// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// Stands in for a token bridge: writes a call that carries its data on, and remembers what it was told.
contract SecondBridge {
    struct Inner {
        bytes32 magicValue;
        address l2Contract;
        bytes l2Calldata;
        bytes[] factoryDeps;
        bytes32 txDataHash;
    }

    bytes32 public immutable magicValue;
    bytes32 public confirmedHash;

    constructor(bytes32 magic) {
        magicValue = magic;
    }

    function bridgehubDeposit(
        uint256,
        address sender,
        uint256,
        bytes calldata data
    ) external payable returns (Inner memory inner) {
        inner.magicValue = magicValue;
        inner.l2Contract = sender;
        inner.l2Calldata = data;
        inner.factoryDeps = new bytes[](0);
        inner.txDataHash = keccak256(data);
    }

    function bridgehubConfirmL2Transaction(uint256, bytes32, bytes32 txHash) external {
        confirmedHash = txHash;
    }
}
