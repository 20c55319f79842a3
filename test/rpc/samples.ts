/** Transactions of the vectors, for chains in memory. */
import { fromHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { encodeL1TransactionWithHash } from '../../src/protocol/transactionCodec.ts';
import type { FakeTransaction } from './fakeBackend.ts';
import { vectorFile } from './fakeBackend.ts';

export interface L2Case {
  readonly raw: string;
  readonly hash: string;
  readonly chain_id: number | null;
  readonly sender: string;
  readonly decoded: Readonly<Record<string, unknown>>;
}

export const TYPED_CASES: readonly L2Case[] = vectorFile<{ cases: L2Case[] }>('tx/typed.json').cases;

/** The first vector of that type. */
export function l2Case(type: '0x0' | '0x1' | '0x2'): L2Case {
  const found = TYPED_CASES.find(({ decoded }) => decoded['type'] === type);
  if (found === undefined) throw new Error(`no vector of type ${type}`);
  return found;
}

export function l2Transaction(type: '0x0' | '0x1' | '0x2', more: Partial<FakeTransaction> = {}): FakeTransaction {
  const { raw, sender } = l2Case(type);
  return { raw: fromHex(raw), sender: fromHex(sender), ...more };
}

export const L1_SHAPE = vectorFile<{ rpc_fields: Record<string, string> }>('tx/l1_priority_rpc_shape.json').rpc_fields;

function shapeField(key: string): string {
  const value = L1_SHAPE[key];
  if (typeof value !== 'string') throw new Error(`the vector has no ${key}`);
  return value;
}

/** The priority transaction of the vector. */
export function l1Transaction(more: Partial<FakeTransaction> & { readonly type?: 0x7e | 0x7f } = {}): FakeTransaction {
  const { type = 0x7f, ...rest } = more;
  const transaction = encodeL1TransactionWithHash(
    {
      type,
      initiator: fromHex(shapeField('initiator')),
      to: fromHex(shapeField('to')),
      gasLimit: BigInt(shapeField('gas')),
      gasPerPubdataByteLimit: BigInt(shapeField('gasPerPubdataByteLimit')),
      maxFeePerGas: BigInt(shapeField('maxFeePerGas')),
      maxPriorityFeePerGas: 0n,
      nonce: BigInt(shapeField('nonce')),
      value: BigInt(shapeField('value')),
      toMint: BigInt(shapeField('toMint')),
      refundRecipient: fromHex(shapeField('refundRecipient')),
      input: fromHex(shapeField('input')),
      factoryDeps: [],
    },
    fromHex(shapeField('hash')),
  );
  return { raw: transaction.raw, sender: transaction.initiator, ...rest };
}

export const EMITTER: Bytes = fromHex('0x00000000000000000000000000000000000000ee');
export const topic = (n: number): Bytes => new Uint8Array(32).fill(n);
