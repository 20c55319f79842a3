/** Senders through the recovery worker against the bare loop of the native addon. */
import { createRequire } from 'node:module';
import type secp256k1 from 'secp256k1';
import { type Hex, serializeTransaction } from 'viem';
import { bigIntToBytes, fromHex, toHex } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { createRecovery } from '../../src/workers/recovery.ts';
import { interleaved, median, medianRatio } from './rounds.ts';

// As src/producers/senderRecovery.ts loads it; the package has no types for this file.
const addon = createRequire(import.meta.url)('secp256k1/bindings') as typeof secp256k1;

interface Signed {
  readonly raw: Uint8Array;
  readonly hash: Uint8Array;
  readonly signature: Uint8Array;
  readonly recoveryId: number;
}

function signedTransfer(index: number): Signed {
  const privateKey = keccak256(bigIntToBytes(BigInt(index + 1), 32));
  const fields = {
    type: 'eip1559',
    chainId: 270,
    nonce: index,
    gas: 21_000n,
    to: toHex(privateKey.slice(12)),
    value: 1n,
    maxFeePerGas: 1_000n,
    maxPriorityFeePerGas: 0n,
  } as const;
  const hash = keccak256(fromHex(serializeTransaction(fields)));
  const { signature, recid } = addon.ecdsaSign(hash, privateKey);
  const half = (start: number): Hex => toHex(signature.slice(start, start + 32));
  const raw = serializeTransaction(fields, { r: half(0), s: half(32), yParity: recid });
  return { raw: fromHex(raw), hash, signature, recoveryId: recid };
}

export interface RecoveryResult {
  readonly transactions: number;
  readonly perSecond: number;
  readonly barePerSecond: number;
  /** Rate of the path / rate of the loop. */
  readonly ratio: number;
}

export async function measureRecovery(count: number, rounds: number): Promise<RecoveryResult> {
  const signed = Array.from({ length: count }, (_, i) => signedTransfer(i));
  // Nothing is remembered, so that each round recovers anew.
  const recovery = createRecovery({ workerCount: 1, cachedSenders: 0 });
  const publicKey = new Uint8Array(65);
  try {
    const timed = async (work: () => Promise<unknown>): Promise<number> => {
      const start = performance.now();
      await work();
      return performance.now() - start;
    };
    const { path, bare } = await interleaved(
      {
        path: () => timed(() => Promise.all(signed.map(({ raw }) => recovery.recover(raw)))),
        bare: () =>
          timed(async () => {
            for (const { signature, recoveryId, hash } of signed)
              addon.ecdsaRecover(signature, recoveryId, hash, false, publicKey);
          }),
      },
      rounds,
    );
    return {
      transactions: count,
      perSecond: count / (median(path) / 1000),
      barePerSecond: count / (median(bare) / 1000),
      ratio: medianRatio(bare, path),
    };
  } finally {
    await recovery.close();
  }
}
