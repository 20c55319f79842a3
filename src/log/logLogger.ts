/** What this folder needs of a logger: constant text with structured context. */
export interface LogLogger {
  info(context: object, message: string): void;
  warn(context: object, message: string): void;
  error(context: object, message: string): void;
}

const ignore = (): void => undefined;

export const SILENT_LOGGER: LogLogger = { info: ignore, warn: ignore, error: ignore };
