// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {MsgValueMismatch, Unauthorized} from "./Errors.sol";

/// Holds what was deposited, and knows how much of it belongs to which chain.
contract L1AssetRouter {
    address public immutable BRIDGE_HUB;
    /// The one asset there is: ether. Other tokens are not bridged by the development L1.
    bytes32 public immutable ETH_ASSET_ID;

    mapping(uint256 chainId => mapping(bytes32 assetId => uint256)) public chainBalance;

    event BridgehubDepositBaseTokenInitiated(uint256 indexed chainId, address indexed from, bytes32 assetId, uint256 amount);

    error AssetNotSupported(bytes32 assetId);

    constructor(address bridgehub, bytes32 ethAssetId) {
        BRIDGE_HUB = bridgehub;
        ETH_ASSET_ID = ethAssetId;
    }

    function bridgehubDepositBaseToken(uint256 chainId, bytes32 assetId, address sender, uint256 amount) external payable {
        if (msg.sender != BRIDGE_HUB) revert Unauthorized(msg.sender);
        if (assetId != ETH_ASSET_ID) revert AssetNotSupported(assetId);
        if (msg.value != amount) revert MsgValueMismatch(amount, msg.value);
        chainBalance[chainId][assetId] += amount;
        emit BridgehubDepositBaseTokenInitiated(chainId, sender, assetId, amount);
    }
}
