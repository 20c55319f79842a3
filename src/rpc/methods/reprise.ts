/** Methods for other nodes of this software. */
import { toHex } from '../../common/bytes.ts';
import type { MethodOptions, MethodTable } from '../method.ts';

export function repriseMethods({ backend }: MethodOptions): MethodTable {
  return {
    // The encoded entry: all that a node needs to begin a log of its own for this chain.
    reprise_getGenesisEntry: () => toHex(backend.chain.genesisEntry),
  };
}
