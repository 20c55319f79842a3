// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

contract SimpleRevert {
    error SimpleError();

    function simpleRevert() external pure {
        revert SimpleError();
    }

    function stringRevert() external pure {
        revert("my message");
    }
}
