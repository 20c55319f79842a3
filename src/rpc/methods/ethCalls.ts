/** eth_call and eth_estimateGas (spec: rpc 6). The execution itself is the backend's. */
import { toHex } from '../../common/bytes.ts';
import { NodeError } from '../../common/errors.ts';
import type { SimulatedCall, SimulationResult } from '../backend.ts';
import type { BlockId } from '../blockTags.ts';
import { parseBlockId, requireBlock } from '../blockTags.ts';
import type { CallFields, CallOverrides } from '../callRequest.ts';
import { parseBlockOverrides, parseCallFields, parseStateOverrides, simulatedCall } from '../callRequest.ts';
import { quantity } from '../encoding.ts';
import { RPC_CODE, RpcError, blockNotFound, invalidTransactionError, serverBusy } from '../errors.ts';
import type { MethodOptions, MethodTable } from '../method.ts';
import { revertError } from '../revertReason.ts';
import { argumentName, required } from '../validation.ts';

/** What a request stands for on the block that it names. */
export async function resolveCall(
  { backend, ethCallGas }: MethodOptions,
  request: {
    readonly kind: SimulatedCall['kind'];
    readonly fields: CallFields;
    readonly blockId: BlockId;
    readonly overrides: CallOverrides;
  },
): Promise<SimulatedCall> {
  const { kind, fields, blockId, overrides } = request;
  const blockNumber = await requireBlock(backend, blockId);
  const context = await backend.blockContext(blockNumber);
  if (context === undefined) throw blockNotFound();
  return simulatedCall(fields, overrides, { kind, blockNumber, context, defaultGas: ethCallGas });
}

export function callMethods(options: MethodOptions): MethodTable {
  const { backend, callTimeoutMs } = options;

  async function prepare(kind: SimulatedCall['kind'], params: readonly unknown[]): Promise<SimulatedCall> {
    const fields = parseCallFields(required(params, 0), argumentName(0), backend.chain.chainId);
    const blockId = parseBlockId(params[1], argumentName(1));
    const overrides = {
      stateOverrides: parseStateOverrides(params[2], argumentName(2)),
      blockOverrides: parseBlockOverrides(params[3], argumentName(3)),
    };
    return resolveCall(options, { kind, fields, blockId, overrides });
  }

  async function run(call: SimulatedCall): Promise<SimulationResult> {
    try {
      return await backend.simulate(call);
    } catch (error) {
      if (error instanceof NodeError && error.code === 'CALL_TIMEOUT') {
        throw new RpcError(RPC_CODE.serverError, `execution aborted (timeout = ${callTimeoutMs / 1_000}s)`, {
          cause: error,
        });
      }
      if (error instanceof NodeError && error.code === 'CALL_QUEUE_FULL') throw serverBusy();
      throw error;
    }
  }

  return {
    eth_call: async (params) => {
      const result = await run(await prepare('call', params));
      return toHex(succeeded(result).returnData);
    },
    eth_estimateGas: async (params) => {
      const result = await run(await prepare('estimate', params));
      return quantity(succeeded(result).gas);
    },
  };
}

function succeeded(result: SimulationResult): Extract<SimulationResult, { kind: 'success' }> {
  switch (result.kind) {
    case 'success':
      return result;
    case 'revert':
      throw revertError(result.returnData);
    case 'invalid':
      throw invalidTransactionError(result.error, result.message);
    case 'exceedsAllowance':
      throw new RpcError(RPC_CODE.serverError, `gas required exceeds allowance (${result.gas})`);
  }
}
