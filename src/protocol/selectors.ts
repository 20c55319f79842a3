/** Event topics and method selectors that the protocol itself knows (spec: execution 10, genesis 5 and 8). */
import type { Bytes } from '../common/bytes.ts';
import { keccak256 } from '../common/hash.ts';

const textEncoder = new TextEncoder();

function topic(signature: string): Bytes {
  return keccak256(textEncoder.encode(signature));
}

function selector(signature: string): Bytes {
  return topic(signature).slice(0, 4);
}

const L2_CANONICAL_TRANSACTION =
  '(uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256[4],bytes,bytes,uint256[],bytes,bytes)';

/** Events, by name. */
export const EVENT_SIGNATURES = {
  NewPriorityRequest: `NewPriorityRequest(uint256,bytes32,uint64,${L2_CANONICAL_TRANSACTION},bytes[])`,
  GenesisUpgrade: `GenesisUpgrade(address,${L2_CANONICAL_TRANSACTION},uint256,bytes[])`,
  L1MessageSent: 'L1MessageSent(address,bytes32,bytes)',
} as const;

export const NEW_PRIORITY_REQUEST_TOPIC: Bytes = topic(EVENT_SIGNATURES.NewPriorityRequest);
export const GENESIS_UPGRADE_TOPIC: Bytes = topic(EVENT_SIGNATURES.GenesisUpgrade);
export const L1_MESSAGE_SENT_TOPIC: Bytes = topic(EVENT_SIGNATURES.L1MessageSent);

/** Of the deployer hook at 0x8006. */
export const SET_BYTECODE_DETAILS_EVM_SELECTOR: Bytes = selector(
  'setBytecodeDetailsEVM(address,bytes32,uint32,bytes32)',
);
/** Of the messenger hook at 0x8008. */
export const SEND_TO_L1_SELECTOR: Bytes = selector('sendToL1(bytes)');
/** Of the base token hook at 0x800a. */
export const WITHDRAW_SELECTOR: Bytes = selector('withdraw(address)');
/** Of the base token hook at 0x800a. */
export const WITHDRAW_WITH_MESSAGE_SELECTOR: Bytes = selector('withdrawWithMessage(address,bytes)');
/** First bytes of withdrawal messages. */
export const FINALIZE_ETH_WITHDRAWAL_SELECTOR: Bytes = selector(
  'finalizeEthWithdrawal(uint256,uint256,uint16,bytes,bytes32[])',
);
