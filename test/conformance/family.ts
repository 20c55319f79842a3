import type { Bytes } from '../../src/common/bytes.ts';
import type { Suite } from './suite.ts';

/** The folder of vectors as a family sees it. Paths are relative, with `/`. */
export interface VectorFolder {
  has(path: string): boolean;
  bytes(path: string): Bytes;
  json(path: string): unknown;
}

/** What knows how to run certain files. */
export interface VectorFamily {
  /** Whether the file belongs to it. Files that another one of the family draws in, too. */
  owns(path: string): boolean;
  /** Runs one file that it owns. */
  run(path: string, folder: VectorFolder, suite: Suite): void;
}
