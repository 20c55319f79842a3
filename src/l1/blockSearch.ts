/** Which L1 block to start from: binary search over history, with a fallback for an L1 that keeps none (spec: settlement 8). */
import { NodeError, errorText } from '../common/errors.ts';
import { L1ErrorCode } from './errors.ts';

/** Up to this height all of L1 may be read instead. */
export const FULL_SCAN_BLOCKS_MAX = 100_000;

/**
 * The smallest block in 0..latest where `holds` is true, which it stays from there on; undefined: not even at `latest`.
 * Errors of `holds` come through.
 */
export async function smallestBlock(
  latest: number,
  holds: (block: number) => Promise<boolean>,
): Promise<number | undefined> {
  if (!(await holds(latest))) return undefined;
  let [low, high] = [0, latest];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * As `smallestBlock`, but 0 when the search fails on an L1 of at most 100,000 blocks.
 * @throws NodeError L1_SEARCH_FAILED when it fails on a longer one
 */
export async function searchOrScan(
  what: string,
  latest: number,
  holds: (block: number) => Promise<boolean>,
): Promise<number | undefined> {
  try {
    return await smallestBlock(latest, holds);
  } catch (error) {
    if (latest <= FULL_SCAN_BLOCKS_MAX) return 0;
    throw new NodeError(
      'retryable',
      `L1 cannot be searched for ${what}: ${errorText(error)}; use an endpoint that answers for old blocks`,
      { code: L1ErrorCode.searchFailed, latest },
      { cause: error },
    );
  }
}
