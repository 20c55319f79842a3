/** ots_*, what the block explorer Otterscan asks for (spec: rpc 13): API level 8. */
import type { MethodOptions, MethodTable } from '../method.ts';
import { otsBlockMethods } from './otsBlocks.ts';
import { otsSearchMethods } from './otsSearches.ts';
import { otsTraceMethods } from './otsTraces.ts';

const API_LEVEL = 8;

export function otsMethods(options: MethodOptions): MethodTable {
  return {
    ots_getApiLevel: () => API_LEVEL,
    ...otsBlockMethods(options),
    ...otsSearchMethods(options),
    ...otsTraceMethods(options),
  };
}
