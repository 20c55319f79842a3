/** Base-token withdrawals from L2 (spec: contracts 6, execution 10). */
import { bigIntToBytes, concatBytes, fromHex, padAddress } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { keccak256 } from '../common/hash.ts';
import type { L2ToL1Log } from './blockOutput.ts';
import { FINALIZE_ETH_WITHDRAWAL_SELECTOR } from './selectors.ts';
import { L1_MESSENGER_ADDRESS } from './systemAddresses.ts';

/** The L2 vault of bridged tokens; part of every asset id. */
const NATIVE_TOKEN_VAULT_ADDRESS: Bytes = fromHex('0000000000000000000000000000000000010004');

/** selector || receiver || amount: the message of `withdraw` (spec: execution 10). `amount` in wei. */
export function withdrawalMessage(receiver: Bytes, amount: bigint): Bytes {
  return concatBytes(FINALIZE_ETH_WITHDRAWAL_SELECTOR, receiver, bigIntToBytes(amount, 32));
}

/** The withdrawal message with the caller and more data behind it: of `withdrawWithMessage` (spec: execution 10). */
export function withdrawalMessageWithData(
  receiver: Bytes,
  amount: bigint,
  extra: { readonly caller: Bytes; readonly data: Bytes },
): Bytes {
  return concatBytes(withdrawalMessage(receiver, amount), extra.caller, extra.data);
}

/** The log of a message that `sender` sends to L1 through the messenger (spec: execution 10, 11). */
export function messageLog(sender: Bytes, message: Bytes, txNumberInBlock: number): L2ToL1Log {
  return {
    shardId: 0,
    isService: true,
    txNumberInBlock,
    sender: L1_MESSENGER_ADDRESS,
    key: padAddress(sender),
    value: keccak256(message),
  };
}

/** keccak256(abi.encode(origin chain id, 0x10004, token)); ether is the token 1 (spec: contracts 4.5). */
export function assetId(originChainId: bigint, token: Bytes): Bytes {
  return keccak256(
    concatBytes(bigIntToBytes(originChainId, 32), padAddress(NATIVE_TOKEN_VAULT_ADDRESS), padAddress(token)),
  );
}
