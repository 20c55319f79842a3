/** Accounts, code and storage after a block (spec: rpc 5, state 2, 3). */
import type { Bytes } from '../../common/bytes.ts';
import { EMPTY_BYTES, ZERO_32, isZero, toHex } from '../../common/bytes.ts';
import { NodeError } from '../../common/errors.ts';
import { KECCAK_EMPTY } from '../../common/hash.ts';
import type { AccountRecord } from '../../protocol/accountRecord.ts';
import { EMPTY_ACCOUNT_RECORD, decodeAccountRecord, observableCode } from '../../protocol/accountRecord.ts';
import { parseBlockId, requireState } from '../blockTags.ts';
import { quantity } from '../encoding.ts';
import { RPC_CODE, RpcError } from '../errors.ts';
import type { MethodOptions, MethodTable } from '../method.ts';
import { argumentName, parseAddress, parseStorageKey, required } from '../validation.ts';

export function stateMethods({ backend }: MethodOptions): MethodTable {
  const { state, pool } = backend;

  const addressArgument = (params: readonly unknown[]): Bytes => parseAddress(required(params, 0), argumentName(0));

  async function accountAt(params: readonly unknown[]): Promise<AccountRecord> {
    const address = addressArgument(params);
    const number = await requireState(backend, parseBlockId(params[1], argumentName(1)));
    const record = await state.account(address, number);
    return record === undefined ? EMPTY_ACCOUNT_RECORD : decodeAccountRecord(record);
  }

  async function codeOf(account: AccountRecord): Promise<Bytes> {
    if (account.observableBytecodeLength === 0) return EMPTY_BYTES;
    const stored = await state.preimage(account.bytecodeHash);
    if (stored !== undefined) return observableCode(stored, account);
    const hash = toHex(account.bytecodeHash);
    throw new NodeError('invariant', `the code preimage ${hash} of an account is not in the store`, {
      code: 'CODE_PREIMAGE_MISSING',
      hash,
    });
  }

  return {
    eth_getBalance: async (params) => quantity((await accountAt(params)).balance),
    eth_getCode: async (params) => toHex(await codeOf(await accountAt(params))),
    eth_getStorageAt: async (params) => {
      const address = addressArgument(params);
      const slot = parseStorageKey(required(params, 1), argumentName(1));
      const number = await requireState(backend, parseBlockId(params[2], argumentName(2)));
      return toHex((await state.slot(address, slot, number)) ?? ZERO_32);
    },
    eth_getTransactionCount: async (params) => {
      if (params[1] === 'pending') return quantity(await pool.pendingNonce(addressArgument(params)));
      return quantity((await accountAt(params)).nonce);
    },
    eth_getAccount: async (params) => {
      const { balance, nonce, observableBytecodeHash } = await accountAt(params);
      return {
        balance: quantity(balance),
        nonce: quantity(nonce),
        codeHash: toHex(isZero(observableBytecodeHash) ? KECCAK_EMPTY : observableBytecodeHash),
        // Accounts have no storage tree of their own: the state is one flat tree.
        storageRoot: toHex(ZERO_32),
      };
    },
    eth_getAccountInfo: async (params) => {
      const account = await accountAt(params);
      return {
        balance: quantity(account.balance),
        nonce: quantity(account.nonce),
        code: toHex(await codeOf(account)),
      };
    },
    eth_getProof: () => {
      throw new RpcError(
        RPC_CODE.notSupported,
        'unsupported as ZKsync OS has a different storage layout than Ethereum',
      );
    },
  };
}
