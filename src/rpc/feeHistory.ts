/** eth_feeHistory (spec: rpc 5). There is no fee market: priority fees buy order only, so suggested rewards are zero. */
import type { StoredBlock } from '../projections/repositoriesReader.ts';
import type { RpcBackend } from './backend.ts';
import { parseBlockNumber, requireBlock } from './blockTags.ts';
import { quantity } from './encoding.ts';
import { blockNotFound, invalidArgument, invalidParams } from './errors.ts';
import type { JsonRecord } from './objects.ts';
import { argumentName, isAbsent, parseArray, parseIndex, required } from './validation.ts';

const MAX_BLOCKS = 1024;
const MAX_PERCENTILES = 100;
/** Blocks read at once. */
const READ_AHEAD = 64;

function parsePercentiles(value: unknown): readonly number[] | undefined {
  if (isAbsent(value)) return undefined;
  let previous = 0;
  return parseArray(value, argumentName(2), MAX_PERCENTILES, (item, name) => {
    if (typeof item !== 'number') throw invalidParams(`invalid ${name}: expected a number`);
    if (item < previous || item > 100) {
      throw invalidArgument(`invalid reward percentile: ${item} is not between ${previous} and 100`);
    }
    previous = item;
    return item;
  });
}

async function readBlocks(backend: RpcBackend, from: number, to: number): Promise<readonly StoredBlock[]> {
  const blocks: StoredBlock[] = [];
  for (let start = from; start <= to; start += READ_AHEAD) {
    const numbers = Array.from({ length: Math.min(READ_AHEAD, to - start + 1) }, (_, index) => start + index);
    for (const block of await Promise.all(numbers.map((number) => backend.repositories.blockByNumber(number)))) {
      if (block === undefined) throw blockNotFound();
      blocks.push(block);
    }
  }
  return blocks;
}

function usedRatio({ header }: StoredBlock): number {
  return header.gasLimit === 0n ? 0 : Number(header.gasUsed) / Number(header.gasLimit);
}

/** Params: count (at most 1024 are answered), newest block, percentiles. Errors: -32001 for an unknown newest block, -32602. */
export async function feeHistory(backend: RpcBackend, params: readonly unknown[]): Promise<JsonRecord> {
  const wanted = parseIndex(required(params, 0), argumentName(0));
  const newestId = parseBlockNumber(required(params, 1), argumentName(1));
  const percentiles = parsePercentiles(params[2]);
  const newest = await requireBlock(backend, newestId);
  const count = Math.min(Number(wanted > BigInt(MAX_BLOCKS) ? MAX_BLOCKS : wanted), newest + 1);
  if (count === 0) return { oldestBlock: '0x0', baseFeePerGas: [], gasUsedRatio: [] };
  const oldest = newest - count + 1;
  const hasNext = newest < backend.latest();
  const blocks = await readBlocks(backend, oldest, hasNext ? newest + 1 : newest);
  const answered = blocks.slice(0, count);
  const baseFees = blocks.map(({ header }) => quantity(header.baseFeePerGas));
  if (!hasNext) baseFees.push(quantity(backend.nextBaseFee()));
  return {
    oldestBlock: quantity(oldest),
    baseFeePerGas: baseFees,
    gasUsedRatio: answered.map(usedRatio),
    baseFeePerBlobGas: baseFees.map(() => '0x0'),
    blobGasUsedRatio: answered.map(() => 0),
    ...(percentiles === undefined ? {} : { reward: answered.map(() => percentiles.map(() => '0x0')) }),
  };
}
