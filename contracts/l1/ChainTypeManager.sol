// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {CreationFailed, Unauthorized} from "./Errors.sol";
import {IBridgehub, IZKChain} from "./Interfaces.sol";
import {ChainParameters} from "./Types.sol";

/// Creates chains and says which protocol version and timelock they have.
contract ChainTypeManager {
    address public immutable BRIDGE_HUB;
    address public immutable owner;
    address public immutable validatorTimelockPostV29;
    uint256 public immutable protocolVersion;

    event NewZKChain(uint256 indexed chainId, address indexed zkChainContract);

    constructor(address bridgehub, address validatorTimelock, uint256 version) {
        BRIDGE_HUB = bridgehub;
        owner = msg.sender;
        validatorTimelockPostV29 = validatorTimelock;
        protocolVersion = version;
    }

    function protocolVersionIsActive(uint256 version) external view returns (bool) {
        return version == protocolVersion;
    }

    /// The code of `ZKChain` comes as data, as it would not fit beside this contract's own. Its event of the genesis
    /// upgrade is in the block in which the chain gets its code.
    function createNewChain(
        bytes calldata chainCode,
        bytes32 baseTokenAssetId,
        ChainParameters calldata parameters
    ) external returns (address chain) {
        if (msg.sender != owner) revert Unauthorized(msg.sender);
        bytes memory initCode = abi.encodePacked(chainCode, abi.encode(BRIDGE_HUB, address(this)));
        assembly ("memory-safe") {
            chain := create(0, add(initCode, 0x20), mload(initCode))
        }
        if (chain == address(0)) revert CreationFailed();
        IZKChain(chain).initialize(parameters);
        IBridgehub(BRIDGE_HUB).registerChain(parameters.chainId, chain, baseTokenAssetId);
        emit NewZKChain(parameters.chainId, chain);
    }
}
