/** eth_subscribe and eth_unsubscribe (spec: rpc 9): on a WebSocket only. */
import { RPC_CODE, RpcError, invalidArgument, invalidParams } from '../errors.ts';
import { parseLogQuery } from '../logQuery.ts';
import type { MethodTable } from '../method.ts';
import type { SubscriptionCalls, SubscriptionRequest } from '../subscriptions.ts';
import { argumentName, isAbsent, parseBoolean, required } from '../validation.ts';

export function subscriptionMethods(): MethodTable {
  return {
    eth_subscribe: (params, connection) => {
      const request = parseSubscription(required(params, 0), params[1]);
      return requireConnection(connection).subscribe(request);
    },
    eth_unsubscribe: (params, connection) => {
      const id = required(params, 0);
      if (typeof id !== 'string') throw invalidParams(`invalid ${argumentName(0)}: expected a subscription id`);
      return requireConnection(connection).unsubscribe(id);
    },
  };
}

function parseSubscription(kind: unknown, argument: unknown): SubscriptionRequest {
  switch (kind) {
    case 'newHeads':
      if (!isAbsent(argument)) throw invalidArgument('invalid params: specified for head subscription (expected none)');
      return { kind };
    case 'logs': {
      if (typeof argument === 'boolean')
        throw invalidArgument('invalid params: boolean (transaction fullness) specified for log subscription');
      if (isAbsent(argument)) return { kind, filter: { addresses: [], topics: [] } };
      // Heights are ignored, as everywhere: a subscription begins with the next block.
      const { addresses, topics } = parseLogQuery(argument, argumentName(1));
      return { kind, filter: { addresses, topics } };
    }
    case 'newPendingTransactions':
      if (typeof argument === 'object' && !isAbsent(argument))
        throw invalidArgument('invalid params: log filter specified for pending transaction subscription');
      return { kind, isFull: isAbsent(argument) ? false : parseBoolean(argument, argumentName(1)) };
    case 'syncing':
      throw new RpcError(RPC_CODE.notSupported, 'syncing subscriptions are not supported yet');
    default: {
      if (typeof kind !== 'string') throw invalidParams(`invalid ${argumentName(0)}: expected a subscription name`);
      throw new RpcError(RPC_CODE.methodNotFound, `no "${kind.slice(0, 100)}" subscription in eth namespace`);
    }
  }
}

function requireConnection(connection: SubscriptionCalls | undefined): SubscriptionCalls {
  if (connection === undefined) throw new RpcError(RPC_CODE.methodNotFound, 'notifications not supported');
  return connection;
}
