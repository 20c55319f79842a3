/** The precompiles of the EVM flavour by address (spec: execution 9). */
import type { Bytes } from '../../common/bytes.ts';
import { bn254Add, bn254Mul, bn254Pairing } from './bn254.ts';
import { ecrecover } from './ecrecover.ts';
import { identity, ripemd160, sha256 } from './hashes.ts';
import { modexp } from './modexp.ts';
import { stubPrecompile } from './precompile.ts';
import type { Precompile } from './precompile.ts';

export type { Precompile, PrecompileResult } from './precompile.ts';

/** blake2f and the KZG point evaluation exist as stubs only. */
const BLAKE2F_INPUT_BYTES = 213;
const POINT_EVALUATION_INPUT_BYTES = 193;

/** Index = address - 1. */
const PRECOMPILES: readonly Precompile[] = [
  ecrecover,
  sha256,
  ripemd160,
  identity,
  modexp,
  bn254Add,
  bn254Mul,
  bn254Pairing,
  stubPrecompile(BLAKE2F_INPUT_BYTES),
  stubPrecompile(POINT_EVALUATION_INPUT_BYTES),
];

const LAST_BYTE = 19;

/** The precompile at a 20-byte address, 0x01 to 0x0a. */
export function precompileAt(address: Bytes): Precompile | undefined {
  const number = address[LAST_BYTE];
  if (number === undefined || number === 0 || number > PRECOMPILES.length) return undefined;
  for (let i = 0; i < LAST_BYTE; i++) if (address[i] !== 0) return undefined;
  return PRECOMPILES[number - 1];
}
