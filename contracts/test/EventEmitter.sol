// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

contract EventEmitter {
    event TestEvent(uint256 number);

    function emitEvent(uint256 number) external {
        emit TestEvent(number);
    }
}
