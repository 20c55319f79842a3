/** What happened inside of a transaction, as Otterscan shows it (spec: rpc 13). It is executed again, with the limits of traces. */
import type { StoredReceipt } from '../../projections/repositoriesReader.ts';
import type { TracerSpec } from '../../vm/tracers/createTracer.ts';
import { RPC_CODE, RpcError } from '../errors.ts';
import type { MethodHandler, MethodOptions, MethodTable } from '../method.ts';
import { RawJson } from '../rawJson.ts';
import { argumentName, parseHash, parseObject, required } from '../validation.ts';

const TOP_CALL: TracerSpec = { name: 'callTracer', config: { onlyTopCall: true, withLog: false } };

export function otsTraceMethods({ backend }: MethodOptions): MethodTable {
  async function requireReceipt(params: readonly unknown[]): Promise<StoredReceipt> {
    const receipt = await backend.repositories.receiptByHash(parseHash(required(params, 0), argumentName(0)));
    if (receipt === undefined || receipt.meta.blockNumber > backend.latest())
      throw new RpcError(RPC_CODE.serverError, 'transaction not found');
    return receipt;
  }

  function trace({ meta: { blockNumber, transactionIndex } }: StoredReceipt, tracer: TracerSpec): Promise<string> {
    return backend.trace({ kind: 'transaction', blockNumber, transactionIndex, tracer, timeoutMs: undefined });
  }

  const callList =
    (shape: 'calls' | 'operations'): MethodHandler =>
    async (params) =>
      new RawJson(await trace(await requireReceipt(params), { name: 'callList', config: { shape } }));

  return {
    ots_traceTransaction: callList('calls'),
    ots_getInternalOperations: callList('operations'),
    ots_getTransactionError: async (params) => {
      const receipt = await requireReceipt(params);
      if (receipt.success) return '0x';
      const top = parseObject(JSON.parse(await trace(receipt, TOP_CALL)), 'trace');
      return top['output'] ?? '0x';
    },
  };
}
