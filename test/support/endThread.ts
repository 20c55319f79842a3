/** Preloaded into a node (`--import`): ends one of its threads, by name, once a file is there. */
import { existsSync } from 'node:fs';
import { isMainThread, threadName } from 'node:worker_threads';

const { END_THREAD: wanted, END_THREAD_BY: how, END_THREAD_ONCE: file = '' } = process.env;
if (!isMainThread && threadName === wanted)
  setInterval(() => {
    if (!existsSync(file)) return;
    if (how === 'exit') process.exit(7);
    throw new Error('planted in this thread');
  }, 20).unref();
