/** Traces of transactions, blocks and calls (spec: rpc 12). The text of a result comes from the rpc worker as it is. */
import type { TraceRequest } from '../backend.ts';
import { LATEST, parseBlockId, requireBlock } from '../blockTags.ts';
import { parseBlockOverrides, parseCallFields, parseStateOverrides } from '../callRequest.ts';
import { invalidArgument, RPC_CODE, RpcError } from '../errors.ts';
import type { MethodHandler, MethodOptions, MethodTable } from '../method.ts';
import { RawJson } from '../rawJson.ts';
import { parseTraceOptions } from '../traceOptions.ts';
import { argumentName, isAbsent, parseHash, parseObject, required } from '../validation.ts';
import type { ArgumentParser } from './ethBlocks.ts';
import { byHash, byNumber } from './ethBlocks.ts';
import { resolveCall } from './ethCalls.ts';

export function debugMethods(options: MethodOptions): MethodTable {
  const { backend } = options;

  async function traced(request: TraceRequest): Promise<RawJson> {
    return new RawJson(await backend.trace(request));
  }

  const traceBlock =
    (parseId: ArgumentParser): MethodHandler =>
    async (params) => {
      const id = parseId(params);
      const trace = parseTraceOptions(params[1], argumentName(1));
      const blockNumber = await requireBlock(backend, id);
      return blockNumber === 0 ? [] : traced({ kind: 'block', blockNumber, ...trace });
    };

  return {
    debug_traceTransaction: async (params) => {
      const hash = parseHash(required(params, 0), argumentName(0));
      const trace = parseTraceOptions(params[1], argumentName(1));
      const stored = await backend.repositories.transactionByHash(hash);
      if (stored === undefined || stored.meta.blockNumber > backend.latest())
        throw new RpcError(RPC_CODE.serverError, 'transaction not found');
      const { blockNumber, transactionIndex } = stored.meta;
      return traced({ kind: 'transaction', blockNumber, transactionIndex, ...trace });
    },
    debug_traceBlockByNumber: traceBlock(byNumber),
    debug_traceBlockByHash: traceBlock(byHash),
    debug_traceCall: async (params) => {
      const fields = parseCallFields(required(params, 0), argumentName(0), backend.chain.chainId);
      const blockId = isAbsent(params[1]) ? LATEST : parseBlockId(params[1], argumentName(1));
      const name = argumentName(2);
      const trace = parseTraceOptions(params[2], name);
      const more = isAbsent(params[2]) ? {} : parseObject(params[2], name);
      if (!isAbsent(more['txIndex'])) throw invalidArgument('txIndex is not supported: calls run after a whole block');
      const overrides = {
        stateOverrides: parseStateOverrides(more['stateOverrides'], `${name}.stateOverrides`),
        blockOverrides: parseBlockOverrides(more['blockOverrides'], `${name}.blockOverrides`),
      };
      const call = await resolveCall(options, { kind: 'call', fields, blockId, overrides });
      return traced({ kind: 'call', call, ...trace });
    },
  };
}
