/** The functions and events of L1 that the node uses (spec: contracts 1 to 3). No others: any ZK Stack L1 has them. */
import { parseAbi } from 'viem';

const CANONICAL_TRANSACTION =
  'struct L2CanonicalTransaction { uint256 txType; uint256 from; uint256 to; uint256 gasLimit; uint256 gasPerPubdataByteLimit; uint256 maxFeePerGas; uint256 maxPriorityFeePerGas; uint256 paymaster; uint256 nonce; uint256 value; uint256[4] reserved; bytes data; bytes signature; uint256[] factoryDeps; bytes paymasterInput; bytes reservedDynamic; }';

export const BRIDGEHUB_ABI = parseAbi([
  'struct L2TransactionRequestDirect { uint256 chainId; uint256 mintValue; address l2Contract; uint256 l2Value; bytes l2Calldata; uint256 l2GasLimit; uint256 l2GasPerPubdataByteLimit; bytes[] factoryDeps; address refundRecipient; }',
  'function getAllZKChainChainIDs() view returns (uint256[])',
  'function getZKChain(uint256 chainId) view returns (address)',
  'function chainTypeManager(uint256 chainId) view returns (address)',
  'function l2TransactionBaseCost(uint256 chainId, uint256 gasPrice, uint256 l2GasLimit, uint256 gasPerPubdata) view returns (uint256)',
  'function requestL2TransactionDirect(L2TransactionRequestDirect request) payable returns (bytes32)',
  'error MsgValueMismatch(uint256 expected, uint256 provided)',
  'error MsgValueTooLow(uint256 required, uint256 provided)',
  'error GasPerPubdataMismatch()',
  'error TooMuchGas()',
  'error PubdataGreaterThanLimit(uint256 limit, uint256 length)',
  'error ValidateTxnNotEnoughGas()',
  'error TransactionNotAllowed()',
  'error ZKChainNotRegistered()',
]);

export const CHAIN_TYPE_MANAGER_ABI = parseAbi(['function validatorTimelockPostV29() view returns (address)']);

export const DIAMOND_ABI = parseAbi([
  CANONICAL_TRANSACTION,
  'function getTotalBatchesCommitted() view returns (uint256)',
  'function getTotalBatchesVerified() view returns (uint256)',
  'function getTotalBatchesExecuted() view returns (uint256)',
  'function getTotalPriorityTxs() view returns (uint256)',
  'function getPriorityTreeStartIndex() view returns (uint256)',
  'function getPubdataPricingMode() view returns (uint8)',
  'function storedBatchHash(uint256 batchNumber) view returns (bytes32)',
  'event NewPriorityRequest(uint256 txId, bytes32 txHash, uint64 expirationTimestamp, L2CanonicalTransaction transaction, bytes[] factoryDeps)',
  'event GenesisUpgrade(address indexed zkChain, L2CanonicalTransaction l2Transaction, uint256 indexed protocolVersion, bytes[] factoryDeps)',
]);
