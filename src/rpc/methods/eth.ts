/** eth_* (spec: rpc 3 to 8), put together from its groups. */
import type { MethodOptions, MethodTable } from '../method.ts';
import { blockMethods } from './ethBlocks.ts';
import { callMethods } from './ethCalls.ts';
import { chainMethods } from './ethChain.ts';
import { filterMethods } from './ethFilters.ts';
import { stateMethods } from './ethState.ts';
import { subscriptionMethods } from './ethSubscriptions.ts';
import { transactionMethods } from './ethTransactions.ts';

export function ethMethods(options: MethodOptions): MethodTable {
  return {
    ...chainMethods(options),
    ...blockMethods(options),
    ...transactionMethods(options),
    ...stateMethods(options),
    ...callMethods(options),
    ...filterMethods(options),
    ...subscriptionMethods(),
  };
}
