/** net_* (spec: rpc 10). The network id is the chain id, in decimal. */
import type { MethodOptions, MethodTable } from '../method.ts';

export function netMethods({ backend }: MethodOptions): MethodTable {
  return {
    net_version: () => backend.chain.chainId.toString(),
    net_listening: () => true,
    net_peerCount: () => '0x0',
  };
}
