/** web3_* (spec: rpc 10). */
import { toHex } from '../../common/bytes.ts';
import { keccak256 } from '../../common/hash.ts';
import type { MethodOptions, MethodTable } from '../method.ts';
import { argumentName, parseData, required } from '../validation.ts';

export function web3Methods({ backend }: MethodOptions): MethodTable {
  return {
    web3_clientVersion: () => `zksync-os/v${backend.nodeVersion}`,
    web3_sha3: (params) => toHex(keccak256(parseData(required(params, 0), argumentName(0)))),
  };
}
