// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

contract TracingSecondary {
    uint256 private factor;

    constructor(uint256 initialFactor) {
        factor = initialFactor;
    }

    function multiply(uint256 value) external view returns (uint256) {
        return value * factor;
    }

    function shouldRevert(uint256 value) external view returns (uint256) {
        require(value == type(uint256).max && factor == type(uint256).max, "This should revert");
        return value;
    }
}
