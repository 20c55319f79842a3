/** Process of the embedded ClickHouse engine. It ends with the channel to the process that started it, however that ends. */
import { NodeError, errorText } from '../common/errors.ts';
import { type EmbeddedEngine, openEmbeddedEngine } from './embeddedEngine.ts';

/** The first and only message to it. */
export interface EngineStart {
  readonly path: string;
  readonly username: string;
  readonly password: string;
}

export type EngineAnswer =
  | { readonly kind: 'ready'; readonly port: number }
  | { readonly kind: 'failed'; readonly code: string; readonly errorKind: string; readonly message: string };

const CLOSE_LIMIT_MS = 10_000;

let engine: EmbeddedEngine | undefined;

/** An orphan leaves at once what nobody waits for; ClickHouse survives it. */
async function end(): Promise<void> {
  setTimeout(() => process.exit(1), CLOSE_LIMIT_MS).unref();
  await engine?.close();
  process.exit(0);
}

process.once('disconnect', () => void end());
// Ctrl-C is for the node, which ends this process when it needs it no more.
process.on('SIGINT', () => undefined);
process.once('message', (start: EngineStart) => {
  openEmbeddedEngine(start).then(
    (opened) => {
      engine = opened;
      tell({ kind: 'ready', port: opened.port });
    },
    (error: unknown) => {
      const code = error instanceof NodeError ? String(error.code) : 'STORE_IO';
      tell({
        kind: 'failed',
        code,
        errorKind: error instanceof NodeError ? error.kind : 'retryable',
        message: errorText(error),
      });
      process.disconnect?.();
    },
  );
});

function tell(answer: EngineAnswer): void {
  if (process.connected) process.send?.(answer);
}
