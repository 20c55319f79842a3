/**
 * Replay that does not stop for every slot that is not in memory: it takes them all for absent and looks them up together
 * when the block is done. If one was there after all, the block runs again, with all of them in memory.
 */
import type { Bytes } from '../common/bytes.ts';
import type { BlockOutput } from '../protocol/blockOutput.ts';
import type { StoredAccountRecord } from '../protocol/accountRecord.ts';
import type { ABSENT, MissingKey } from '../vm/loadedState.ts';
import { LIMBS, readBytes, wordToBytes } from '../vm/words.ts';
import type { Words } from '../vm/words.ts';
import { type ReplayInput, type ReplayState, replayBlock } from './replayBlock.ts';

/** A block that runs twice for fewer reads than this per gas has lost time by guessing. */
const GAS_PER_GUESS_MAX = 30_000;
/** After such a block: first one block without guesses, then about twice as many after each next one, and never more. */
const MAX_CAUTIOUS_BLOCKS = 63;
/** Of one read. */
const KEYS_PER_READ = 500;

export class GuessingReplay {
  /** Blocks left without guesses. */
  #cautiousBlocks = 0;
  #cautiousBlocksNextTime = 1;

  /** As `replayBlock`, which see. */
  async replay(input: ReplayInput): Promise<BlockOutput> {
    if (this.#cautiousBlocks > 0) {
      this.#cautiousBlocks -= 1;
      return replayBlock(input);
    }
    const guessed = new GuessedState(input.state);
    const [attempt] = await Promise.allSettled([replayBlock({ ...input, state: guessed })]);
    if (await guessed.wasRight()) {
      this.#cautiousBlocksNextTime = 1;
      if (attempt.status === 'rejected') throw attempt.reason;
      return attempt.value;
    }
    const output = await replayBlock(input);
    if (Number(output.header.gasUsed) > GAS_PER_GUESS_MAX * guessed.count) this.#beCautious();
    return output;
  }

  #beCautious(): void {
    this.#cautiousBlocks = this.#cautiousBlocksNextTime;
    this.#cautiousBlocksNextTime = Math.min(2 * this.#cautiousBlocks + 1, MAX_CAUTIOUS_BLOCKS);
  }
}

class GuessedState implements ReplayState {
  readonly #state: ReplayState;
  readonly #guesses: { readonly kind: 'slot'; readonly address: Bytes; readonly slot: Bytes }[] = [];

  constructor(state: ReplayState) {
    this.#state = state;
  }

  get count(): number {
    return this.#guesses.length;
  }

  account(address: Bytes): StoredAccountRecord | typeof ABSENT | undefined {
    return this.#state.account(address);
  }

  slot(address: Bytes, words: Words, at: number, value: Words): boolean {
    const known = this.#state.slot(address, words, at, value);
    if (known !== undefined) return known;
    this.#guesses.push({ kind: 'slot', address, slot: wordToBytes(words, at) });
    return false;
  }

  preimage(hash: Bytes): Bytes | typeof ABSENT | undefined {
    return this.#state.preimage(hash);
  }

  missing(keys: readonly MissingKey[]): readonly MissingKey[] {
    return this.#state.missing(keys);
  }

  load(keys: readonly MissingKey[]): Promise<void> {
    return this.#state.load(keys);
  }

  /** Every slot that was guessed is in memory afterwards. */
  async wasRight(): Promise<boolean> {
    for (let read = 0; read < this.#guesses.length; read += KEYS_PER_READ)
      await this.#state.load(this.#guesses.slice(read, read + KEYS_PER_READ));
    const words = new Uint32Array(LIMBS);
    const value = new Uint32Array(LIMBS);
    return this.#guesses.every(({ address, slot }) => {
      readBytes(slot, 0, 32, words, 0);
      return this.#state.slot(address, words, 0, value) === false;
    });
  }
}
