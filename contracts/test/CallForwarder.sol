// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// Passes calls on under its own address, with the value that came along. What it called decides the answer.
contract CallForwarder {
    function forward(address target, bytes calldata data) external payable returns (bytes memory) {
        (bool success, bytes memory result) = target.call{value: msg.value}(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
        return result;
    }
}
