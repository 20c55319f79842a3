/** txpool_status (spec: rpc 14). */
import { quantity } from '../encoding.ts';
import type { MethodOptions, MethodTable } from '../method.ts';

export function txpoolMethods({ backend }: MethodOptions): MethodTable {
  return {
    txpool_status: async () => {
      const { pending, queued } = await backend.pool.status();
      return { pending: quantity(pending), queued: quantity(queued) };
    },
  };
}
