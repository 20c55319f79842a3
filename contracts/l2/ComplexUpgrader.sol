// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// Lives at 0x800f from genesis on. Runs a protocol upgrade: code of another contract, in the context of this one.
contract ComplexUpgrader {
    address private constant FORCE_DEPLOYER = address(0x8007);

    error Unauthorized(address caller);
    error AddressHasNoCode(address target);

    /// Only the sender of upgrade transactions may call. A revert of the delegated call is passed on as it is.
    function upgrade(address delegateTo, bytes calldata data) external payable {
        if (msg.sender != FORCE_DEPLOYER) revert Unauthorized(msg.sender);
        if (delegateTo.code.length == 0) revert AddressHasNoCode(delegateTo);
        (bool success, bytes memory result) = delegateTo.delegatecall(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
    }
}
