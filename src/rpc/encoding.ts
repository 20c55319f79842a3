/** Values as JSON-RPC writes them (spec: rpc 3). */
import type { Bytes } from '../common/bytes.ts';
import { toHex } from '../common/bytes.ts';

/** Lower-case hex without leading zeros. */
export function quantity(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

/** JSON has no undefined: a missing value is null. */
export function hexOrNull(bytes: Bytes | undefined): string | null {
  return bytes === undefined ? null : toHex(bytes);
}
