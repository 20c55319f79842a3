/** The few fields of an accepted transaction that indexes need, without decoding the rest. */
import type { Bytes } from '../common/bytes.ts';
import { bytesToBigInt } from '../common/bytes.ts';
import { keccak256 } from '../common/hash.ts';
import { RlpCursor } from '../protocol/rlp.ts';
import { L1_PRIORITY_TYPE, UPGRADE_TYPE } from '../protocol/transaction.ts';

export interface TransactionOutline {
  readonly type: number;
  readonly hash: Bytes;
  /** A view of the transaction. undefined: a creation. */
  readonly to: Bytes | undefined;
  /** undefined: an L1 transaction, whose nonce is not the account's. */
  readonly nonce: bigint | undefined;
}

/** `raw` is an EIP-2718 envelope of an accepted block. Throws RLP_MALFORMED when it is not one. */
export function transactionOutline(raw: Bytes): TransactionOutline {
  const first = raw[0] ?? 0;
  const isLegacy = first >= 0xc0;
  const fields = new RlpCursor(raw, isLegacy ? 0 : 1).list();
  if (first === L1_PRIORITY_TYPE || first === UPGRADE_TYPE) {
    const hash = new Uint8Array(fields.bytes());
    fields.skip();
    return { type: first, hash, to: fields.bytes(), nonce: undefined };
  }
  if (!isLegacy) fields.skip();
  const nonce = bytesToBigInt(fields.bytes());
  const fieldsBeforeTo = first === 2 ? 3 : 2;
  for (let i = 0; i < fieldsBeforeTo; i++) fields.skip();
  const to = fields.bytes();
  return { type: isLegacy ? 0 : first, hash: keccak256(raw), to: to.length === 0 ? undefined : to, nonce };
}
