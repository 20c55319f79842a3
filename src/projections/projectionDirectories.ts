/** Directories of the projections' stores: on disk, or wherever a simulation keeps its stores. */
import { mkdir, readdir, rm } from 'node:fs/promises';

export interface ProjectionDirectories {
  /** With its parents; one that exists is left alone. */
  create(path: string): Promise<void>;
  /** Names within a directory. */
  list(path: string): Promise<readonly string[]>;
  /** With everything in it; one that does not exist is no error. */
  remove(path: string): Promise<void>;
}

export const systemDirectories: ProjectionDirectories = {
  create: async (path) => {
    await mkdir(path, { recursive: true });
  },
  list: (path) => readdir(path),
  remove: (path) => rm(path, { recursive: true, force: true }),
};
