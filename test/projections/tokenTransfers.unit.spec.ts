import assert from 'node:assert/strict';
import { bigIntToBytes, concatBytes, ZERO_32 } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import type { Log } from '../../src/protocol/blockOutput.ts';
import { tokenTransferOf } from '../../src/projections/tokenTransfers.ts';
import { anAddress, anErc20Transfer, anErc721Transfer } from './analyticsJournal.ts';

const [token, from, to] = [anAddress(1), anAddress(2), anAddress(3)];
const largest = 2n ** 256n - 1n;

describe('projections/tokenTransfers', () => {
  it('reads the amount of an ERC-20 transfer', () => {
    for (const amount of [0n, 1n, largest]) {
      assert.deepEqual(tokenTransferOf(anErc20Transfer(token, from, to, amount)), {
        standard: 'erc20',
        token,
        from,
        to,
        amount,
        tokenId: 0n,
      });
    }
  });

  it('reads the token id of an ERC-721 transfer', () => {
    for (const tokenId of [0n, largest]) {
      assert.deepEqual(tokenTransferOf(anErc721Transfer(token, from, to, tokenId)), {
        standard: 'erc721',
        token,
        from,
        to,
        amount: 1n,
        tokenId,
      });
    }
  });

  it('leaves alone what only looks like one', () => {
    const erc20 = anErc20Transfer(token, from, to, 5n);
    const erc721 = anErc721Transfer(token, from, to, 5n);
    const [signature = ZERO_32, padded = ZERO_32] = erc20.topics;
    const others: Log[] = [
      { ...erc20, topics: [] },
      { ...erc20, topics: [signature] },
      { ...erc20, topics: [signature, padded] },
      { ...erc20, topics: [keccak256(signature), padded, padded] },
      { ...erc20, data: new Uint8Array(0) },
      { ...erc20, data: concatBytes(bigIntToBytes(5n, 32), bigIntToBytes(5n, 32)) },
      { ...erc20, topics: [signature, padded, concatBytes(Uint8Array.of(1), padded.slice(1))] },
      { ...erc20, topics: [signature, concatBytes(Uint8Array.of(1), padded.slice(1)), padded] },
      { ...erc721, data: bigIntToBytes(5n, 32) },
    ];
    for (const [index, log] of others.entries()) assert.equal(tokenTransferOf(log), undefined, `log ${index}`);
  });
});
