/** Rebuilding and checking a projection while no runner has it open (`reprise rebuild`, `reprise verify`). */
import { type StoreComparison, compareStores } from '../store/compareStores.ts';
import { ProjectionError } from './errors.ts';
import { systemDirectories } from './projectionDirectories.ts';
import { projectionDirectory, ProjectionRunner, type RunnerOptions } from './projectionRunner.ts';

/**
 * Deletes the projection's directory and fills it again up to the present end of the journal; `events.progress` tells
 * how far it is. Stopped by the signal it leaves a part, which a later start or rebuild continues.
 */
export async function rebuildProjection<Reader>(options: RunnerOptions<Reader>, signal: AbortSignal): Promise<void> {
  const { journal, projection, dataDirectory, directories = systemDirectories } = options;
  await directories.remove(projectionDirectory(dataDirectory, projection));
  const runner = await ProjectionRunner.open({ ...options, isRebuild: true });
  try {
    // An empty journal has no log id to wait for.
    if (journal.end > 0) await runner.run(signal, { untilIndex: journal.end });
  } finally {
    await runner.close();
  }
}

export interface Verification extends StoreComparison {
  /** Height at which both were compared; -1: nothing was applied yet. */
  readonly height: number;
}

/**
 * Fills a second store under `asideDirectory` up to the same entry and compares every key and value, the checkpoint
 * included. Throws PROJECTION_AHEAD when the journal is shorter than what was applied.
 */
export async function verifyProjection<Reader>(
  options: RunnerOptions<Reader>,
  {
    asideDirectory,
    signal,
    comparing,
  }: { readonly asideDirectory: string; readonly signal: AbortSignal; readonly comparing?: (keys: number) => void },
): Promise<Verification> {
  const { journal, projection, directories = systemDirectories } = options;
  const asidePath = projectionDirectory(asideDirectory, projection);
  const live = await ProjectionRunner.open(options);
  try {
    if (live.nextIndex > journal.end)
      throw new ProjectionError(
        'retryable',
        `projection ${projection.name} has applied ${live.nextIndex} journal entries and the chain store holds ${journal.end}: a power cut can do that. Start the node once, so that the chain store reads the end of the log, stop it, then verify again`,
        { code: 'PROJECTION_AHEAD', projection: projection.name },
      );
    await directories.remove(asidePath);
    const rebuilt = await ProjectionRunner.open({ ...options, dataDirectory: asideDirectory, isRebuild: true });
    try {
      if (live.nextIndex > 0) await rebuilt.run(signal, { untilIndex: live.nextIndex });
      signal.throwIfAborted();
      const comparison = await compareStores(live.store, rebuilt.store, {
        signal,
        ...(comparing && { progress: comparing }),
      });
      return { ...comparison, height: live.height };
    } finally {
      await rebuilt.close();
      await directories.remove(asidePath);
    }
  } finally {
    await live.close();
  }
}
