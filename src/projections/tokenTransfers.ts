/** ERC-20 and ERC-721 transfers out of logs: the event is the same, the indexed token id tells them apart. */
import { bytesToBigInt, equalBytes, isZero, type Bytes } from '../common/bytes.ts';
import { keccak256 } from '../common/hash.ts';
import type { Log } from '../protocol/blockOutput.ts';

export interface TokenTransfer {
  readonly standard: 'erc20' | 'erc721';
  readonly token: Bytes;
  readonly from: Bytes;
  readonly to: Bytes;
  /** Smallest units of the token; 1 for ERC-721. */
  readonly amount: bigint;
  /** 0 for ERC-20. */
  readonly tokenId: bigint;
}

const TRANSFER = keccak256(new TextEncoder().encode('Transfer(address,address,uint256)'));
const WORD = 32;
const PADDING = 12;

/** undefined: the log is no transfer of either standard. */
export function tokenTransferOf({ address, topics, data }: Log): TokenTransfer | undefined {
  const [signature, from, to, tokenId] = topics;
  if (signature === undefined || from === undefined || to === undefined) return undefined;
  if (!equalBytes(signature, TRANSFER) || !isPaddedAddress(from) || !isPaddedAddress(to)) return undefined;
  const parties = { token: address, from: from.subarray(PADDING), to: to.subarray(PADDING) };
  if (tokenId === undefined)
    return data.length === WORD
      ? { standard: 'erc20', ...parties, amount: bytesToBigInt(data), tokenId: 0n }
      : undefined;
  return data.length === 0
    ? { standard: 'erc721', ...parties, amount: 1n, tokenId: bytesToBigInt(tokenId) }
    : undefined;
}

function isPaddedAddress(word: Bytes): boolean {
  return word.length === WORD && isZero(word.subarray(0, PADDING));
}
