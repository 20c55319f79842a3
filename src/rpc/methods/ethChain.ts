/** The chain, the node and its fees (spec: rpc 5). */
import { toHex } from '../../common/bytes.ts';
import { quantity } from '../encoding.ts';
import { blockNotFound } from '../errors.ts';
import { feeHistory } from '../feeHistory.ts';
import type { MethodOptions, MethodTable } from '../method.ts';

const SCALE_UNIT = 1_000n;

export function chainMethods(options: MethodOptions): MethodTable {
  const { backend, syncingLagBlocks } = options;
  const scale = BigInt(Math.round(options.gasPriceScale * Number(SCALE_UNIT)));
  const startingBlock = backend.latest();
  return {
    eth_chainId: () => quantity(backend.chain.chainId),
    eth_blockNumber: () => quantity(backend.latest()),
    eth_protocolVersion: () => 'zksync_os/0.0.1',
    eth_syncing: () => {
      const currentBlock = backend.latest();
      const highestBlock = backend.logHead();
      if (highestBlock - currentBlock <= syncingLagBlocks) return false;
      return {
        startingBlock: quantity(startingBlock),
        currentBlock: quantity(currentBlock),
        highestBlock: quantity(highestBlock),
      };
    },
    eth_coinbase: async () => {
      const block = await backend.repositories.blockByNumber(backend.latest());
      if (block === undefined) throw blockNotFound();
      return toHex(block.header.beneficiary);
    },
    eth_accounts: () => [],
    // Rounded up, so that a price taken from here is never below the base fee.
    eth_gasPrice: () => quantity((backend.nextBaseFee() * scale + SCALE_UNIT - 1n) / SCALE_UNIT),
    eth_maxPriorityFeePerGas: () => '0x0',
    // There are no blobs; the constant is what the BLOBBASEFEE opcode answers.
    eth_blobBaseFee: () => '0x1',
    eth_feeHistory: (params) => feeHistory(backend, params),
  };
}
