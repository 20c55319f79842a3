// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {AddressAlias} from "./AddressAlias.sol";
import {
    AddressTooLow,
    ChainAlreadyRegistered,
    MsgValueMismatch,
    Reentrancy,
    Unauthorized,
    WrongMagicValue,
    ZKChainNotRegistered
} from "./Errors.sol";
import {IL1AssetRouter, ISecondBridge, IZKChain} from "./Interfaces.sol";
import {
    BridgehubL2TransactionRequest,
    L2TransactionRequestDirect,
    L2TransactionRequestTwoBridgesInner,
    L2TransactionRequestTwoBridgesOuter
} from "./Types.sol";

/// The entrance from L1: which chains there are, and how to send them something.
contract Bridgehub {
    bytes32 private constant TWO_BRIDGES_MAGIC_VALUE = bytes32(uint256(keccak256("TWO_BRIDGES_MAGIC_VALUE")) - 1);
    address private constant HIGHEST_RESERVED_ADDRESS = address(0xffff);

    address public immutable owner;
    address public assetRouter;
    address public messageRoot;

    mapping(uint256 chainId => address) public getZKChain;
    mapping(uint256 chainId => address) public chainTypeManager;
    mapping(uint256 chainId => bytes32) public baseTokenAssetId;
    mapping(address chainTypeManager => bool) public chainTypeManagerIsRegistered;
    uint256[] private chainIds;

    bool private isEntered;

    event NewChain(uint256 indexed chainId, address chainTypeManager, address indexed chain);

    constructor() {
        owner = msg.sender;
    }

    modifier onlyOwner() {
        if (msg.sender != owner) revert Unauthorized(msg.sender);
        _;
    }

    modifier nonReentrant() {
        if (isEntered) revert Reentrancy();
        isEntered = true;
        _;
        isEntered = false;
    }

    function setAddresses(address router, address root) external onlyOwner {
        assetRouter = router;
        messageRoot = root;
    }

    function addChainTypeManager(address manager) external onlyOwner {
        chainTypeManagerIsRegistered[manager] = true;
    }

    function registerChain(uint256 chainId, address chain, bytes32 assetId) external {
        if (!chainTypeManagerIsRegistered[msg.sender]) revert Unauthorized(msg.sender);
        if (getZKChain[chainId] != address(0)) revert ChainAlreadyRegistered(chainId);
        getZKChain[chainId] = chain;
        chainTypeManager[chainId] = msg.sender;
        baseTokenAssetId[chainId] = assetId;
        chainIds.push(chainId);
        emit NewChain(chainId, msg.sender, chain);
    }

    function getAllZKChainChainIDs() external view returns (uint256[] memory) {
        return chainIds;
    }

    /// The older name of `assetRouter`.
    function sharedBridge() external view returns (address) {
        return assetRouter;
    }

    function l2TransactionBaseCost(
        uint256 chainId,
        uint256 gasPrice,
        uint256 gasLimit,
        uint256 gasPerPubdata
    ) external view returns (uint256) {
        return chainOf(chainId).l2TransactionBaseCost(gasPrice, gasLimit, gasPerPubdata);
    }

    /// A call on L2 with `l2Value`, paid from `mintValue`; what is left goes to the refund recipient on L2.
    function requestL2TransactionDirect(
        L2TransactionRequestDirect calldata request
    ) external payable nonReentrant returns (bytes32) {
        IZKChain chain = chainOf(request.chainId);
        if (msg.value != request.mintValue) revert MsgValueMismatch(request.mintValue, msg.value);
        depositBaseToken(request.chainId, request.mintValue);
        return
            chain.bridgehubRequestL2Transaction(
                BridgehubL2TransactionRequest({
                    sender: msg.sender,
                    contractL2: request.l2Contract,
                    mintValue: request.mintValue,
                    l2Value: request.l2Value,
                    l2Calldata: request.l2Calldata,
                    l2GasLimit: request.l2GasLimit,
                    l2GasPerPubdataByteLimit: request.l2GasPerPubdataByteLimit,
                    factoryDeps: request.factoryDeps,
                    refundRecipient: AddressAlias.refundRecipient(request.refundRecipient, msg.sender)
                })
            );
    }

    /// As above, but another bridge takes `secondBridgeValue` and writes the call; it is the sender on L2.
    function requestL2TransactionTwoBridges(
        L2TransactionRequestTwoBridgesOuter calldata request
    ) external payable nonReentrant returns (bytes32 txHash) {
        IZKChain chain = chainOf(request.chainId);
        address bridge = request.secondBridgeAddress;
        if (bridge <= HIGHEST_RESERVED_ADDRESS) revert AddressTooLow(bridge);
        uint256 expected = request.mintValue + request.secondBridgeValue;
        if (msg.value != expected) revert MsgValueMismatch(expected, msg.value);
        depositBaseToken(request.chainId, request.mintValue);
        L2TransactionRequestTwoBridgesInner memory inner = ISecondBridge(bridge).bridgehubDeposit{
            value: request.secondBridgeValue
        }(request.chainId, msg.sender, request.l2Value, request.secondBridgeCalldata);
        if (inner.magicValue != TWO_BRIDGES_MAGIC_VALUE) {
            revert WrongMagicValue(uint256(TWO_BRIDGES_MAGIC_VALUE), uint256(inner.magicValue));
        }
        txHash = chain.bridgehubRequestL2Transaction(
            BridgehubL2TransactionRequest({
                sender: bridge,
                contractL2: inner.l2Contract,
                mintValue: request.mintValue,
                l2Value: request.l2Value,
                l2Calldata: inner.l2Calldata,
                l2GasLimit: request.l2GasLimit,
                l2GasPerPubdataByteLimit: request.l2GasPerPubdataByteLimit,
                factoryDeps: inner.factoryDeps,
                refundRecipient: AddressAlias.refundRecipient(request.refundRecipient, msg.sender)
            })
        );
        ISecondBridge(bridge).bridgehubConfirmL2Transaction(request.chainId, inner.txDataHash, txHash);
    }

    function chainOf(uint256 chainId) private view returns (IZKChain) {
        address chain = getZKChain[chainId];
        if (chain == address(0)) revert ZKChainNotRegistered();
        return IZKChain(chain);
    }

    function depositBaseToken(uint256 chainId, uint256 amount) private {
        IL1AssetRouter(assetRouter).bridgehubDepositBaseToken{value: amount}(
            chainId,
            baseTokenAssetId[chainId],
            msg.sender,
            amount
        );
    }
}
