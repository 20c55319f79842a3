/** Blocks as subscriptions announce them: read and written as text once, however many clients get them. */
import { isZero } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { Turns } from '../common/turns.ts';
import type { FoundLog, RepositoriesReader, StoredBlock } from '../projections/repositoriesReader.ts';
import { headerObject, logObject } from './objects.ts';

export interface AnnouncedLog {
  readonly log: FoundLog;
  /** JSON */
  readonly text: string;
}

/** Newest blocks that are kept, so that clients next to each other read them once. */
const KEPT_BLOCKS = 32;
/** Their text, all together. */
const KEPT_CHARACTERS = 64 * 1024 * 1024;

export class AnnouncedBlock {
  readonly height: number;
  /** JSON of the header. */
  readonly headText: string;
  readonly #hasLogs: boolean;
  readonly #readLogs: () => Promise<readonly AnnouncedLog[]>;
  #logs: Promise<readonly AnnouncedLog[]> | undefined;

  constructor(height: number, block: StoredBlock, readLogs: () => Promise<readonly AnnouncedLog[]>) {
    this.height = height;
    this.headText = JSON.stringify(headerObject(block));
    this.#hasLogs = !isZero(block.header.logsBloom);
    this.#readLogs = readLogs;
  }

  /** All of them, in order. Read when first asked for. */
  logs(): Promise<readonly AnnouncedLog[]> {
    return (this.#logs ??= this.#hasLogs ? this.#readLogs() : Promise.resolve([]));
  }
}

export class BlockFeed {
  readonly #repositories: RepositoriesReader;
  readonly #kept = new Map<number, Promise<AnnouncedBlock>>();
  readonly #characters = new Map<number, number>();
  #charactersTotal = 0;

  constructor(repositories: RepositoriesReader) {
    this.#repositories = repositories;
  }

  /** A block that is readable. */
  block(height: number): Promise<AnnouncedBlock> {
    let block = this.#kept.get(height);
    if (block === undefined) {
      block = this.#read(height);
      this.#kept.set(height, block);
      block.catch(() => this.#drop(height));
      this.#trim();
    }
    return block;
  }

  async #read(height: number): Promise<AnnouncedBlock> {
    const stored = await this.#repositories.blockByNumber(height);
    if (stored === undefined)
      throw new NodeError('invariant', `block ${height} is readable, and repositories do not have it`, {
        code: 'BLOCK_MISSING',
        blockNumber: height,
      });
    const block = new AnnouncedBlock(height, stored, () => this.#readLogs(height));
    this.#count(height, block.headText.length);
    return block;
  }

  async #readLogs(height: number): Promise<readonly AnnouncedLog[]> {
    const range = { fromBlock: height, toBlock: height, addresses: [], topics: [] };
    const search = await this.#repositories.logs({ ...range, maxResults: Number.MAX_SAFE_INTEGER });
    const turns = new Turns();
    const logs: AnnouncedLog[] = [];
    let characters = 0;
    for (const log of search.kind === 'found' ? search.logs : []) {
      const text = JSON.stringify(logObject(log));
      characters += text.length;
      logs.push({ log, text });
      const turn = turns.due();
      if (turn !== undefined) await turn;
    }
    this.#count(height, characters);
    return logs;
  }

  #count(height: number, characters: number): void {
    if (!this.#kept.has(height)) return;
    this.#characters.set(height, (this.#characters.get(height) ?? 0) + characters);
    this.#charactersTotal += characters;
    this.#trim();
  }

  /** Those read first go first. */
  #trim(): void {
    for (const height of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_BLOCKS && this.#charactersTotal <= KEPT_CHARACTERS) return;
      this.#drop(height);
    }
  }

  #drop(height: number): void {
    this.#kept.delete(height);
    this.#charactersTotal -= this.#characters.get(height) ?? 0;
    this.#characters.delete(height);
  }
}
