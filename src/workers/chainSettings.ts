/** From the configuration to what the chain worker is built with. */
import { join } from 'node:path';
import { type Bytes, ZERO_ADDRESS } from '../common/bytes.ts';
import type { Config } from '../common/config.ts';
import { NodeError } from '../common/errors.ts';
import { writesLog } from '../log/openLog.ts';
import { BATCH_NATIVE_MAX, BATCH_PUBDATA_BYTES_MAX } from '../protocol/batch.ts';
import { LOG_TREE_SIZE } from '../protocol/logTree.ts';
import type { ChainSettings } from './chain.ts';

/** Version of the stored form of state and journal; a bump makes a new directory, filled again from the log. */
export const CHAIN_STORE_VERSION = 3;

const FLUSH_EVERY_BLOCKS = 1_000;
/** Projections further behind than this many times the readiness threshold close transaction intake. */
const INTAKE_LAG_FACTOR = 10;
const DEFAULT_BASE_FEE = 1_000n;
const DEFAULT_PUBDATA_PRICE = 1n;

export function chainStorePath(config: Pick<Config, 'generalRocksDbPath'>): string {
  return join(config.generalRocksDbPath, 'chainStore', `v${CHAIN_STORE_VERSION}`);
}

export function configuredChainId(config: Pick<Config, 'genesisChainId'>): bigint {
  if (config.genesisChainId === undefined)
    throw new NodeError('fatal', 'genesis_chain_id is missing: set it to the L2 chain id', { code: 'CONFIG_INVALID' });
  return config.genesisChainId;
}

/** wei */
export function configuredBaseFee(config: Pick<Config, 'sequencerBaseFeeOverride'>): bigint {
  return config.sequencerBaseFeeOverride ?? DEFAULT_BASE_FEE;
}

/** @throws NodeError CONFIG_INVALID */
export function chainSettings(
  config: Config,
  identity: {
    readonly nodeId: Bytes;
    readonly bootId: Bytes;
    readonly nodeVersion: string;
    readonly chainAddress?: Bytes | undefined;
  },
): ChainSettings {
  const chainId = configuredChainId(config);
  if (config.nodeRole === 'main' && config.sequencerBlockPubdataLimitBytes > BATCH_PUBDATA_BYTES_MAX)
    throw new NodeError(
      'fatal',
      `sequencer_block_pubdata_limit_bytes is above ${BATCH_PUBDATA_BYTES_MAX}: L1 takes no batch with more, so a fuller block could never be settled`,
      { code: 'CONFIG_INVALID' },
    );
  return {
    mayLead: writesLog(config),
    sequencer: {
      chainId,
      feeCollector: config.sequencerFeeCollectorAddress,
      blockGasLimit: config.sequencerBlockGasLimit,
      blockPubdataLimitBytes: config.sequencerBlockPubdataLimitBytes,
      baseFee: configuredBaseFee(config),
      pubdataPrice: config.sequencerPubdataPriceOverride ?? DEFAULT_PUBDATA_PRICE,
      blockTimeMs: config.sequencerBlockTimeMs,
      maxTransactionsInBlock: config.sequencerMaxTransactionsInBlock,
      blockSizeLimitBytes: config.sequencerBlockSizeLimitBytes,
      nodeVersion: identity.nodeVersion,
    },
    mempool: {
      chainId,
      blockGasLimit: config.sequencerBlockGasLimit,
      maxInputBytes: config.txValidatorMaxInputBytes,
      maxPendingTransactions: config.mempoolMaxPendingTxs,
      maxPendingSizeBytes: config.mempoolMaxPendingSizeBytes,
    },
    batcher: config.batcherEnabled
      ? {
          limits: {
            blocks: config.batcherBlocksPerBatchLimit,
            native: BATCH_NATIVE_MAX,
            pubdataBytes: Number(config.sequencerBlockPubdataLimitBytes),
            logs: LOG_TREE_SIZE,
          },
          timeoutMs: config.batcherBatchTimeoutMs,
          chainAddress: identity.chainAddress ?? ZERO_ADDRESS,
        }
      : undefined,
    maxAheadBlocks: config.eventLogMaxAheadBlocks,
    nodeId: identity.nodeId,
    bootId: identity.bootId,
    intakeMaxLagBlocks: Math.max(1, config.projectionMaxLagBlocks) * INTAKE_LAG_FACTOR,
    flushEveryBlocks: FLUSH_EVERY_BLOCKS,
  };
}
