// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {TracingSecondary} from "./TracingSecondary.sol";

/// Calls another contract once, several times, or so that it reverts: shapes for call traces.
contract TracingPrimary {
    TracingSecondary private secondary;

    constructor(TracingSecondary other) {
        secondary = other;
    }

    function calculate(uint256 value) external view returns (uint256) {
        return secondary.multiply(value);
    }

    function shouldRevert(uint256 value) external view returns (uint256) {
        return secondary.shouldRevert(value);
    }

    function multiCalculate(uint256 value, uint256 times) external view returns (uint256 result) {
        result = value;
        for (uint256 i = 0; i < times; i++) result = secondary.multiply(value + i);
    }
}
