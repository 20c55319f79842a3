// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {AddressAlias} from "./AddressAlias.sol";
import {ChainBase} from "./ChainBase.sol";
import {
    BaseTokenGasPriceDenominatorNotSet,
    GasPerPubdataMismatch,
    MsgValueTooLow,
    PubdataGreaterThanLimit,
    TooManyFactoryDeps,
    TooMuchGas,
    ValidateTxnNotEnoughGas,
    ZeroGasPriceL1TxZKSyncOS
} from "./Errors.sol";
import {PriorityTree} from "./PriorityTree.sol";
import {BridgehubL2TransactionRequest, FeeParams, L2CanonicalTransaction, PubdataPricingMode} from "./Types.sol";

/// Requests from L1 to L2: their price, their limits, and the queue.
abstract contract Mailbox is ChainBase {
    using PriorityTree for PriorityTree.Tree;

    uint256 private constant PRIORITY_TYPE = 127;
    uint256 private constant REQUIRED_GAS_PER_PUBDATA = 800;
    uint256 private constant L1_GAS_PER_PUBDATA_BYTE = 17;
    uint256 private constant MAX_FACTORY_DEPS = 64;
    uint256 private constant EXPIRATION_DELTA = 0;

    uint256 private constant INTRINSIC_GAS = 21_000;
    uint256 private constant GAS_PER_CALLDATA_BYTE = 16;
    uint256 private constant GAS_LIMIT_FLOOR = 200_000;
    uint256 private constant INTRINSIC_PUBDATA = 88;
    uint256 private constant INTRINSIC_NATIVE = 132_500;
    uint256 private constant NATIVE_PER_HASH_ROUND = 17_500;
    uint256 private constant HASH_ROUND_BYTES = 136;
    uint256 private constant NATIVE_PRICE = 10;
    uint256 private constant NATIVE_PER_FREE_GAS = 10_000;

    event NewPriorityRequest(
        uint256 txId,
        bytes32 txHash,
        uint64 expirationTimestamp,
        L2CanonicalTransaction transaction,
        bytes[] factoryDeps
    );
    event NewPriorityRequestId(uint256 indexed txId, bytes32 indexed txHash);

    /// What `gasLimit` costs at an L1 gas price, in base tokens.
    function l2TransactionBaseCost(uint256 gasPrice, uint256 gasLimit, uint256 gasPerPubdata) external view returns (uint256) {
        return l2GasPrice(gasPrice, gasPerPubdata) * gasLimit;
    }

    function bridgehubRequestL2Transaction(
        BridgehubL2TransactionRequest calldata request
    ) external payable only(BRIDGEHUB) nonReentrant returns (bytes32 txHash) {
        if (request.l2GasPerPubdataByteLimit != REQUIRED_GAS_PER_PUBDATA) revert GasPerPubdataMismatch();
        if (request.factoryDeps.length > MAX_FACTORY_DEPS) revert TooManyFactoryDeps();
        uint256 price = l2GasPrice(tx.gasprice, request.l2GasPerPubdataByteLimit);
        uint256 needed = price * request.l2GasLimit + request.l2Value;
        if (request.mintValue < needed) revert MsgValueTooLow(needed, request.mintValue);

        L2CanonicalTransaction memory transaction = canonicalTransaction(request, price);
        bytes memory encoded = abi.encode(transaction);
        checkLimits(transaction, encoded.length);
        txHash = keccak256(encoded);
        priorityTree.push(txHash);
        emit NewPriorityRequest(
            transaction.nonce,
            txHash,
            uint64(block.timestamp + EXPIRATION_DELTA),
            transaction,
            request.factoryDeps
        );
        emit NewPriorityRequestId(transaction.nonce, txHash);
    }

    function l2GasPrice(uint256 l1GasPrice, uint256 gasPerPubdata) private view returns (uint256) {
        FeeParams memory fees = feeParams;
        uint256 denominator = baseTokenGasPriceMultiplierDenominator;
        if (denominator == 0) revert BaseTokenGasPriceDenominatorNotSet();
        uint256 converted = (l1GasPrice * baseTokenGasPriceMultiplierNominator) / denominator;
        uint256 pubdataPrice = fees.pubdataPricingMode == PubdataPricingMode.Rollup ? converted * L1_GAS_PER_PUBDATA_BYTE : 0;
        uint256 overhead = converted * fees.batchOverheadL1Gas;
        uint256 fullPubdataPrice = pubdataPrice + overhead / fees.maxPubdataPerBatch;
        uint256 byGas = fees.minimalL2GasPrice + overhead / fees.maxL2GasPerBatch;
        uint256 byPubdata = (fullPubdataPrice + gasPerPubdata - 1) / gasPerPubdata;
        return byGas > byPubdata ? byGas : byPubdata;
    }

    function canonicalTransaction(
        BridgehubL2TransactionRequest calldata request,
        uint256 price
    ) private view returns (L2CanonicalTransaction memory transaction) {
        address sender = request.sender == tx.origin ? request.sender : AddressAlias.toL2(request.sender);
        address refundRecipient = AddressAlias.refundRecipient(request.refundRecipient, request.sender);
        transaction.txType = PRIORITY_TYPE;
        transaction.from = uint160(sender);
        transaction.to = uint160(request.contractL2);
        transaction.gasLimit = request.l2GasLimit;
        transaction.gasPerPubdataByteLimit = request.l2GasPerPubdataByteLimit;
        transaction.maxFeePerGas = price;
        transaction.nonce = priorityTree.count;
        transaction.value = request.l2Value;
        transaction.reserved[0] = request.mintValue;
        transaction.reserved[1] = uint160(refundRecipient);
        transaction.data = request.l2Calldata;
        transaction.factoryDeps = new uint256[](request.factoryDeps.length);
        for (uint256 i = 0; i < request.factoryDeps.length; i++) {
            transaction.factoryDeps[i] = uint256(keccak256(request.factoryDeps[i]));
        }
    }

    function checkLimits(L2CanonicalTransaction memory transaction, uint256 encodedLength) private view {
        uint256 gasLimit = transaction.gasLimit;
        if (gasLimit > priorityTxMaxGasLimit) revert TooMuchGas();
        uint256 pubdata = gasLimit / transaction.gasPerPubdataByteLimit;
        if (pubdata > feeParams.priorityTxMaxPubdata) revert PubdataGreaterThanLimit(feeParams.priorityTxMaxPubdata, pubdata);
        if (transaction.maxFeePerGas == 0) revert ZeroGasPriceL1TxZKSyncOS();
        if (gasLimit < minimalGasLimit(transaction, encodedLength)) revert ValidateTxnNotEnoughGas();
    }

    /// The least that executes without running out before the call begins.
    function minimalGasLimit(L2CanonicalTransaction memory transaction, uint256 encodedLength) private pure returns (uint256) {
        uint256 dataLength = transaction.data.length;
        uint256 rounds = (encodedLength + HASH_ROUND_BYTES - 1) / HASH_ROUND_BYTES;
        if (rounds == 0) rounds = 1;
        uint256 native = INTRINSIC_NATIVE + NATIVE_PER_HASH_ROUND * rounds + dataLength;
        uint256 maxFee = transaction.maxFeePerGas;
        uint256 nativeGas = maxFee == 0 ? native / NATIVE_PER_FREE_GAS : (native * NATIVE_PRICE) / maxFee;
        uint256 withPubdata = nativeGas + INTRINSIC_PUBDATA * transaction.gasPerPubdataByteLimit;
        uint256 withCalldata = INTRINSIC_GAS + GAS_PER_CALLDATA_BYTE * dataLength;
        uint256 minimum = withPubdata > withCalldata ? withPubdata : withCalldata;
        return minimum > GAS_LIMIT_FLOOR ? minimum : GAS_LIMIT_FLOOR;
    }
}
