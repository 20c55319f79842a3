/**
 * The log index: blooms of 256 blocks turned by 90 degrees. A row holds, for one bit of the bloom, the blocks that have
 * it set, so that a search over a long range reads a few short rows per section instead of every bloom.
 */
import type { Bytes } from '../common/bytes.ts';
import { type BloomBits, BLOOM_LENGTH, bloomBits } from '../protocol/bloom.ts';

export const SECTION_BLOCKS = 256;
const ROW_BYTES = SECTION_BLOCKS / 8;
const BLOOM_BITS = BLOOM_LENGTH * 8;
/** A row beyond those of the bits: blocks with any log. It exists exactly when the section is complete. */
export const ANY_LOG_ROW = BLOOM_BITS;

/** The rows of a section that are not all zero, and always the one of ANY_LOG_ROW. */
export function sectionRows(blooms: readonly (Bytes | undefined)[]): (readonly [row: number, blocks: Bytes])[] {
  const rows = new Uint8Array((BLOOM_BITS + 1) * ROW_BYTES);
  const used = new Uint8Array(BLOOM_BITS + 1);
  used[ANY_LOG_ROW] = 1;
  blooms.forEach((bloom, block) => {
    if (bloom === undefined) return;
    const at = block >> 3;
    const mask = 1 << (block & 7);
    setRow(rows, ANY_LOG_ROW * ROW_BYTES + at, mask);
    for (let i = 0; i < BLOOM_LENGTH; i++) {
      for (let bits = bloom[i] ?? 0; bits !== 0; bits &= bits - 1) {
        const row = i * 8 + 31 - Math.clz32(bits & -bits);
        used[row] = 1;
        setRow(rows, row * ROW_BYTES + at, mask);
      }
    }
  });
  const kept: (readonly [number, Bytes])[] = [];
  for (let row = 0; row < used.length; row++) {
    if (used[row] === 1) kept.push([row, rows.slice(row * ROW_BYTES, (row + 1) * ROW_BYTES)]);
  }
  return kept;
}

function setRow(rows: Bytes, at: number, mask: number): void {
  rows[at] = (rows[at] ?? 0) | mask;
}

/** What a filter asks of blooms: of each group, one value at least. */
export class BloomQuery {
  readonly #groups: readonly (readonly BloomBits[])[];
  /** Every row that `candidates` looks at, ANY_LOG_ROW first. */
  readonly rows: readonly number[];

  constructor(groups: readonly (readonly Bytes[])[]) {
    this.#groups = groups.filter((values) => values.length > 0).map((values) => values.map(bloomBits));
    this.rows = [...new Set([ANY_LOG_ROW, ...this.#groups.flat().flatMap(rowsOf)])];
  }

  /** Whether a block with this bloom may hold a match. */
  mayMatch(bloom: Bytes): boolean {
    return this.#groups.every((values) =>
      values.some(({ at, mask }) => at.every((i, n) => ((bloom[i] ?? 0) & (mask[n] ?? 0)) !== 0)),
    );
  }

  /** Blocks of a section, by their number in it, that may hold a match. `rowBlocks` answers a row, undefined if it is all zero. */
  candidates(rowBlocks: (row: number) => Bytes | undefined): number[] {
    const matching = Uint8Array.from(rowBlocks(ANY_LOG_ROW) ?? new Uint8Array(ROW_BYTES));
    for (const values of this.#groups) {
      const any = new Uint8Array(ROW_BYTES);
      for (const value of values) {
        const rows = rowsOf(value).map(rowBlocks);
        for (let i = 0; i < ROW_BYTES; i++) {
          any[i] = (any[i] ?? 0) | rows.reduce((blocks, row) => blocks & (row?.[i] ?? 0), 0xff);
        }
      }
      for (let i = 0; i < ROW_BYTES; i++) matching[i] = (matching[i] ?? 0) & (any[i] ?? 0);
    }
    const blocks: number[] = [];
    for (let block = 0; block < SECTION_BLOCKS; block++) {
      if (((matching[block >> 3] ?? 0) & (1 << (block & 7))) !== 0) blocks.push(block);
    }
    return blocks;
  }
}

/** Rows of one value's three bits, as `sectionRows` numbers them. */
function rowsOf({ at, mask }: BloomBits): number[] {
  return at.map((byte, n) => byte * 8 + 31 - Math.clz32(mask[n] ?? 0));
}
