// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// Put at 0x10020 by the genesis upgrade. Tells contracts of the chain where its L1 side is.
contract ChainInfo {
    address private constant COMPLEX_UPGRADER = address(0x800f);

    uint256 public l1ChainId;
    address public bridgehub;

    error Unauthorized(address caller);
    error IsInitialized();

    /// Once, by the genesis upgrade.
    function initialize(uint256 l1Chain, address hub) external {
        if (msg.sender != COMPLEX_UPGRADER) revert Unauthorized(msg.sender);
        if (l1ChainId != 0) revert IsInitialized();
        l1ChainId = l1Chain;
        bridgehub = hub;
    }

    function chainId() external view returns (uint256) {
        return block.chainid;
    }
}
