// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// L1 contracts act on L2 under another address, so that nobody can own both by accident.
library AddressAlias {
    uint160 private constant OFFSET = uint160(0x1111000000000000000000000000000000001111);

    function toL2(address l1Address) internal pure returns (address) {
        unchecked {
            return address(uint160(l1Address) + OFFSET);
        }
    }

    /// Who gets what is left: the one named, else the sender; under its alias when it is not a plain account.
    function refundRecipient(address named, address sender) internal view returns (address) {
        if (named == address(0)) return sender == tx.origin ? sender : toL2(sender);
        return named.code.length == 0 ? named : toL2(named);
    }
}
