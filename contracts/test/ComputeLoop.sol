// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// Arithmetic on whole words without storage: what a virtual machine costs by itself.
contract ComputeLoop {
    function run(uint256 rounds, uint256 seed) external pure returns (uint256 sum) {
        uint256 state = seed;
        unchecked {
            for (uint256 i = 0; i < rounds; i++) {
                state = state * 6364136223846793005 + 1442695040888963407;
                uint256 mixed = state ^ (state >> 33);
                if (mixed & 3 == 0) sum += mixed;
                else sum ^= mixed;
            }
        }
    }
}
