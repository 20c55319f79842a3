// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {RoleAccessDenied} from "./Errors.sol";
import {IBridgehub, IZKChain} from "./Interfaces.sol";

/// Who may do what with the batches of a chain. Roles are kept per chain; the chain's admin gives and takes them.
contract ValidatorTimelock {
    bytes32 public constant PRECOMMITTER_ROLE = keccak256("PRECOMMITTER_ROLE");
    bytes32 public constant COMMITTER_ROLE = keccak256("COMMITTER_ROLE");
    bytes32 public constant REVERTER_ROLE = keccak256("REVERTER_ROLE");
    bytes32 public constant PROVER_ROLE = keccak256("PROVER_ROLE");
    bytes32 public constant EXECUTOR_ROLE = keccak256("EXECUTOR_ROLE");
    bytes32 private constant DEFAULT_ADMIN_ROLE = 0x00;

    IBridgehub public immutable BRIDGE_HUB;
    /// Seconds between commit and execution.
    uint32 public immutable executionDelay;

    mapping(address chain => mapping(bytes32 role => mapping(address account => bool))) private roles;

    event RoleGranted(address indexed chain, bytes32 indexed role, address indexed account);
    event RoleRevoked(address indexed chain, bytes32 indexed role, address indexed account);

    constructor(address bridgehub, uint32 delay) {
        BRIDGE_HUB = IBridgehub(bridgehub);
        executionDelay = delay;
    }

    modifier onlyChainAdmin(address chain) {
        if (!isChainAdmin(chain, msg.sender)) revert RoleAccessDenied(chain, DEFAULT_ADMIN_ROLE, msg.sender);
        _;
    }

    function hasRole(address chain, bytes32 role, address account) public view returns (bool) {
        if (role == DEFAULT_ADMIN_ROLE) return isChainAdmin(chain, account);
        return roles[chain][role][account];
    }

    function grantRole(address chain, bytes32 role, address account) public onlyChainAdmin(chain) {
        roles[chain][role][account] = true;
        emit RoleGranted(chain, role, account);
    }

    function revokeRole(address chain, bytes32 role, address account) external onlyChainAdmin(chain) {
        roles[chain][role][account] = false;
        emit RoleRevoked(chain, role, account);
    }

    /// All five roles at once.
    function addValidatorForChainId(uint256 chainId, address validator) external {
        address chain = BRIDGE_HUB.getZKChain(chainId);
        grantRole(chain, PRECOMMITTER_ROLE, validator);
        grantRole(chain, COMMITTER_ROLE, validator);
        grantRole(chain, REVERTER_ROLE, validator);
        grantRole(chain, PROVER_ROLE, validator);
        grantRole(chain, EXECUTOR_ROLE, validator);
    }

    /// A contract is a chain only when the Bridgehub knows it under the id it claims.
    function isChainAdmin(address chain, address account) private view returns (bool) {
        if (chain.code.length == 0) return false;
        if (BRIDGE_HUB.getZKChain(IZKChain(chain).getChainId()) != chain) return false;
        return IZKChain(chain).getAdmin() == account;
    }
}
