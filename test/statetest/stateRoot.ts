/** The Merkle Patricia root of a state in memory, by a library of other hands. */
import { createMPT } from '@ethereumjs/mpt';
import { KECCAK_EMPTY, keccak256 } from '../../src/common/hash.ts';
import { fromHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { encodeRlp, rlpInteger } from '../../src/protocol/rlp.ts';

export interface RootAccount {
  readonly address: Bytes;
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly codeHash: Bytes;
  readonly storageRoot: Bytes;
}

export const EMPTY_ROOT: Bytes = fromHex('56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421');

async function root(entries: readonly (readonly [key: Bytes, value: Bytes])[]): Promise<Bytes> {
  const trie = await createMPT({ useKeyHashingFunction: keccak256 });
  for (const [key, value] of entries) await trie.put(keccak256(key), value);
  return trie.root();
}

/** `slots`: values by slot, zeros among them or not. */
export async function storageRoot(slots: readonly (readonly [slot: Bytes, value: Bytes])[]): Promise<Bytes> {
  const entries: (readonly [Bytes, Bytes])[] = [];
  for (const [slot, value] of slots) {
    const first = value.findIndex((byte) => byte !== 0);
    if (first >= 0) entries.push([slot, encodeRlp(value.subarray(first))]);
  }
  return entries.length === 0 ? EMPTY_ROOT : root(entries);
}

export function isEmptyAccount({ nonce, balance, codeHash }: RootAccount): boolean {
  return nonce === 0n && balance === 0n && Buffer.compare(codeHash, KECCAK_EMPTY) === 0;
}

export async function stateRoot(accounts: readonly RootAccount[]): Promise<Bytes> {
  return root(
    accounts.map(({ address, nonce, balance, storageRoot, codeHash }) => [
      address,
      encodeRlp([rlpInteger(nonce), rlpInteger(balance), storageRoot, codeHash]),
    ]),
  );
}
