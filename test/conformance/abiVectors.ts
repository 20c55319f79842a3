/** abi/*: event topics and hook selectors (spec: contracts 1 and 3, execution 10). */
import {
  EVENT_SIGNATURES,
  FINALIZE_ETH_WITHDRAWAL_SELECTOR,
  GENESIS_UPGRADE_TOPIC,
  L1_MESSAGE_SENT_TOPIC,
  NEW_PRIORITY_REQUEST_TOPIC,
  SEND_TO_L1_SELECTOR,
  SET_BYTECODE_DETAILS_EVM_SELECTOR,
  WITHDRAW_SELECTOR,
  WITHDRAW_WITH_MESSAGE_SELECTOR,
} from '../../src/protocol/selectors.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import type { VectorFamily } from './family.ts';
import { fail, same } from './suite.ts';
import { anyObject, fieldsOf, hex, text } from './vectorData.ts';

const EVENTS: Readonly<Record<string, { readonly signature: string; readonly topic: Bytes }>> = {
  NewPriorityRequest: { signature: EVENT_SIGNATURES.NewPriorityRequest, topic: NEW_PRIORITY_REQUEST_TOPIC },
  GenesisUpgrade: { signature: EVENT_SIGNATURES.GenesisUpgrade, topic: GENESIS_UPGRADE_TOPIC },
  L1MessageSent: { signature: EVENT_SIGNATURES.L1MessageSent, topic: L1_MESSAGE_SENT_TOPIC },
};

const SELECTORS: Readonly<Record<string, Bytes>> = {
  'setBytecodeDetailsEVM(address,bytes32,uint32,bytes32)': SET_BYTECODE_DETAILS_EVM_SELECTOR,
  'sendToL1(bytes)': SEND_TO_L1_SELECTOR,
  'withdraw(address)': WITHDRAW_SELECTOR,
  'withdrawWithMessage(address,bytes)': WITHDRAW_WITH_MESSAGE_SELECTOR,
  'finalizeEthWithdrawal(uint256,uint256,uint16,bytes,bytes32[])': FINALIZE_ETH_WITHDRAWAL_SELECTOR,
};

export const abiVectors: VectorFamily = {
  owns: (path) => path === 'abi/events_and_selectors.json',

  run(path, folder, suite) {
    const root = fieldsOf(folder.json(path), 'events', 'selectors');
    for (const [name, value] of Object.entries(anyObject(root['events']))) {
      suite.case(`event ${name}`, () => {
        const fields = fieldsOf(value, 'signature', 'topic0');
        const known = EVENTS[name] ?? fail('the node does not know it');
        same(
          { signature: known.signature, topic: known.topic },
          { signature: text(fields['signature']), topic: hex(fields['topic0']) },
          'event',
        );
      });
    }
    for (const [signature, value] of Object.entries(anyObject(root['selectors']))) {
      suite.case(`selector of ${signature}`, () => {
        same(SELECTORS[signature] ?? fail('the node does not know it'), hex(value), 'selector');
      });
    }
  },
};
