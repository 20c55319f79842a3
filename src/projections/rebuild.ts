/** Rebuilding and checking a projection while no runner has it open (`reprise rebuild`, `reprise verify`). */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digest, type StoreDigest } from '../store/digest.ts';
import { PROJECTION_CHECKPOINT } from '../store/buckets.ts';
import { projectionDirectory, ProjectionRunner, type RunnerOptions } from './projectionRunner.ts';

/**
 * Deletes the projection's directory and fills it again up to the present end of the journal; `events.progress` tells
 * how far it is. Stopped by the signal it leaves a part, which a later start or rebuild continues.
 */
export async function rebuildProjection<Reader>(options: RunnerOptions<Reader>, signal: AbortSignal): Promise<void> {
  const { journal } = options;
  await removeStore(options);
  const runner = await ProjectionRunner.open({ ...options, isRebuild: true });
  try {
    // An empty journal has no log id to wait for.
    if (journal.end > 0) await runner.run(signal, { untilIndex: journal.end });
  } finally {
    await runner.close();
  }
}

export interface Verification {
  readonly isEqual: boolean;
  /** Height at which both were compared. */
  readonly height: number;
  readonly live: StoreDigest;
  readonly rebuilt: StoreDigest;
}

/** Fills a second store beside the projection's up to the same entry and compares every key and value. Removes it again. */
export async function verifyProjection<Reader>(
  options: RunnerOptions<Reader>,
  signal: AbortSignal,
): Promise<Verification> {
  const aside = join(options.dataDirectory, 'verify');
  await removeStore({ ...options, dataDirectory: aside });
  const live = await ProjectionRunner.open(options);
  try {
    const rebuilt = await ProjectionRunner.open({ ...options, dataDirectory: aside, isRebuild: true });
    try {
      if (live.nextIndex > 0) await rebuilt.run(signal, { untilIndex: live.nextIndex });
      signal.throwIfAborted();
      const exclude = [PROJECTION_CHECKPOINT];
      const ofLive = await digest(live.store, { exclude });
      const ofRebuilt = await digest(rebuilt.store, { exclude });
      const isEqual =
        live.height === rebuilt.height && ofLive.keys === ofRebuilt.keys && ofLive.hash === ofRebuilt.hash;
      return { isEqual, height: live.height, live: ofLive, rebuilt: ofRebuilt };
    } finally {
      await rebuilt.close();
    }
  } finally {
    await live.close();
    await removeStore({ ...options, dataDirectory: aside });
    await rm(aside, { recursive: true, force: true });
  }
}

function removeStore<Reader>({
  dataDirectory,
  projection,
  removeStore: remove,
}: Pick<RunnerOptions<Reader>, 'dataDirectory' | 'projection' | 'removeStore'>): Promise<void> {
  const path = projectionDirectory(dataDirectory, projection);
  return remove === undefined ? rm(path, { recursive: true, force: true }) : remove(path);
}
