/** zks_* (spec: rpc 11). */
import { toHex } from '../../common/bytes.ts';
import type { MethodOptions, MethodTable } from '../method.ts';
import { logProofMethod } from './zksLogProof.ts';
import { stateProofMethod } from './zksStateProof.ts';

export function zksMethods({ backend }: MethodOptions): MethodTable {
  return {
    zks_getL2ToL1LogProof: logProofMethod(backend),
    zks_getProof: stateProofMethod(backend),
    zks_getBridgehubContract: () => toHex(backend.chain.bridgehub),
    // External nodes compare this with what they have: the keys are those of genesis.json.
    zks_getGenesis: () => {
      const { genesis } = backend.chain;
      return {
        initial_contracts: genesis.initialContracts.map(([address, code]) => [toHex(address), toHex(code)]),
        additional_storage: genesis.additionalStorage.map(([key, value]) => [toHex(key), toHex(value)]),
        execution_version: genesis.executionVersion,
        genesis_root: toHex(genesis.genesisRoot),
      };
    },
  };
}
