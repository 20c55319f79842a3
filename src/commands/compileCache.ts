/** Compiled code of this program and its packages is kept between runs: every thread of a node loads most of it. */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Of this process and the threads it starts from now on. Where nothing can be written, nothing is kept. */
export function keepCompiledCode(): void {
  // Coverage of code that was compiled before is not exact.
  if (process.env['NODE_V8_COVERAGE'] !== undefined) return;
  const { directory } = enableCompileCache(
    fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url)),
  );
  if (directory !== undefined) process.env['NODE_COMPILE_CACHE'] ??= directory;
}
