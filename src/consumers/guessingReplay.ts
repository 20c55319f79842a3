/**
 * Replay that does not stop for every slot that is not in memory. Most of those were never written: it takes them all for
 * absent, looks them up together when the block is done, and only if one was there after all runs the block again.
 */
import type { Bytes } from '../common/bytes.ts';
import type { BlockOutput } from '../protocol/blockOutput.ts';
import { ABSENT, type MissingKey } from '../vm/loadedState.ts';
import { type ReplayInput, type ReplayState, replayBlock } from './replayBlock.ts';

/** After wrong guesses: first one block without, then about twice as many after each next one, and never more. */
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
    this.#cautiousBlocks = this.#cautiousBlocksNextTime;
    this.#cautiousBlocksNextTime = Math.min(2 * this.#cautiousBlocks + 1, MAX_CAUTIOUS_BLOCKS);
    return replayBlock(input);
  }
}

class GuessedState implements ReplayState {
  readonly #state: ReplayState;
  readonly #guesses: { readonly kind: 'slot'; readonly address: Bytes; readonly slot: Bytes }[] = [];

  constructor(state: ReplayState) {
    this.#state = state;
  }

  account(address: Bytes): Bytes | typeof ABSENT | undefined {
    return this.#state.account(address);
  }

  slot(address: Bytes, slot: Bytes): Bytes | typeof ABSENT {
    const known = this.#state.slot(address, slot);
    if (known !== undefined) return known;
    this.#guesses.push({ kind: 'slot', address: address.slice(), slot: slot.slice() });
    return ABSENT;
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
    return this.#guesses.every(({ address, slot }) => this.#state.slot(address, slot) === ABSENT);
  }
}
