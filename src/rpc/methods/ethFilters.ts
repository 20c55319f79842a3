/** Filters that clients poll (spec: rpc 8). */
import { invalidParams } from '../errors.ts';
import { parseLogQuery } from '../logQuery.ts';
import type { MethodOptions, MethodTable } from '../method.ts';
import { argumentName, isAbsent, parseBoolean, required } from '../validation.ts';

export function filterMethods({ filters }: MethodOptions): MethodTable {
  return {
    eth_newFilter: (params) => filters.newLogFilter(parseLogQuery(required(params, 0), argumentName(0))),
    eth_newBlockFilter: () => filters.newBlockFilter(),
    eth_newPendingTransactionFilter: (params) =>
      filters.newPendingFilter(isAbsent(params[0]) ? false : parseBoolean(params[0], argumentName(0))),
    eth_getFilterChanges: (params) => filters.changes(filterId(params)),
    eth_getFilterLogs: (params) => filters.logs(filterId(params)),
    eth_uninstallFilter: (params) => filters.uninstall(filterId(params)),
  };
}

/** Any string; one that names no filter is `filter not found`. */
function filterId(params: readonly unknown[]): string {
  const id = required(params, 0);
  if (typeof id !== 'string') throw invalidParams(`invalid ${argumentName(0)}: expected a filter id`);
  return id;
}
