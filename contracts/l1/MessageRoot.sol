// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// Where chains would leave roots for each other. The Bridgehub must name one; nothing is kept here.
contract MessageRoot {
    address public immutable BRIDGE_HUB;

    constructor(address bridgehub) {
        BRIDGE_HUB = bridgehub;
    }
}
