/** Which methods there are. */
import type { MethodHandler, MethodOptions, MethodTable } from './method.ts';
import { debugMethods } from './methods/debug.ts';
import { ethMethods } from './methods/eth.ts';
import { netMethods } from './methods/net.ts';
import { otsMethods } from './methods/ots.ts';
import { repriseMethods } from './methods/reprise.ts';
import { txpoolMethods } from './methods/txpool.ts';
import { web3Methods } from './methods/web3.ts';
import { zksMethods } from './methods/zks.ts';

/** Namespaces that are served with another one. */
const SERVED_WITH: Readonly<Record<string, string>> = { erigon: 'ots' };

/** All methods of the namespaces that are switched on, by name. */
export function createMethods(options: MethodOptions): ReadonlyMap<string, MethodHandler> {
  const served = new Set(options.namespaces);
  const methods = new Map<string, MethodHandler>();
  const tables: MethodTable[] = [
    ethMethods(options),
    netMethods(options),
    web3Methods(options),
    zksMethods(options),
    txpoolMethods(options),
    debugMethods(options),
    otsMethods(options),
    repriseMethods(options),
  ];
  for (const table of tables) {
    for (const [name, handler] of Object.entries(table)) {
      const namespace = name.slice(0, name.indexOf('_'));
      if (served.has(SERVED_WITH[namespace] ?? namespace)) methods.set(name, handler);
    }
  }
  return methods;
}
