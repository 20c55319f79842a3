/**
 * Sender of a signed transaction (spec: replay-record 3.1, execution 5 step 7). Synchronous, on the native addon only:
 * the package would fall back to slow JavaScript without a word, so this module refuses to load without the addon.
 */
import { createRequire } from 'node:module';
import type * as Secp256k1 from 'secp256k1';
import type { Bytes } from '../common/bytes.ts';
import { NodeError, errorText } from '../common/errors.ts';
import { keccak256 } from '../common/hash.ts';
import type { L2Transaction } from '../protocol/transaction.ts';
import { writeU256 } from '../protocol/words.ts';

const secp256k1 = loadAddon();

const CURVE_ORDER = 0xffff_ffff_ffff_ffff_ffff_ffff_ffff_fffe_baae_dce6_af48_a03b_bfd2_5e8c_d036_4141n;
const HALF_ORDER = CURVE_ORDER >> 1n;

export type SignatureErrorCode = 'SIGNATURE_MALLEABLE' | 'SIGNATURE_INVALID';

/** The signature of a transaction names no sender. Never a fault of the node. */
export class SignatureError extends NodeError<{ readonly code: SignatureErrorCode; readonly [fact: string]: unknown }> {
  constructor(code: SignatureErrorCode, message: string, options: { cause?: unknown } = {}) {
    super('fatal', message, { code }, options);
    this.name = 'SignatureError';
  }
}

const signature = new Uint8Array(64);
const signatureView = new DataView(signature.buffer);
const publicKey = new Uint8Array(65);
const publicKeyPoint = publicKey.subarray(1);

/**
 * The 20-byte address whose key signed `transaction`.
 * @throws SignatureError SIGNATURE_MALLEABLE when s > n/2, SIGNATURE_INVALID when r or s is out of range or no key fits
 */
export function recoverSender(transaction: L2Transaction): Bytes {
  const { r, s, yParity, signingHash } = transaction;
  if (s > HALF_ORDER && s < CURVE_ORDER) {
    throw new SignatureError(
      'SIGNATURE_MALLEABLE',
      'invalid transaction signature: s is in the upper half of the curve order',
    );
  }
  if (r === 0n || r >= CURVE_ORDER || s === 0n || s >= CURVE_ORDER) {
    throw new SignatureError('SIGNATURE_INVALID', 'invalid transaction signature: r or s is out of range');
  }
  writeU256(signatureView, 0, r);
  writeU256(signatureView, 32, s);
  try {
    secp256k1.ecdsaRecover(signature, yParity, signingHash, false, publicKey);
  } catch (error) {
    throw new SignatureError('SIGNATURE_INVALID', 'invalid transaction signature: no public key fits it', {
      cause: error,
    });
  }
  return keccak256(publicKeyPoint).slice(12);
}

/** One address or one error per transaction, in order. */
export function recoverSenders(transactions: readonly L2Transaction[]): (Bytes | SignatureError)[] {
  return transactions.map((transaction) => {
    try {
      return recoverSender(transaction);
    } catch (error) {
      if (error instanceof SignatureError) return error;
      throw error;
    }
  });
}

function loadAddon(): typeof Secp256k1 {
  try {
    // The typed entry point is the one with the fallback; this one exists only with the addon.
    return createRequire(import.meta.url)('secp256k1/bindings') as typeof Secp256k1;
  } catch (error) {
    throw new NodeError(
      'fatal',
      `the native secp256k1 addon does not load on ${process.platform}-${process.arch}: ${errorText(error)}; reinstall the packages on this machine or use a platform with a prebuilt addon`,
      { code: 'NATIVE_ADDON_MISSING', platform: process.platform, arch: process.arch },
      { cause: error },
    );
  }
}
